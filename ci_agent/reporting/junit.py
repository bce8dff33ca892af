"""`junit.xml`: the session's own checks, then the project's tests after the change.

Written with junit-xml, whose weak places are gone round here: it drops a failure that has neither message
nor output (the case would count as passed), leaves lone surrogates to crash its own pretty-printer, writes
times with more than the three decimals the schema allows, and adds an attribute `disabled` that Jenkins'
schema does not know.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ci_agent.journal import Event
from ci_agent.journal.events import Case, Result, TestsRan, Verdict
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.text import cut
from ci_agent.reporting.wording import counts, wrong
from ci_agent.task import Ending

if TYPE_CHECKING:
    from junit_xml import TestCase, TestSuite

LOG = 200_000  # characters of a run's log; GitLab reads files up to 30 MB, and `logs/` has all of it

# Everything that XML 1.0 does not allow, section 2.2 "Characters".
_ILLEGAL = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_report(events: Sequence[Event], read_log: Callable[[str], str]) -> str:
    """The report as XML text, declaration included; write it as UTF-8.

    `read_log` gives the text of a log by the name it has in the journal.
    """
    summary = Summary.of(events)
    suites = [_own_suite(summary)]
    if summary.after is not None and (summary.after.command or summary.after.cases):
        suites.append(_project_suite(summary, summary.after, read_log))
    root = ET.Element("testsuites", name="ci-agent")
    for suite in suites:
        root.append(_element(suite))
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in root):.3f}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _element(suite: TestSuite) -> ET.Element:
    element: ET.Element = suite.build_xml_doc()
    element.attrib.pop("disabled", None)
    for timed in (element, *element.iter("testcase")):
        timed.set("time", f"{float(timed.get('time', '0')):.3f}")
    return element


def legal(text: str) -> str:
    """`text` as XML can hold it: what is not allowed becomes the replacement character."""
    return _ILLEGAL.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


# --- the session's own checks -----------------------------------------------------------------------------


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
    return TestSuite(
        "ci-agent",
        [
            _issue_read(summary),
            _tests(summary, "tests before", summary.before),
            _agent_finished(summary),
            _tests(summary, "tests after", summary.after),
            _nothing_broken(summary),
        ],
        properties=_legal_items(properties),
    )


def _issue_read(summary: Summary) -> TestCase:
    case = _own_case("issue read")
    if summary.issue is None:
        case.add_error_info("the issue was not read")
    return case


def _tests(summary: Summary, name: str, run: TestsRan | None) -> TestCase:
    """Whether the tests ran to their end. How they ended is for the project's own suite to say."""
    case = _own_case(name, run.seconds if run else 0.0, counts(run) if run and run.command else "")
    if run is None or not run.command:
        case.add_skipped_info("no tests were found" if summary.no_tests else "not reached")
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
    Ending.ENVIRONMENT,
    Ending.CANCELLED,
    Ending.INTERNAL,
}


def _nothing_broken(summary: Summary) -> TestCase:
    case = _own_case("nothing newly broken")
    compared = summary.compared
    if compared is None or compared.verdict is Verdict.NO_TESTS:
        case.add_skipped_info("no tests were found" if summary.no_tests else "not reached")
    elif compared.verdict is Verdict.INCOMPLETE:
        case.add_error_info(legal(compared.reason) or "the tests did not run to their end")
    elif compared.newly_broken or compared.verdict is Verdict.BROKEN:
        names = "\n".join(f"{change.id}: {change.message}" for change in compared.newly_broken)
        case.add_failure_info(legal(compared.reason) or "something is newly broken", legal(names))
    elif compared.verdict is Verdict.WEAKENED:
        names = "\n".join(change.id for change in compared.lost)
        case.add_failure_info(legal(compared.reason) or "tests that ran before do not run now", legal(names))
    return case


def _own_case(name: str, seconds: float = 0.0, said: str = "") -> TestCase:
    from junit_xml import TestCase

    return TestCase(name, classname="ci-agent", elapsed_sec=seconds, stdout=legal(said))


# --- the project's tests ----------------------------------------------------------------------------------


def _project_suite(summary: Summary, run: TestsRan, read_log: Callable[[str], str]) -> TestSuite:
    from junit_xml import TestSuite

    runner = (summary.chosen.runner if summary.chosen else "") or run.command
    properties = {
        "command": run.command,
        "exit code": "" if run.exit_code is None else str(run.exit_code),
        "tree": run.tree,
        "commit": summary.committed.sha if summary.committed else "",
        "base": summary.workspace.base_sha if summary.workspace else "",
        "log": run.log,
    }
    return TestSuite(
        legal(runner),
        list(_project_cases(run, legal(runner))),
        properties=_legal_items(properties),
        stdout=legal(_both_ends(read_log(run.log))) if run.log else None,
    )


def _project_cases(run: TestsRan, runner: str) -> Iterator[TestCase]:
    for case in run.cases:
        yield _project_case(case, runner)
    if run.problem:  # or a run that broke off after its passing cases would look like a good one
        unfinished = Case("the run as a whole", Result.ERROR, message=run.problem, details=run.tail)
        yield _project_case(unfinished, runner)


def _project_case(case: Case, runner: str) -> TestCase:
    from junit_xml import TestCase

    place, _, name = legal(case.id).rpartition("::")
    written = TestCase(
        name or place or "(no name)", classname=place or runner, elapsed_sec=max(0.0, case.seconds)
    )
    message, details = legal(case.message) or f"{case.result}, without a word", legal(case.details)
    match case.result:
        case Result.FAILED:
            written.add_failure_info(message, details)
        case Result.ERROR:
            written.add_error_info(message, details)
        case Result.SKIPPED:
            written.add_skipped_info(legal(case.message) or None, details)
        case Result.PASSED:
            written.stdout = details
    return written


def _both_ends(log: str) -> str:
    if len(log) <= LOG:
        return log
    return f"{cut(log, LOG // 2)}\n[{len(log) - LOG:,} characters left out]\n{log[-LOG // 2 :]}"


def _legal_items(properties: dict[str, str]) -> dict[str, str]:
    return {name: legal(value) for name, value in properties.items() if value}
