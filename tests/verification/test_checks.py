from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_agent.journal.events import CheckCompared, CheckRan, Finding, Moment
from ci_agent.verification.checks import compare_checks, findings, run_check
from ci_agent.verification.checks.findings import MOST_FINDINGS, MOST_LINES, MOST_READ
from tests.verification.projects import sandbox

FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
Row = tuple[str, int, str, str]


def rows(output: str, root: Path) -> list[Row]:
    return [(found.path, found.line, found.rule, found.message) for found in findings(output, root)[0]]


# --- what is printed --------------------------------------------------------------------------------------

# Shortened from what ruff, mypy, rustc, javac, gcc and go vet wrote. The others are written by hand in the form
# that those tools are known to use; none of them was run.
RUFF = """F401 [*] `os` imported but unused
 --> a.py:1:8
  |
1 | import os
  |        ^^
help: Remove unused import: `os`
  |
  - import os

F821 Undefined name `undefined`
 --> a.py:5:12
  |
3 |     if x:
5 |     return undefined
  |            ^^^^^^^^^

Found 2 errors.
[*] 1 fixable with `--fix`.
"""
RUSTC = """error[E0308]: mismatched types
 --> src/m.rs:1:37
  |
1 | fn main() { let y: i32 = "a"; foo(); }
  |                    ---   ^^^ expected `i32`, found `&str`
  |
note: function defined here
 --> src/m.rs:9:4
  = note: see more

warning: unused variable: `x`
   --> src/m.rs:12:17
    |
12  |     let x = 3;
    = note: `#[warn(unused_variables)]` on by default
   --> src/m.rs:14:1

error: aborting due to 2 previous errors
"""
GCC = """In file included from b.c:3:
c.c: In function \u2018f\u2019:
c.c:1:28: error: \u2018y\u2019 undeclared (first use in this function)
    1 | int f(void){ int x; return y; }
      |                            ^
c.c:1:28: note: each undeclared identifier is reported only once
c.c:1:18: warning: unused variable \u2018x\u2019 [-Wunused-variable]
/usr/include/stdio.h:3:1: warning: not ours
"""
STYLISH = """
{root}/src/a.js
  1:10  error    'x' is defined but never used  no-unused-vars
  12:1  warning  Unexpected console statement   @scope/no-console
  13:5  error    Parsing error: Unexpected token

src/b.ts
  1:1  error  Oops  semi

\u2716 4 problems (3 errors, 1 warning)
"""
PRINTED: list[tuple[str, str, list[Row]]] = [
    ("ruff", RUFF, [("a.py", 1, "F401", "`os` imported but unused"), ("a.py", 5, "F821", "Undefined name `undefined`")]),
    ("ruff concise", "a.py:1:8: F401 [*] `os` imported but unused\nFound 1 error.\n", [("a.py", 1, "F401", "`os` imported but unused")]),
    ("mypy", 'b.py:2: error: Incompatible return value type (got "list[int]")  [return-value]\nb.py:2: note: See it\nFound 1 error in 1 file (checked 1 source file)\n', [("b.py", 2, "return-value", 'Incompatible return value type (got "list[int]")')]),
    ("flake8", "./a.py:1:1: E302 expected 2 blank lines, found 1\n", [("a.py", 1, "E302", "expected 2 blank lines, found 1")]),
    ("pylint", "************* Module a\na.py:1:0: C0114: Missing module docstring (missing-module-docstring)\n", [("a.py", 1, "C0114", "Missing module docstring")]),
    ("rustc", RUSTC, [("src/m.rs", 1, "E0308", "mismatched types"), ("src/m.rs", 12, "", "unused variable: `x`")]),
    ("rustc short", "m.rs:1:42: error[E0425]: cannot find function `foo` in this scope\n", [("m.rs", 1, "E0425", "cannot find function `foo` in this scope")]),
    ("javac", "A.java:1: error: cannot find symbol\nclass A { }\n      ^\n  symbol:   method g()\n1 error\n", [("A.java", 1, "", "cannot find symbol")]),
    ("gcc", GCC, [("c.c", 1, "", "\u2018y\u2019 undeclared (first use in this function)"), ("c.c", 1, "-Wunused-variable", "unused variable \u2018x\u2019")]),
    ("go vet", '# example.com/m\n./a.go:3:12: fmt.Printf format %d has arg "x" of wrong type string\nvet: ./b.go:2:12: undefined: y\n', [("a.go", 3, "", 'fmt.Printf format %d has arg "x" of wrong type string'), ("b.go", 2, "", "undefined: y")]),
    ("tsc", "src/a.ts(3,7): error TS2322: Type 'string' is not assignable to type 'number'.\n  The expected type\n", [("src/a.ts", 3, "TS2322", "Type 'string' is not assignable to type 'number'.")]),
    ("tsc pretty", "\x1b[96msrc/a.ts\x1b[0m:\x1b[93m3\x1b[0m:\x1b[93m7\x1b[0m - \x1b[91merror\x1b[0m\x1b[90m TS2322: \x1b[0mNo.\n", [("src/a.ts", 3, "TS2322", "No.")]),
    ("MSBuild", "Program.cs(3,7): error CS1002: ; expected [/x/app.csproj]\n", [("Program.cs", 3, "CS1002", "; expected")]),
    ("eslint unix", "{root}/src/a.js:1:10: 'x' is never used. [Error/no-unused-vars]\n\n1 problem\n", [("src/a.js", 1, "Error/no-unused-vars", "'x' is never used.")]),
    ("eslint stylish", STYLISH, [("src/a.js", 1, "no-unused-vars", "'x' is defined but never used"), ("src/a.js", 12, "@scope/no-console", "Unexpected console statement"), ("src/a.js", 13, "", "Parsing error: Unexpected token"), ("src/b.ts", 1, "semi", "Oops")]),
    ("shellcheck", "run.sh:3:6: note: Double quote to prevent globbing and word splitting. [SC2086]\n", [("run.sh", 3, "SC2086", "Double quote to prevent globbing and word splitting.")]),
    ("twice", "a.py:1: error: x\na.py:1: error: x\n", [("a.py", 1, "", "x")]),
    ("a name with blanks", "two words.py:4: bad\nno such file.py:4: bad\n", [("two words.py", 4, "", "bad")]),
    ("others", "12:30:45: started\nhttp://x.y/a.html:3: no\n127.0.0.1:8080: refused\n10.0.0.1:80: refused\n../out.py:1: x\na/../../out.py:1: x\n/etc/x.py:1: x\na.py:1:\n", []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("output", "expected"), [row[1:] for row in PRINTED], ids=[row[0] for row in PRINTED]
)
def test_findings_of_what_tools_print(tmp_path: Path, output: str, expected: list[Row]) -> None:
    (tmp_path / "two words.py").touch()
    assert rows(output.replace("{root}", str(tmp_path)), tmp_path) == expected


def result(path: str, **fields: object) -> dict[str, object]:
    place = {
        "artifactLocation": {"uri": path, "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 3, "endLine": 4},
    }
    return {"ruleId": "R1", "message": {"text": "bad"}, "locations": [{"physicalLocation": place}], **fields}


def test_findings_of_sarif(tmp_path: Path) -> None:
    results = [
        result("src/a%20b.py"),
        result(f"file://{tmp_path}/c.py", level="note", ruleIndex=3),
        result("d.py", suppressions=[{"kind": "inSource"}]),
        result("d.py", kind="pass"),
        result("d.py", baselineState="absent"),
        result("../d.py"),
        {"message": {"id": "x"}},
    ]
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a b.py").touch()
    log = {"$schema": "x", "version": "2.1.0", "runs": [{"tool": {"driver": {}}, "results": results}, {}]}
    text = f"> lint\n{json.dumps(log, indent=1)}\ndone\n"
    assert rows(text, tmp_path) == [("src/a b.py", 3, "R1", "bad"), ("c.py", 3, "R1", "bad")]


CHECKSTYLE = """[INFO] starting
<?xml version="1.0" encoding="utf-8"?>
<checkstyle version="4.3"><file name="{root}/src/A.java"><error line="3" column="1" severity="error"
 message="Missing &lt;Javadoc&gt;" source="com.puppycrawl.Javadoc"/><error message="whole file"/></file></checkstyle>
[INFO] done"""


def test_findings_of_checkstyle(tmp_path: Path) -> None:
    assert rows(CHECKSTYLE.replace("{root}", str(tmp_path)), tmp_path) == [
        ("src/A.java", 3, "com.puppycrawl.Javadoc", "Missing <Javadoc>"),
        ("src/A.java", 0, "", "whole file"),
    ]


@pytest.mark.parametrize(
    "output",
    [
        '{"runs": ' + "[" * 200_000,
        '{"runs": [{"results": [1]}]}',
        '<checkstyle><!DOCTYPE x [<!ENTITY a "b">]></checkstyle>',
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><checkstyle>&a;</checkstyle>',
        "<checkstyle><file></checkstyle>",
        "x" * 3_000_000,
        "a.py" + ":1" * 500_000,
        " " * 3_000_000,
        ("a" + " " * 900 + "(\n") * 1000,
        "\n" * 1_000_000,
    ],
    ids=range(10),
)
def test_a_document_that_is_none_has_no_findings(tmp_path: Path, output: str) -> None:
    assert rows(output, tmp_path) == []


def test_findings_have_an_end(tmp_path: Path) -> None:
    many = "".join(f"a.py:{n}: {'long ' * 90}\n" for n in range(1, MOST_FINDINGS + 100))
    found, cut = findings(many, tmp_path)
    assert (len(found), max(len(one.message) for one in found)) == (MOST_FINDINGS, 300)
    assert cut == "it has more than 10,000 findings"


def test_findings_that_are_just_as_many_as_are_kept_are_all_of_them(tmp_path: Path) -> None:
    lines = [f"a.py:{n}: bad\n" for n in range(1, MOST_FINDINGS + 1)]
    found, cut = findings("".join([*lines, *lines]), tmp_path)
    assert (len(found), cut) == (MOST_FINDINGS, "")


@pytest.mark.parametrize(
    ("noise", "cut"),
    [
        ("\n" * (MOST_LINES - 1), ""),
        ("\n" * MOST_LINES, "it printed more than 500,000 lines"),
        (("x" * 999 + "\n") * (MOST_READ // 1_000), "it printed more than 20 MB"),
    ],
    ids=["all", "lines", "bytes"],
)
def test_what_is_beyond_what_is_read_is_told(tmp_path: Path, noise: str, cut: str) -> None:
    log = tmp_path / "log"
    log.write_text(f"{noise}a.py:1: bad\n")
    found, told = findings(log, tmp_path)
    assert (len(found), told) == (int(not cut), cut)
    assert findings(log.read_text(), tmp_path) == (found, told)


@FOLDER
@given(
    st.one_of(
        st.text(max_size=200),
        st.lists(
            st.sampled_from(
                [
                    "a.py",
                    ":1",
                    ":",
                    " ",
                    "(1,2)",
                    "error",
                    "[E1]",
                    " --> ",
                    "\n",
                    "\0",
                    "{",
                    '"runs"',
                    "}",
                    "<checkstyle>",
                ]
            )
        ).map("".join),
    )
)
def test_nothing_printed_is_too_odd(tmp_path: Path, output: str) -> None:
    for found in findings(output, tmp_path)[0]:
        assert found.path
        assert not found.path.startswith(("/", ".."))


# --- a run ------------------------------------------------------------------------------------------------


def ran(tmp_path: Path, command: str, timeout: float = 60.0) -> CheckRan:
    root = tmp_path / "root"
    root.mkdir(exist_ok=True)
    where = {"root": root, "sandbox": sandbox(tmp_path), "logs": tmp_path / "logs"}
    return run_check(command, Moment.AFTER, timeout=timeout, **where)  # type: ignore[arg-type]


def test_a_check_is_run_and_read(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.py").write_text("import os\n")
    command = f"{Path(sys.executable).parent}/ruff check --no-cache --isolated --select F ."
    check = ran(tmp_path, command)
    assert (check.exit_code, check.problem, check.log) == (1, "", "check-after-1.log")
    assert [(f.path, f.line, f.rule) for f in check.findings] == [("a.py", 1, "F401")]
    assert "Found 1 error" in check.tail
    assert (ran(tmp_path, "true").log, ran(tmp_path, "true").exit_code) == ("check-after-2.log", 0)


def test_a_check_that_prints_too_much_says_so(tmp_path: Path) -> None:
    check = ran(tmp_path, f"yes '' | head -n {MOST_LINES}; echo 'a.py:1: bad'; exit 1")
    assert (check.findings, check.cut) == ((), "it printed more than 500,000 lines")


@pytest.mark.parametrize(
    ("command", "timeout", "why"),
    [
        ("no-such-program .", 60, "it, or a program it starts, does not exist (exit code 127)"),
        ("/dev/null", 60, "it, or a program it starts, can't be executed (exit code 126)"),
        ("exec sleep 60", 0.2, "it did not end within 0 s and was stopped"),
        ("kill -9 $$", 60, "it was killed by signal 9"),
        ("exit 3", 60, ""),
        ("exit 255", 60, ""),
    ],
)
def test_why_a_check_has_no_result(tmp_path: Path, command: str, timeout: float, why: str) -> None:
    assert ran(tmp_path, command, timeout).problem == why


# --- before and after -------------------------------------------------------------------------------------


def check(code: int | None, *found: Finding, problem: str = "", command: str = "lint") -> CheckRan:
    return CheckRan(Moment.AFTER, command, code, 1.0, problem, found, "log", "")


def at(line: int, message: str = "bad", path: str = "a.py", rule: str = "R1") -> Finding:
    return Finding(path, line, message, rule)


def one(before: CheckRan | None, after: CheckRan | None) -> CheckCompared:
    (compared,) = compare_checks([before] if before else [], [after] if after else [])
    return compared


COMPARED = [
    (check(0), check(0), False, "passes before and after the change"),
    (check(1), check(1), False, "fails before and after the change"),
    # ruff, mypy and eslint end with 2 where they can't run
    (
        check(1),
        check(2),
        True,
        "has no result after the change: it ends with exit code 2 (before the change 1) and names no finding",
    ),
    (
        check(4, at(1)),
        check(1),
        True,
        "has no result after the change: it ends with exit code 1 (before the change 4) and names no finding",
    ),
    (
        check(1, at(1), at(2)),
        check(2, at(1, "bad configuration")),
        True,
        "has no result after the change: it ends with exit code 2 (before the change 1) and names fewer findings (1, before 2)",
    ),
    # pylint adds up the kinds of what it found
    (
        check(20, at(1), at(2, "x")),
        check(16, at(1)),
        False,
        "fails before and after the change, with exit code 20 and 16: 1 gone",
    ),
    (check(1, at(1)), check(2, at(1)), False, "fails before and after the change, with exit code 1 and 2"),
    (check(0), check(1), True, "passes before the change and fails after it (exit code 1)"),
    (
        check(0),
        check(1, at(3)),
        True,
        "passes before the change and fails after it (exit code 1: 1 new finding)",
    ),
    (check(1), check(0), False, "fails before the change and passes after it"),
    (check(1, at(3)), check(0), False, "fails before the change and passes after it, 1 gone"),
    (check(1, at(3)), check(1, at(9)), False, "fails before and after the change"),
    (check(1, at(3)), check(1, at(3), at(9)), True, "fails before and after the change: 1 new finding"),
    (check(1, at(3)), check(1, at(3, "x")), True, "fails before and after the change: 1 new finding, 1 gone"),
    (check(0), check(0, at(3)), True, "passes before and after the change: 1 new finding"),
    (None, check(0), False, "passes; not known before: it was not run"),
    (
        check(None, problem="it hung"),
        check(1, at(1)),
        False,
        "fails (exit code 1); not known before: it hung",
    ),
    (check(0), None, True, "has no result after the change: it was not run"),
    (check(1), check(None, problem="it hung"), True, "has no result after the change: it hung"),
    (
        check(127, problem="it is missing"),
        check(127, problem="it is missing"),
        False,
        "has no result, before the change or after it: it is missing",
    ),
]


@pytest.mark.parametrize(("before", "after", "worse", "said"), COMPARED)
def test_a_check_before_and_after(
    before: CheckRan | None, after: CheckRan | None, worse: bool, said: str
) -> None:
    compared = one(before, after)
    assert (compared.worse, compared.said) == (worse, f"`lint` {said}.")
    assert (compared.before, compared.after) == (before and before.exit_code, after and after.exit_code)


@pytest.mark.parametrize(
    ("was", "now", "new"),
    [
        (at(1, "line too long (99 > 88)"), at(7, "line too long (120 > 88)"), 0),
        (at(1, "redefined, see line 4"), at(1, "redefined, see line 9"), 0),
        (at(1, "undefined name x1"), at(1, "undefined name x2"), 1),
        (at(1, rule="R1"), at(1, rule="R2"), 1),
        (at(1, path="old.py"), at(1, path="new.py"), 0),
        (at(1, "old.py is bad", path="old.py"), at(1, "new.py is bad", path="new.py"), 0),
        (at(1, path="other.py"), at(1, path="new.py"), 1),
    ],
)
def test_findings_are_the_same_by_file_rule_and_message(was: Finding, now: Finding, new: int) -> None:
    (compared,) = compare_checks([check(1, was)], [check(1, now)], {"new.py": "old.py"})
    assert (len(compared.new), compared.gone) == (new, new)


def test_of_equal_findings_those_beyond_the_number_before_are_new() -> None:
    compared = one(check(1, at(1), at(2)), check(1, at(4), at(5), at(6)))
    assert (compared.new, compared.gone) == ((at(6),), 0)


@pytest.mark.parametrize(
    ("before", "after", "worse", "unknown"),
    [
        ("", "it has more", True, "after the change it has more"),
        ("it has more", "", False, "before the change it has more"),
        ("it has more", "it printed more", False, "before the change it has more and after the change it printed more"),
    ],
)  # fmt: skip
def test_findings_that_are_not_all_known_are_not_compared(
    before: str, after: str, worse: bool, unknown: str
) -> None:
    was, now = replace(check(1, at(1)), cut=before), replace(check(1, at(2, "x")), cut=after)
    compared = one(was, now)
    assert (compared.new, compared.gone, compared.worse) == ((), 0, worse)
    assert compared.said == f"`lint` fails before and after the change. What is new is not known: {unknown}."


def test_checks_are_told_by_their_commands_in_order() -> None:
    before = [check(0, command="a"), check(0, command="b"), check(0, command="gone")]
    after = [replace(check(1), command="b"), replace(check(0), command="a")]
    assert [(c.command, c.worse) for c in compare_checks(before, after)] == [
        ("b", True),
        ("a", False),
        ("gone", True),
    ]
