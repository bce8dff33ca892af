"""What the policy found, as people and the model read it."""

from __future__ import annotations

import pytest

from ci_agent.journal.events import Committed, Fact, PolicyAction, PolicyFinding, PolicyJudged
from ci_agent.reporting.evidence import evidence
from ci_agent.reporting.merge_request import text
from ci_agent.reporting.policy import for_model, section, sentence
from ci_agent.reporting.progress import progress_comment
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.terminal import line
from tests.support.stories import facts, limit, story, success

WHAT = "files that say what the CI runs"
FILES = ("a.yml", "b.yml", "c.yml", "@all")
REFUSED = PolicyJudged("t", (PolicyFinding("policy.ci", PolicyAction.REFUSE, WHAT, FILES, 5),))
DRAFT = PolicyJudged(
    "t", (PolicyFinding("policy.large", PolicyAction.DRAFT, "large files", ("x (6.0 MB)",)),)
)
BOTH = PolicyJudged("t", REFUSED.findings + DRAFT.findings)
NOTHING = PolicyJudged("t", ())


def test_a_sentence_says_what_which_files_and_how_to_relax_it() -> None:
    assert sentence(REFUSED) == (
        "Nothing was pushed, because the change touches what it may not: files that say what the CI runs (a.yml, b.yml, "
        "c.yml and 6 more). policy.ci: draft, or allow, in the .ci-agent.yml of the base branch would let it through."
    )
    assert sentence(DRAFT) == (
        "Only a draft, because the change touches what a person has to look at: large files (x (6.0 MB)). policy.large: "
        "allow, in the .ci-agent.yml of the base branch, takes it as usual."
    )
    assert sentence(BOTH) == sentence(REFUSED)
    assert sentence(NOTHING) == sentence(None) == section(NOTHING) == section(None) == ""


def test_the_model_hears_what_it_can_do() -> None:
    assert for_model(REFUSED.findings[0]) == (
        "This session can't change files that say what the CI runs (a.yml, b.yml, c.yml and 6 more). Put that back as it "
        "was, and say in the summary what should be changed there; people will read it."
    )
    assert "becomes a draft" in for_model(DRAFT.findings[0])


def test_the_section_names_every_file_and_makes_it_inert() -> None:
    assert section(REFUSED).splitlines() == [
        "### For a person to look at first",
        "- files that say what the CI runs: `a.yml`, `b.yml`, `c.yml`, `@all` and 5 more (`policy.ci`: refuse)",
    ]


def _with(judged: PolicyJudged, told: list[Fact]) -> list[Fact]:
    """The story with the judgement behind the commit."""
    at = next(number for number, fact in enumerate(told) if isinstance(fact, Committed))
    return [*told[: at + 1], judged, *told[at + 1 :]]


@pytest.mark.parametrize("judged", [REFUSED, DRAFT])
def test_what_is_not_allowed_is_not_solved(judged: PolicyJudged) -> None:
    assert Summary.of(story(*_with(NOTHING, facts(success())))).solved
    told = story(*_with(judged, facts(success())))
    assert not Summary.of(told).solved
    said = text(told, fetch_hint="", feedback_hint="")
    assert said.startswith(f"**Needs human.** {sentence(judged)[:40]}")
    assert "Closes" not in said
    assert section(judged) in said


def test_the_comment_says_it_whatever_the_end_was() -> None:
    said = progress_comment(story(*_with(REFUSED, facts(limit()))))
    assert said.startswith("**Stopped at a limit.**")
    assert said.count("Nothing was pushed, because") == 1


def test_the_log_and_the_report_without_a_session_say_it() -> None:
    assert line(REFUSED) == sentence(REFUSED)
    assert line(NOTHING) == ""
    assert section(DRAFT) in evidence(story(*_with(DRAFT, facts(success()))))
