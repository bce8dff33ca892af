"""What has to be approved, and whether a change is the one that was."""

from __future__ import annotations

from ci_agent.config import Config
from ci_agent.config.definitions import ApprovalSettings
from ci_agent.journal.events import (
    ChangeProposed,
    FileChanged,
    PlanCompared,
    PlanProposed,
    ProposalDecided,
    Submitted,
)
from ci_agent.reporting.summary import Summary
from ci_agent.session.approval import compared, digest, needs
from tests.journal.any_events import numbered

PLAN = PlanProposed("Mend it.", ("a.py", "docs/"))
CHANGE = ChangeProposed("one", (), "")
YES, NO = ProposalDecided(True, "dana"), ProposalDecided(False, "dana")

PATCH = b"""diff --git a/a.py b/a.py
index 1111111..2222222 100644
--- a/a.py
+++ b/a.py
@@ -10,3 +10,3 @@ def f():
 x
-y
+z
 w
"""


def test_the_label_adds_to_what_the_settings_want() -> None:
    push = Config(approval=ApprovalSettings(needed="push"))
    assert not needs(Config(), ["bug"])
    assert (needs(Config(), ["AI-Plan-First"]).plan, needs(Config(), ["ai-plan-first"]).push) == (True, False)
    assert (needs(push, ["ai-plan-first"]).plan, needs(push, ["ai-plan-first"]).push) == (True, True)


def test_a_plan_holds_until_another_one_is_proposed() -> None:
    assert Summary.of(numbered([PLAN])).agreed is None
    assert Summary.of(numbered([PLAN, NO])).agreed is None
    assert Summary.of(numbered([PLAN, NO, PLAN, YES])).agreed == PLAN
    assert Summary.of(numbered([PLAN, YES, CHANGE, NO])).agreed == PLAN
    assert Summary.of(numbered([PLAN, YES, PLAN])).agreed is None
    assert Summary.of(numbered([PLAN, YES, PLAN, NO])).agreed is None


def test_a_change_stays_approved_until_another_one_is_proposed() -> None:
    again = Submitted("Mend it", "It was wrong.")
    assert Summary.of(numbered([CHANGE, YES])).approved_change == "one"
    assert Summary.of(numbered([CHANGE, YES, again])).approved_change == "one"
    assert Summary.of(numbered([CHANGE, NO])).approved_change == ""
    assert Summary.of(numbered([CHANGE, YES, again, CHANGE])).approved_change == ""
    assert Summary.of(numbered([PLAN, YES])).approved_change == ""


def test_a_change_is_compared_with_its_plan() -> None:
    def changed(path: str, previous: str = "") -> FileChanged:
        return FileChanged(path, 1, 1, previous)

    files = [
        changed("a.py"),
        changed("docs/b.md"),
        changed("docs.md"),
        changed("c.py", "a.py"),
        changed("a.py", "d.py"),
    ]
    assert compared(PLAN, "dana", files) == PlanCompared("dana", ("docs.md", "c.py", "d.py"))
    assert compared(PLAN, "dana", [changed("docs/x/y.md")]) == PlanCompared("dana", (), ("a.py",))
    assert compared(PLAN, "dana", [changed("a.py")]) == PlanCompared("dana", (), ("docs/",))


def test_the_same_change_elsewhere_in_the_file_is_the_same_change() -> None:
    moved = PATCH.replace(b"-10,3 +10,3 @@ def f():", b"-99,3 +98,3 @@ def g():").replace(
        b"1111111..2222222", b"3..4"
    )
    assert digest(moved) == digest(PATCH)


def test_any_other_change_is_another_one() -> None:
    for old, new in [(b"+z", b"+ z"), (b"+z", b"+z\r"), (b" w", b" v"), (b"a.py", b"b.py")]:
        assert digest(PATCH.replace(old, new)) != digest(PATCH)
    mode = b"old mode 100644\nnew mode 100755\n"
    assert digest(PATCH.replace(b"index ", mode + b"index ")) != digest(PATCH)
    binary = PATCH + b"GIT binary patch\nliteral 1\nIcmZ\n"
    assert digest(binary.replace(b"2222222", b"3333333")) != digest(binary)
