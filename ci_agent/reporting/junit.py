"""`junit.xml`: the verification's own checks, the project's tests after the change, those before, the tests of the
change against the base, and the other checks.

GitLab and the reporters of GitHub show every failure in this file as one of the change, so only what speaks
against the change is one: what failed on the base is a skipped case of the suite `before`, and a test that fails
without the change, as it should, is a passed case of the suite `proof`. GitLab takes the first of several cases
with the same class and name (its documentation of unit test reports), so those suites put words before the class.

A flaky case passes and holds a `flakyFailure`, as Surefire has it ("Rerun Failing Tests" in its documentation).
mikepenz/action-junit-report counts these (its #1118); GitLab's parser, EnricoMi/publish-unit-test-result-action
(#539) and dorny/test-reporter (#531) know only `failure`, `error` and `skipped` and see a passed case, so the same
is said in its output and in a property of the suite.

How each suite is made is in `junit_suites.py`.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ci_agent.journal import Event
from ci_agent.journal.events import TestsRan
from ci_agent.reporting.junit_suites import Detail, after, before, checks, element, legal, legal_items, proof
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.wording import GRADES, counts, partly, reasons, unjudged, wrong
from ci_agent.task import Ending

if TYPE_CHECKING:
    from junit_xml import TestCase, TestSuite

LIMIT = 29_000_000  # bytes; GitLab reads files up to 30 MB (its documentation of unit test reports)
MANY = 20_000  # cases of a run; beyond, `before` holds only what differs
FEW = 5_000  # cases of a run in a file that would be too large otherwise

_DETAILS = (
    Detail(),
    Detail("before: only what differs", differing=True),
    Detail("before: only what differs; without the output of single cases", differing=True, output=False),
    Detail(
        f"before: only what differs; {FEW:,} cases of each run, without their output",
        differing=True,
        output=False,
        most=FEW,
    ),
)


def junit_report(events: Sequence[Event], read_log: Callable[[str], str]) -> str:
    """The report as XML text, declaration included; write it as UTF-8. In that it has at most `LIMIT` bytes: where
    there is more to tell, the property `left out` of the suites says what is missing.

    `read_log` gives the text of a log by the name it has in the journal.
    """
    summary = Summary.of(events)
    large = summary.before is not None and len(summary.before.cases) > MANY
    text = ""
    for detail in _DETAILS[1 if large else 0 :]:
        text = _written(summary, read_log, detail)
        if len(text.encode()) <= LIMIT:
            break
    return text


def _written(summary: Summary, read_log: Callable[[str], str], detail: Detail) -> str:
    last = summary.last
    suites = [element(_own_suite(summary))]
    if last.after is not None and (last.after.command or last.after.cases):
        suites.append(after(summary, last.after, read_log, detail))
    if summary.before is not None and (summary.before.command or summary.before.cases):
        suites.append(before(summary, summary.before, detail))
    if last.proof is not None and (last.proof.cases or last.proof.files):
        suites.append(proof(summary, last.proof))
    if last.checks is not None and last.checks.checks:
        suites.append(checks(summary, last.checks))
    root = ET.Element("testsuites", name="ci-agent")
    root.extend(suites)
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in root):.3f}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


# --- the verification's own checks ------------------------------------------------------------------------


def _own_suite(summary: Summary) -> TestSuite:
    from junit_xml import TestSuite

    started = summary.started
    properties = {}
    if started:
        properties = {
            "session": started.session,
            "issue": started.issue,
            "model": started.model,
            "sandbox": started.sandbox,
            "ci-agent": started.version,
        }
    tests = [_tests(summary, "tests before", summary.before), _tests(summary, "tests after", summary.after)]
    if summary.alone:
        cases = [*tests, _verdict(summary)]
    else:
        cases = [_issue_read(summary), tests[0], _agent_finished(summary), tests[1], _verdict(summary)]
    return TestSuite("ci-agent", cases, properties=legal_items(properties))


def _issue_read(summary: Summary) -> TestCase:
    case = _own_case("issue read")
    if summary.issue is None:
        case.add_error_info("the issue was not read")
    return case


def _tests(summary: Summary, name: str, run: TestsRan | None) -> TestCase:
    """Whether the tests ran to their end. How they ended is for the project's own suite to say."""
    said = "; ".join([counts(run), *partly(run)]) if run and run.command else ""
    case = _own_case(name, run.seconds if run else 0.0, said)
    if run is None or not run.command:
        case.add_skipped_info("there are no tests to run" if summary.no_tests else "not reached")
    elif run.problem and not summary.no_tests:
        case.add_error_info(legal(run.problem), legal(run.tail))
    elif run.problem or not run.cases:
        case.add_skipped_info(legal(run.problem) or "no test was run")
    return case


def _agent_finished(summary: Summary) -> TestCase:
    case = _own_case("agent finished")
    ending = summary.stopped.ending if summary.stopped else summary.ending
    if ending is None:
        case.add_skipped_info("not reached")
    elif ending is Ending.NEEDS_INPUT:
        case.add_skipped_info("waits for an answer")
    elif Ending.NEEDS_APPROVAL in {ending, summary.ending}:
        case.add_skipped_info("waits for an approval")
    elif ending not in {Ending.SUBMITTED, Ending.UNVERIFIED}:
        said = legal(" ".join(wrong(summary)[:2])) or str(ending)
        if ending in _OUTSIDE:
            case.add_error_info(said, error_type=str(ending))
        else:
            case.add_failure_info(said, failure_type=str(ending))
    return case


# Ends that say nothing about the work: something around it failed.
_OUTSIDE = {
    Ending.LLM_AUTH,
    Ending.LLM_QUOTA,
    Ending.LLM_UNAVAILABLE,
    Ending.LLM_POLICY,
    Ending.LLM_REPLAY,
    Ending.UNANSWERED,
    Ending.LOST,
    Ending.ENVIRONMENT,
    Ending.CANCELLED,
    Ending.INTERNAL,
}


def _verdict(summary: Summary) -> TestCase:
    judged, compared = summary.judged, summary.compared
    if judged is None:
        case = _own_case("verdict")
        if summary.alone:  # where there is a session, its own case says how it ended
            case.add_error_info(legal(unjudged(summary)))
        else:
            case.add_skipped_info("not reached")
        return case
    said = legal(" ".join([f"{GRADES[judged.grade]}.", *reasons(judged)]))
    case = _own_case("verdict", said="\n".join([said, *judged.remarks]))
    if not judged.ready:
        changes = (*compared.newly_broken, *compared.lost, *compared.order_dependent) if compared else ()
        names = "\n".join(": ".join(filter(None, [change.id, change.message])) for change in changes)
        case.add_failure_info(said, legal(names), failure_type=str(judged.grade))
    return case


def _own_case(name: str, seconds: float = 0.0, said: str = "") -> TestCase:
    from junit_xml import TestCase

    return TestCase(name, classname="ci-agent", elapsed_sec=seconds, stdout=legal(said))
