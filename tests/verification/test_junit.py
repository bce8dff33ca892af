from __future__ import annotations

import os
import re
import string
from contextlib import suppress
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_agent.journal.events import Case, Result
from ci_agent.verification import reading
from ci_agent.verification.reading import ReportError, cases, files

read = partial(reading.read, "junit")
FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def report(tmp_path: Path, body: str | bytes, name: str = "r.xml") -> Path:
    path = tmp_path / name
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return path


def one(tmp_path: Path, case: str) -> Case:
    (found,) = read([report(tmp_path, f"<testsuite>{case}</testsuite>")])
    return found


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('file="tests/test_a.py" classname="tests.test_a.TestX" name="test_b[1-a.b]"', "tests/test_a.py::TestX::test_b[1-a.b]"),
        ('file="tests/test_a.py" classname="tests.test_a.TestX.TestY" name="t"', "tests/test_a.py::TestX::TestY::t"),
        ('file="tests/test_a.py" classname="tests.test_a" name="test_b"', "tests/test_a.py::test_b"),
        ('file="tests/test_a.py" classname="" name="tests.test_a"', "tests/test_a.py"),
        ('file="README.md" classname="README.md" name="README.md"', "README.md::README.md"),
        ('file="base.py" classname="tests.test_a.TestX" name="test_b"', "tests.test_a.TestX::test_b"),
        ('classname="com.x.SlugTest" name="tabs"', "com.x.SlugTest::tabs"),
        ('name="tabs"', "tabs"),
        ("", "(no name)"),
        ('name="two&#10;lines&#9;and &#133;"', "two\\nlines\\tand \\x85"),
    ],
)  # fmt: skip
def test_an_id_names_file_class_and_test_as_far_as_the_report_does(
    tmp_path: Path, attributes: str, expected: str
) -> None:
    assert one(tmp_path, f"<testcase {attributes}/>").id == expected


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("", Result.PASSED),
        ("<failure/>", Result.FAILED),
        ("<error/>", Result.ERROR),
        ("<skipped/>", Result.SKIPPED),
        ("<failure/><error/>", Result.ERROR),
        ("<error/><failure/>", Result.ERROR),
        ("<flakyFailure>once</flakyFailure>", Result.PASSED),
        ("<system-out>&lt;failure/></system-out>", Result.PASSED),
    ],
)
def test_the_worst_that_is_told_of_a_case_is_its_result(
    tmp_path: Path, inside: str, expected: Result
) -> None:
    assert one(tmp_path, f'<testcase name="a">{inside}</testcase>').result is expected


def test_cases_in_nested_suites_and_in_a_namespace_are_found_and_others_of_no_run_are_skipped(
    tmp_path: Path,
) -> None:
    text = """<testsuites xmlns="urn:x"><testsuite><testsuite><testcase name="a"><failure message="m"/></testcase>
        </testsuite><testcase name="b" status="notrun" time="1,234.5"/></testsuite></testsuites>"""
    assert [(c.id, c.result, c.seconds) for c in read([report(tmp_path, text)])] == [
        ("a", Result.FAILED, 0.0),
        ("b", Result.SKIPPED, 1234.5),
    ]


def test_details_hold_the_trace_and_what_the_failing_test_printed_without_empty_headings(
    tmp_path: Path,
) -> None:
    case = one(
        tmp_path,
        """<testcase name="a"><failure message="assert 1 == 2">trace</failure>
        <system-out>--------- Captured Log ---------

--------- Captured Out ---------
hello
--------- Captured Err ---------

</system-out><system-err>--------- Captured Err ---------
</system-err></testcase>""",
    )
    assert case.message == "assert 1 == 2"
    assert case.details == "trace\n--------- Captured Out ---------\nhello"


def test_a_file_that_could_not_be_collected_tells_why_in_its_message(tmp_path: Path) -> None:
    case = one(
        tmp_path,
        """<testcase name="tests.test_a"><error message="collection failure">ImportError while importing
E   ModuleNotFoundError: No module named 'x'</error></testcase>""",
    )
    assert case.message == "ModuleNotFoundError: No module named 'x'"
    case = one(
        tmp_path,
        """<testcase name="tests.test_a"><error message="collection failure">tests/test_a.py:2: in &lt;module&gt;
E     File "temps.py", line 2
E       return (f - 32
E              ^
E   SyntaxError: '(' was never closed</error></testcase>""",
    )
    assert case.message == "SyntaxError: '(' was never closed"


