import tempfile
import unittest
from pathlib import Path

from hourglass import by_client, read_timesheet

EXAMPLES = Path(__file__).parent.parent / "examples"


class ReadTimesheet(unittest.TestCase):
    def read(self, *lines):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sheet.csv"
            path.write_text("\n".join(["day,client,time,note", *lines]), encoding="utf-8")
            return read_timesheet(path)

    def test_an_entry_per_line(self):
        entries = self.read("2026-03-02,Oak & Sons,4h,", "2026-03-03,Brightwater,30m,call")
        self.assertEqual([entry.seconds for entry in entries], [14400, 1800])
        self.assertEqual(entries[1].note, "call")

    def test_the_line_of_a_mistake_is_named(self):
        with self.assertRaisesRegex(ValueError, "line 3: not a duration: 'soon'"):
            self.read("2026-03-02,Oak & Sons,4h,", "2026-03-03,Oak & Sons,soon,")


if __name__ == "__main__":
    unittest.main()
