import unittest

from hourglass import format_duration, parse_duration


class ParseDuration(unittest.TestCase):
    def test_hours_and_minutes(self):
        self.assertEqual(parse_duration("2h 30m"), 9000)

    def test_words_are_fine(self):
        self.assertEqual(parse_duration("45 min"), 2700)
        self.assertEqual(parse_duration("2 hours"), 7200)

    def test_a_day_has_eight_hours(self):
        self.assertEqual(parse_duration("1d"), 8 * 3600)

    def test_nonsense_is_an_error(self):
        for text in ("", "soon", "12"):
            with self.subTest(text=text), self.assertRaises(ValueError):
                parse_duration(text)


class FormatDuration(unittest.TestCase):
    def test_minutes_have_two_digits(self):
        self.assertEqual(format_duration(7 * 3600 + 300), "7h 05m")

    def test_seconds_are_rounded(self):
        self.assertEqual(format_duration(89), "0h 01m")


if __name__ == "__main__":
    unittest.main()