def test_a_passing_case_keeps_no_output(tmp_path: Path) -> None:
    assert one(tmp_path, '<testcase name="a"><system-out>x</system-out></testcase>').details == ""


def test_a_message_is_taken_from_the_text_where_there_is_none_and_is_cut(tmp_path: Path) -> None:
    text = "first\n" + "x" * 1000
    case = one(tmp_path, f'<testcase name="a"><failure>{text}</failure></testcase>')
    assert case.message.startswith("first\n")
    assert len(case.message) == cases.LONGEST_MESSAGE


@pytest.mark.parametrize("count", [1_000, 4_000, 100_000])
def test_long_details_are_cut_to_whole_lines_of_head_and_tail_and_what_is_missing_is_counted(
    tmp_path: Path, count: int
) -> None:
    text = "\n".join(f"line {number}" for number in range(count))
    details = one(tmp_path, f'<testcase name="a"><failure>{text}</failure></testcase>').details
    assert len(details) <= cases.LONGEST_DETAILS
    assert details.startswith("line 0\n")
    assert details.endswith(f"\nline {count - 1}")
    [mark] = [line for line in details.splitlines() if not re.fullmatch(r"line \d+", line)]
    assert mark == f"… {count - details.count('line '):,} lines left out …"


def test_details_of_one_endless_line_are_cut_as_well(tmp_path: Path) -> None:
    details = one(tmp_path, f'<testcase name="a"><failure>{"x" * 100_000}</failure></testcase>').details
    assert 500 < len(details) <= cases.LONGEST_DETAILS


def test_messages_and_details_are_told_as_the_caller_wants_them_shown(tmp_path: Path) -> None:
    text = '<r><testcase name="/w/a"><failure message="no /w/x">in /w/y</failure></testcase></r>'
    (case,) = read([report(tmp_path, text)], lambda text: text.replace("/w/", ""))
    assert (case.id, case.message, case.details) == ("a", "no x", "in y")


def test_a_test_and_its_fixture_that_both_fail_are_one_case(tmp_path: Path) -> None:
    text = """<testsuite><testcase name="a"><failure message="assert 0">body</failure></testcase>
    <testcase name="a"><error message='failed on teardown with "ValueError"'>fixture</error></testcase></testsuite>"""
    (case,) = read([report(tmp_path, text)])
    assert (case.id, case.result, case.message) == ("a", Result.FAILED, "assert 0")
    assert "fixture" in case.details


def test_same_names_are_numbered_whatever_their_order(tmp_path: Path) -> None:
    good, bad, third = (
        '<testcase name="a"/>',
        '<testcase name="a"><failure/></testcase>',
        '<testcase name="a#2"/>',
    )
    first = read([report(tmp_path, f"<r>{good}{bad}{third}</r>")])
    second = read([report(tmp_path, f"<r>{bad}{third}{good}</r>")])
    assert {case.id: case.result for case in first} == {case.id: case.result for case in second}
    assert len({case.id for case in first}) == 3


def test_same_names_in_two_files_are_told_apart(tmp_path: Path) -> None:
    failing = report(tmp_path, '<r><testcase name="a"><failure/></testcase></r>', "1.xml")
    passing = report(tmp_path, '<r><testcase name="a"/></r>', "2.xml")
    found = {case.id: case.result for case in read([failing, passing])}
    assert found == {"a": Result.FAILED, "a#2": Result.PASSED}


def test_what_xml_does_not_allow_is_read_all_the_same(tmp_path: Path) -> None:
    raw = b'<?xml version="1.0" encoding="utf-8"?><r><testcase name="bad \xff\x00 &#27;[1m &#x1b; ]]&gt;">'
    raw += b"<failure>caf\xe9 \x1b[31mred\x1b[0m &#0;</failure></testcase></r>"
    (case,) = read([report(tmp_path, raw)])
    assert case.result is Result.FAILED
    assert "red" in case.details
    assert "]]>" in case.id
    assert not any(sign in case.id + case.details for sign in "\x00\x1b")


