"""python -m hourglass week.csv: what to put on the invoices."""

import sys

from hourglass import by_client, format_duration, read_timesheet

for client, seconds in sorted(by_client(read_timesheet(sys.argv[1])).items()):
    print(f"{client:<20} {format_duration(seconds):>9}")
