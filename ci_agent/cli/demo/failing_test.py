class ExampleWeek(unittest.TestCase):
    def test_totals_per_client(self):
        totals = by_client(read_timesheet(EXAMPLES / "week.csv"))
        self.assertEqual(totals["Oak & Sons"], 4 * 3600 + 45 * 60)
        self.assertEqual(totals["Brightwater"], 12 * 3600)