def test_a_report_in_another_encoding_is_read(tmp_path: Path) -> None:
    text = '<?xml version="1.0" encoding="iso-8859-1"?><r><testcase name="é"/></r>'
    assert read([report(tmp_path, text.encode("iso-8859-1"))])[0].id == "é"


BOMB = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><r><testcase name="&b;"/></r>'
OUTSIDE = '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r><testcase name="x"><failure>&a;</failure></testcase></r>'


@pytest.mark.parametrize("text", [BOMB, OUTSIDE])
def test_entities_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ReportError, match="entities"):
        read([report(tmp_path, text)])


@pytest.mark.parametrize(
    "text", ["", "plain text", '<testsuite><testcase name="a"/>', '<r><testcase name="a"><failure mess']
)
def test_a_report_that_is_cut_off_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ReportError, match=r"r\.xml"):
        read([report(tmp_path, text)])


def test_a_report_over_the_size_limit_is_refused_unread(tmp_path: Path) -> None:
    path = report(tmp_path, "")
    os.truncate(path, files.MOST_BYTES + 1)  # a hole, no bytes
    with pytest.raises(ReportError, match="50 MB"):
        read([path])


def test_a_report_with_very_many_cases_is_refused(tmp_path: Path) -> None:
    path = report(tmp_path, b"<r>" + b"<testcase/>" * (cases.MOST_CASES + 1) + b"</r>")
    with pytest.raises(ReportError, match="300,000"):
        read([path])


def test_the_size_limit_holds_for_all_reports_together(tmp_path: Path) -> None:
    half = report(tmp_path, b"<r>" + b" " * (files.MOST_BYTES // 2) + b"</r>")
    assert read([half]) == ()
    with pytest.raises(ReportError, match="50 MB"):
        read([half, half])


def test_links_and_pipes_in_the_place_of_a_report_are_refused_without_waiting(tmp_path: Path) -> None:
    real = report(tmp_path, "<r/>")
    (tmp_path / "link.xml").symlink_to(real)
    os.mkfifo(tmp_path / "pipe.xml")
    for name in ("link.xml", "pipe.xml", "missing.xml"):
        with pytest.raises(ReportError, match=name):
            read([tmp_path / name])


@FOLDER
@given(st.binary() | st.text().map(lambda text: f"<r><testcase>{text}".encode("utf-8", "replace")))
def test_any_bytes_give_cases_or_a_report_error(tmp_path: Path, data: bytes) -> None:
    with suppress(ReportError):
        read([report(tmp_path, data)])


ENCODINGS = st.sampled_from(
    ["hex", "rot13", "utf-7", "utf-16", "idna", "cp037", "big5", "nonsense", "utf_8_sig", "base64"]
)


@FOLDER
@given(ENCODINGS, st.binary(max_size=30))
def test_any_declared_encoding_gives_cases_or_a_report_error(
    tmp_path: Path, encoding: str, data: bytes
) -> None:
    head = f'<?xml version="1.0" encoding="{encoding}"?><r>'.encode()
    with suppress(ReportError):
        read([report(tmp_path, head + data + b'<testcase name="a"/></r>')])


NAMES = st.text(string.printable.replace("\r", "") + "é—\x1b\x00\ud800", max_size=20)


@FOLDER
@given(st.lists(st.tuples(NAMES, st.sampled_from(Result)), max_size=8))
def test_ids_and_results_of_a_written_report_come_back(
    tmp_path: Path, written: list[tuple[str, Result]]
) -> None:
    from ci_agent.verification.unittest_junit import _legal

    inside = {Result.FAILED: "<failure>x</failure>", Result.ERROR: "<error/>", Result.SKIPPED: "<skipped/>"}
    body = "".join(
        f'<testcase classname="c{number}" name={quoteattr(_legal(name))}>'
        f"{inside.get(result, '')}<system-out>{escape(_legal(name))}</system-out></testcase>"
        for number, (name, result) in enumerate(written)
    )
    found = read([report(tmp_path, f"<r>{body}</r>")])
    assert [case.result for case in found] == [result for _, result in written]
    assert [case.id.split("::")[0] for case in found] == [f"c{number}" for number in range(len(written))]
    assert all(case.id.isprintable() for case in found)
    simple = string.ascii_letters + string.digits + "é—[]-"
    for case, (name, _) in zip(found, written, strict=True):
        if name and all(sign in simple for sign in name):
            assert case.id.endswith(f"::{name}")
