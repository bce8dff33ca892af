"""The suites of `junit.xml` beside the verification's own checks: see `junit.py` for what they are.

Written with junit-xml, whose weak places are gone round here: it drops a failure that has neither message
nor output (the case would count as passed), leaves lone surrogates to crash its own pretty-printer, writes
times with more than the three decimals the schema allows, and adds an attribute `disabled` that Jenkins'
schema does not know.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

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
from ci_agent.reporting.wording import failures, flaky_on_base

if TYPE_CHECKING:
    from junit_xml import TestCase, TestSuite

LOG = 200_000  # characters of a run's log; `logs/` has all of it
NAME = 500  # characters of a case's name and message, where a file would be too large otherwise

# Everything that XML 1.0 does not allow, section 2.2 "Characters", and the controls that terminals obey.
_ILLEGAL = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Detail:
    """How much of the cases is written, and how the file says so."""

    said: str = ""
    differing: bool = False  # of those before only what differs from after
    output: bool = True
    most: int | None = None  # of a run's cases, those that are not passed first


def element(suite: TestSuite) -> ET.Element:
    """The suite as XML, as the schema wants it."""
    written: ET.Element = suite.build_xml_doc()
    written.attrib.pop("disabled", None)
    for timed in (written, *written.iter("testcase")):
        timed.set("time", f"{float(timed.get('time', '0')):.3f}")
    return written


def legal(text: str) -> str:
    """`text` as XML can hold it and a terminal can show it: all else becomes the replacement character."""
    return _ILLEGAL.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


# --- the project's tests ----------------------------------------------------------------------------------


def after(summary: Summary, run: TestsRan, read_log: Callable[[str], str], detail: Detail) -> ET.Element:
    """The tests on the result. `read_log` gives the text of a log by its name."""
    retried = summary.last.retried.cases if summary.last.retried else ()
    longest = NAME if detail.most is not None else None
    flaky = {case.id[:longest]: failures(case) for case in retried if case.stability is Stability.FLAKY}
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
    whole = element(suite)
    for written, case in zip(whole.iter("testcase"), told, strict=False):
        if case.id in flaky and case.result.bad:
            _mark_flaky(written, case)
    return whole


def _mark_flaky(written: ET.Element, case: Case) -> None:
    message = legal(case.message) or str(case.result)
    tag = "flakyError" if case.result is Result.ERROR else "flakyFailure"
    failure = ET.Element(tag, {"type": str(case.result), "message": message})
    ET.SubElement(failure, "stackTrace").text = legal(case.details)
    written.insert(0, failure)


def before(summary: Summary, run: TestsRan, detail: Detail) -> ET.Element:
    """What failed on the base is nothing to be mended here, so it is skipped and says so."""
    cases: Iterable[Case] = run.cases
    if detail.differing:
        results = {case.id: case.result for case in summary.after.cases} if summary.after else {}
        cases = (case for case in cases if case.result is not results.get(case.id))
    compared = summary.compared
    unsteady = {change.id for change in compared.flaky if flaky_on_base(change)} if compared else set()
    told = [
        replace(case, result=Result.SKIPPED, message=_on_base(case, unsteady))
        if case.result.bad
        else replace(case, details="")
        for case in _reduced(tuple(cases), detail)
    ]
    properties = _properties(summary, run) | {"left out": detail.said}
    # That it broke off is no error of the change either.
    whole = replace(run, problem="")
    suite = _suite("before", told, whole, f"before: {_runner(summary, run)}", properties, prefix="before: ")
    return element(suite)


def _on_base(case: Case, unsteady: Container[str]) -> str:
    how = "failed and passed" if case.id in unsteady else "fails"
    return f"{how} on the base: {case.message or case.result}"


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
    return TestSuite(name, written, properties=legal_items(properties))


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


def _reduced(cases: Sequence[Case], detail: Detail) -> Sequence[Case]:
    if detail.most is not None:
        cases = sorted(cases, key=lambda case: not case.result.bad)[: detail.most]
        cases = [replace(case, id=case.id[:NAME], message=cut(case.message, NAME)) for case in cases]
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
        "taken over": "from an earlier job on the same commit" if run.reused else "",
    }


def _result_sha(summary: Summary) -> str:
    if summary.alone and summary.workspace:
        return summary.workspace.head_sha
    return summary.committed.sha if summary.committed else ""


def _both_ends(log: str) -> str:
    if len(log) <= LOG:
        return log
    return f"{cut(log, LOG // 2)}\n[{len(log) - LOG:,} characters left out]\n{log[-LOG // 2 :]}"


def legal_items(properties: Mapping[str, str]) -> dict[str, str]:
    """Properties as XML can hold them, those that say nothing left out."""
    return {name: legal(value) for name, value in properties.items() if value}


# --- the proof and the other checks -----------------------------------------------------------------------


def proof(summary: Summary, told: ProofRan) -> ET.Element:
    """A test that fails without the change is what was wanted. One that passes shows nothing, but breaks nothing."""
    from junit_xml import TestSuite

    runs = summary.last.proof_runs
    properties = (_properties(summary, runs[0]) if runs else {}) | {
        "command": "\n".join(dict.fromkeys(run.command for run in runs)),
        "log": ", ".join(run.log for run in runs if run.log),
        "files": ", ".join(told.files),
        "problem": told.problem,
    }
    return element(TestSuite("proof", list(map(_shown, told.cases)), properties=legal_items(properties)))


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
        case Without.UNSTEADY | Without.UNKNOWN:
            case.add_skipped_info(message or "not known")
    return case


def checks(summary: Summary, told: ChecksCompared) -> ET.Element:
    """One case per check, failed where it got worse."""
    from junit_xml import TestSuite

    properties = {"base": summary.workspace.base_sha if summary.workspace else ""}
    properties["commit"] = _result_sha(summary)
    return element(TestSuite("checks", list(map(_check, told.checks)), properties=legal_items(properties)))


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
