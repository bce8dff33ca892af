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

Written with junit-xml, whose weak places are gone round here: it drops a failure that has neither message
nor output (the case would count as passed), leaves lone surrogates to crash its own pretty-printer, writes
times with more than the three decimals the schema allows, and adds an attribute `disabled` that Jenkins'
schema does not know.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_agent.journal import Event
from ci_agent.journal.events import (
    Case,
    CheckCompared,
    ChecksCompared,
    ProofRan,
    Result,
    Shown,
    Stability,
    TestsRan,
    Without,
)
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.text import cut
from ci_agent.reporting.wording import GRADES, counts, failures, partly, reasons, wrong
from ci_agent.task import Ending

if TYPE_CHECKING:
    from junit_xml import TestCase, TestSuite

LIMIT = 29_000_000  # bytes; GitLab reads files up to 30 MB (its documentation of unit test reports)
LOG = 200_000  # characters of a run's log; `logs/` has all of it
MANY = 20_000  # cases of a run; beyond, `before` holds only what differs
FEW = 5_000  # cases of a run in a file that would be too large otherwise
NAME = 500  # characters of a case's name there

# Everything that XML 1.0 does not allow, section 2.2 "Characters".
_ILLEGAL = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much of the cases is written, and how the file says so."""

    said: str = ""
    differing: bool = False  # of those before only what differs from after
    output: bool = True
    most: int | None = None  # of a run's cases, those that are not passed first


_DETAILS = (
    _Detail(),
    _Detail("before: only what differs", differing=True),
    _Detail("before: only what differs; without the output of single cases", differing=True, output=False),
    _Detail(
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


def _written(summary: Summary, read_log: Callable[[str], str], detail: _Detail) -> str:
    after, last = summary.after, summary.last
    suites = [_element(_own_suite(summary))]
    if after is not None and (after.command or after.cases):
        suites.append(_after(summary, after, read_log, detail))
    if summary.before is not None and (summary.before.command or summary.before.cases):
        suites.append(_before(summary, summary.before, detail))
    if last.proof is not None and (last.proof.cases or last.proof.files):
        suites.append(_proof(summary, last.proof))
    if last.checks is not None and last.checks.checks:
        suites.append(_checks(summary, last.checks))
    root = ET.Element("testsuites", name="ci-agent")
    root.extend(suites)
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
    return TestSuite("ci-agent", cases, properties=_legal_items(properties))


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


def _verdict(summary: Summary) -> TestCase:
    judged, compared = summary.judged, summary.compared
    if judged is None:
        case = _own_case("verdict")
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


# --- the project's tests ----------------------------------------------------------------------------------


def _after(summary: Summary, run: TestsRan, read_log: Callable[[str], str], detail: _Detail) -> ET.Element:
    retried = summary.last.retried.cases if summary.last.retried else ()
    flaky = {case.id: failures(case) for case in retried if case.stability is Stability.FLAKY}
    told = _reduced(run.cases, detail)
    runner = _runner(summary, run)
    properties = _properties(summary, run) | {
        "commit": _result_sha(summary),
        "flaky": ", ".join(case.id for case in told if case.id in flaky and case.result.bad),
        "coverage": summary.last.coverage.tool if summary.last.coverage else "",
        "left out": detail.said,
    }
    suite = _suite("after", told, run, runner, properties, flaky)
    if run.log:
        suite.stdout = legal(_both_ends(read_log(run.log)))
    element = _element(suite)
    for written, case in zip(element.iter("testcase"), told, strict=False):
        if case.id in flaky and case.result.bad:
            _mark_flaky(written, case)
    return element


def _mark_flaky(written: ET.Element, case: Case) -> None:
    message = legal(case.message) or str(case.result)
    tag = "flakyError" if case.result is Result.ERROR else "flakyFailure"
    failure = ET.Element(tag, {"type": str(case.result), "message": message})
    ET.SubElement(failure, "stackTrace").text = legal(case.details)
    written.insert(0, failure)


def _before(summary: Summary, run: TestsRan, detail: _Detail) -> ET.Element:
    """What failed on the base is nothing to be mended here, so it is skipped and says so."""
    cases: Iterable[Case] = run.cases
    if detail.differing:
        results = {case.id: case.result for case in summary.after.cases} if summary.after else {}
        cases = (case for case in cases if case.result is not results.get(case.id))
    told = [
        replace(case, result=Result.SKIPPED, message=f"fails on the base: {case.message}".rstrip(": "))
        if case.result.bad
        else replace(case, details="")
        for case in _reduced(tuple(cases), detail)
    ]
    properties = _properties(summary, run) | {"left out": detail.said}
    # That it broke off is no error of the change either.
    whole = replace(run, problem="")
    suite = _suite("before", told, whole, f"before: {_runner(summary, run)}", properties, prefix="before: ")
    return _element(suite)


def _suite(
    name: str,
    cases: Sequence[Case],
    run: TestsRan,
    runner: str,
    properties: Mapping[str, str],
    flaky: Mapping[str, str] | None = None,
    prefix: str = "",
) -> TestSuite:
    from junit_xml import TestSuite

    written = [_project_case(case, legal(runner), (flaky or {}).get(case.id, ""), prefix) for case in cases]
    if run.problem:  # or a run that broke off after its passing cases would look like a good one
        unfinished = Case("the run as a whole", Result.ERROR, message=run.problem, details=run.tail)
        written.append(_project_case(unfinished, legal(runner), "", prefix))
    return TestSuite(name, written, properties=_legal_items(properties))


def _project_case(case: Case, runner: str, flaky: str, prefix: str) -> TestCase:
    from junit_xml import TestCase

    place, _, name = legal(case.id).rpartition("::")
    written = TestCase(
        name or place or "(no name)",
        classname=prefix + place if place else runner,
        elapsed_sec=max(0.0, case.seconds),
    )
    message, details = legal(case.message) or f"{case.result}, without a word", legal(case.details)
    if flaky and case.result.bad:
        written.stdout = f"flaky: {flaky}\n{message}"
        return written
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


def _reduced(cases: Sequence[Case], detail: _Detail) -> Sequence[Case]:
    if detail.most is not None:
        cases = sorted(cases, key=lambda case: not case.result.bad)[: detail.most]
        cases = [replace(case, id=cut(case.id, NAME), message=cut(case.message, NAME)) for case in cases]
    return cases if detail.output else [replace(case, details="") for case in cases]


def _runner(summary: Summary, run: TestsRan) -> str:
    names = dict.fromkeys(chosen.runner for chosen in summary.commands_of_tests if chosen.runner)
    return ", ".join(names) or run.command


def _properties(summary: Summary, run: TestsRan) -> dict[str, str]:
    return {
        "runner": _runner(summary, run),
        "command": run.command,
        "exit code": "" if run.exit_code is None else str(run.exit_code),
        "tree": run.tree,
        "base": summary.workspace.base_sha if summary.workspace else "",
        "log": run.log,
        "not all tests": run.some,
        "problem": run.problem,
        "taken over": "from an earlier session on the same commit" if run.reused else "",
    }


def _result_sha(summary: Summary) -> str:
    if summary.alone and summary.workspace:
        return summary.workspace.head_sha
    return summary.committed.sha if summary.committed else ""


def _both_ends(log: str) -> str:
    if len(log) <= LOG:
        return log
    return f"{cut(log, LOG // 2)}\n[{len(log) - LOG:,} characters left out]\n{log[-LOG // 2 :]}"


def _legal_items(properties: Mapping[str, str]) -> dict[str, str]:
    return {name: legal(value) for name, value in properties.items() if value}


# --- the proof and the other checks -----------------------------------------------------------------------


def _proof(summary: Summary, proof: ProofRan) -> ET.Element:
    """A test that fails without the change is what was wanted. One that passes shows nothing, but breaks nothing."""
    from junit_xml import TestSuite

    run = summary.last.proof_run
    properties = (_properties(summary, run) if run else {}) | {
        "files": ", ".join(proof.files),
        "problem": proof.problem,
    }
    return _element(TestSuite("proof", list(map(_shown, proof.cases)), properties=_legal_items(properties)))


def _shown(shown: Shown) -> TestCase:
    from junit_xml import TestCase

    place, _, name = legal(shown.id).rpartition("::")
    case = TestCase(name or "(no name)", classname=f"without the change: {place}")
    message = legal(shown.message)
    match shown.without:
        case Without.FAILS:
            case.stdout = f"fails without the change: {message}"
        case Without.MISSING:
            case.stdout = f"can't be run without the change: {message}"
        case Without.PASSES:
            case.add_skipped_info(
                "passes without the change as well, so it does not show what the change does"
            )
        case Without.UNKNOWN:
            case.add_skipped_info(message or "not known")
    return case


def _checks(summary: Summary, told: ChecksCompared) -> ET.Element:
    from junit_xml import TestSuite

    properties = {"base": summary.workspace.base_sha if summary.workspace else ""}
    properties["commit"] = _result_sha(summary)
    return _element(TestSuite("checks", list(map(_check, told.checks)), properties=_legal_items(properties)))


def _check(check: CheckCompared) -> TestCase:
    from junit_xml import TestCase

    codes = f"exit code before: {check.before}, after: {check.after}"
    found = [f"{new.path}:{new.line}: {new.message} {new.rule}".rstrip() for new in check.new]
    case = TestCase(legal(check.command) or "(no name)", classname="checks")
    if check.worse:
        case.add_failure_info(legal(check.said) or "worse", legal("\n".join([codes, *found])))
    else:
        case.stdout = legal("\n".join([check.said, codes, *found]))
    return case
