"""The page says what the last run of all attacks saw."""

from __future__ import annotations

from tests.adversarial.cases import CASES
from tests.adversarial.shows import HEADING, PAGE, page_with, recorded, section
from tests.support.profiles import Profile


def test_the_table_is_what_was_seen() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert HEADING in page
    assert page_with(page, section(*recorded())) == page, "python -m tests.adversarial.shows writes it anew"


def test_there_are_forty_and_each_was_tried_somewhere() -> None:
    assert list(CASES) == list(range(1, 41))
    _, held = recorded()
    assert {int(number) for number, places in held.items() if places} == set(CASES)
    assert {profile for places in held.values() for profile in places} <= {
        str(profile) for profile in Profile
    }
