from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_agent.journal.events import FileCoverage
from ci_agent.verification import coverage
from ci_agent.verification.coverage import CoverageError, added_lines, of_change, read
from ci_agent.verification.coverage import reports as limits

FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def tree(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def report(tmp_path: Path, text: str | bytes, name: str = "report") -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# --- the formats ------------------------------------------------------------------------------------------

JAVASCRIPT = "export function f(x) {\n  if (x) {\n    return 1;\n  }\n\n  return 2; // else\n}\n"


def test_lcov_as_node_writes_it(tmp_path: Path) -> None:
    """`node --test --experimental-test-coverage --test-reporter=lcov` of node 20: closing brackets count there."""
    tree(tmp_path, {"web/a.js": JAVASCRIPT})
    lines = "".join(f"DA:{n},{int(n != 6)}\n" for n in range(1, 8))
    text = f"TN:\nSF:a.js\nFN:1,f\nFNDA:1,f\nBRDA:4,2,0,0\n{lines}LH:5\nLF:6\nend_of_record\n"
    assert read("lcov", [report(tmp_path, text)], tmp_path, "web") == {"web/a.js": {1: 1, 2: 1, 3: 1, 6: 0}}


def test_lcov_of_several_runs_and_tests_is_joined_and_odd_counts_are_none(tmp_path: Path) -> None:
    tree(tmp_path, {"src/lib.rs": "a\n" * 9})
    one = f"SF:{tmp_path}/src/lib.rs\nDA:1,0\nDA:2,5,checksum\nDA:3,-4\nDA:4,=====\nDA:0,1\nend_of_record\nDA:9,9\n"
    two = "SF:src/lib.rs\nDA:1,2\nDA:2,0\nend_of_record\n"
    paths = [report(tmp_path, one, "one.info"), report(tmp_path, two, "two.info")]
    assert read("lcov", paths, tmp_path) == {"src/lib.rs": {1: 2, 2: 5, 3: 0}}


def test_coverage_py(tmp_path: Path) -> None:
    """As `coverage json` of 7.17 writes it, format 3."""
    tree(tmp_path, {"pkg/a.py": "x\n", "other.py": "x\n"})
    files = {
        "a.py": {
            "executed_lines": [1, 2, 6, 0, -1],
            "summary": {"x": 80.0},
            "missing_lines": [4],
            "functions": {},
        },
        str(tmp_path / "other.py"): {"executed_lines": [], "missing_lines": [1], "excluded_lines": [2]},
    }
    path = report(tmp_path, json.dumps({"meta": {"format": 3}, "files": files, "totals": {}}))
    expected = {"pkg/a.py": {1: 1, 2: 1, 4: 0, 6: 1}, "other.py": {1: 0}}
    assert read("coverage.py", [path], tmp_path, "pkg") == expected
    assert read("coverage.py", [path], tmp_path, "pkg", only={"other.py"}) == {"other.py": {1: 0}}


GO = """package sub

// F does.
func F(x int) int {
	if x > 0 {
		return 1
	} else {
		x++

		// comment
		x = 2 *
			x
	}
	return x
}

func G() {}
"""
# What `go test -coverprofile` of 1.26 wrote for it and a test that calls F(1).
PROFILE = """mode: set
example.com/m/sub/a.go:4.19,5.11 1 1
example.com/m/sub/a.go:5.11,7.3 1 1
example.com/m/sub/a.go:7.8,13.3 2 0
example.com/m/sub/a.go:14.2,14.10 1 0
example.com/m/sub/a.go:17.11,17.12 0 0
"""
GO_LINES = {4: 1, 5: 1, 6: 1, 7: 1, 8: 0, 11: 0, 12: 0, 14: 0}


@pytest.mark.parametrize("folder", ["", "tools/m"])
def test_go_names_files_by_their_module(tmp_path: Path, folder: str) -> None:
    root = tree(tmp_path / "r", {f"{folder or '.'}/go.mod": "// of ours\nmodule example.com/m // here\n"})
    tree(root, {f"{folder or '.'}/sub/a.go": GO})
    found = read("go", [report(tmp_path, PROFILE)], root, folder)
    assert found == {f"{folder}/sub/a.go".lstrip("/"): GO_LINES}


def test_go_workspaces_have_several_modules_also_one_in_another(tmp_path: Path) -> None:
    work = 'go 1.22\n\nuse (\n\t./one // first\n\t"./two"\n)\nuse ./../../outside\n'
    root = tree(
        tmp_path / "r",
        {
            "go.work": work,
            "one/go.mod": "module example.com/m\n",
            "two/go.mod": 'module "example.com/m/sub"\n',
            "two/a.go": GO,
            "one/sub/a.go": GO,
            "one/b.go": "package m\nfunc B() { x() }\n",
        },
    )
    profile = PROFILE + "example.com/m/b.go:2.10,2.17 1 3\nexample.com/other/b.go:2.10,2.17 1 3\n"
    assert read("go", [report(tmp_path, profile)], root) == {"two/a.go": GO_LINES, "one/b.go": {2: 3}}


@pytest.mark.slow
def test_go_itself(tmp_path: Path) -> None:
    test = 'package sub\nimport "testing"\nfunc TestF(t *testing.T) { F(1) }\n'
    root = tree(tmp_path / "r", {"go.mod": "module example.com/m\n", "sub/a.go": GO, "sub/a_test.go": test})
    words = ("go", "test", f"-coverprofile={tmp_path}/c.out", "./...")
    environment = {**os.environ, "GOCACHE": str(tmp_path / "cache"), "GOFLAGS": "-mod=mod"}
    subprocess.run(words, cwd=root, env=environment, check=True, capture_output=True)
    assert read("go", [tmp_path / "c.out"], root) == {"sub/a.go": GO_LINES}


# Written by hand in the form of JaCoCo's report.dtd.
JACOCO = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<!DOCTYPE report PUBLIC "-//JACOCO//DTD Report 1.1//EN" "report.dtd">
<report name="shop"><sessioninfo id="x" start="1" dump="2"/><package name="com/shop">
<class name="com/shop/Slug" sourcefilename="Slug.java"><method name="f" line="3"/></class>
<sourcefile name="Slug.java"><line nr="3" mi="0" ci="4" mb="0" cb="0"/><line nr="5" mi="2" ci="0" mb="0" cb="0"/>
<line nr="x" mi="2" ci="0"/><counter type="LINE" missed="1" covered="1"/></sourcefile>
<sourcefile name="Tabs.kt"><line nr="1" mi="1" ci="0"/></sourcefile>
<sourcefile name="Gone.java"><line nr="1" mi="1" ci="0"/></sourcefile></package>
<package name=""><sourcefile name="Main.java"><line nr="2" ci="1"/></sourcefile></package></report>"""


@pytest.mark.parametrize("place", ["core/target/site/jacoco/jacoco.xml", "elsewhere.xml"])
def test_jacoco_names_files_by_their_package(tmp_path: Path, place: str) -> None:
    source = "core/src/main"
    files = (
        f"{source}/java/com/shop/Slug.java",
        f"{source}/kotlin/com/shop/Tabs.kt",
        f"{source}/java/Main.java",
    )
    root = tree(tmp_path, dict.fromkeys(files, "x\n" * 9))
    found = read("jacoco", [report(tmp_path, JACOCO, place)], root)
    assert found == {files[0]: {3: 4, 5: 0}, files[1]: {1: 0}, files[2]: {2: 1}}


def test_jacoco_takes_the_source_of_the_module_that_wrote_the_report(tmp_path: Path) -> None:
    files = [f"{module}/src/main/java/com/shop/Slug.java" for module in ("a", "b")]
    root = tree(tmp_path, dict.fromkeys(files, "x\n"))
    path = report(tmp_path, JACOCO, "b/build/reports/jacoco/test/report.xml")
    assert list(read("jacoco", [path], root)) == [files[1]]


# --- what strangers write ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../secret.py", "/etc/passwd", "link.py", "a\0.py", "x" * 5000, "", "."])
def test_no_file_outside_of_the_checkout_is_told_of(tmp_path: Path, name: str) -> None:
    root = tree(tmp_path / "root", {"a.py": "x\n"})
    tree(tmp_path, {"secret.py": "x\n"})
    (root / "link.py").symlink_to(tmp_path / "secret.py")
    text = f"SF:{name}\nDA:1,1\nend_of_record\nSF:sub/../a.py\nDA:1,1\n"
    assert read("lcov", [report(tmp_path, text)], root) == {"a.py": {1: 1}}


BOMB = '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><report>&b;</report>'
BAD = [
    ("jacoco", BOMB, "entities"),
    ("jacoco", JACOCO[:400], "cut off"),
    ("jacoco", "", "cut off"),
    ("coverage.py", '{"files": {"a.py": {"executed_', "not what `coverage json` writes"),
    ("coverage.py", '{"files": {"a.py": {"executed_lines": ["1"]}}}', "not what"),
    ("coverage.py", "[" * 100_000, "not what"),
    ("coverage.py", '{"x": ' + "[" * 100_000, "not what"),
    ("coverage.py", b'{"files": {"\xff": {}}}', "not what"),
    ("go", "example.com/m/a.go:1.1,2.2 1 1\n", "no profile of Go"),
]


@pytest.mark.parametrize(("kind", "text", "why"), BAD)
def test_a_report_that_is_none_is_refused(tmp_path: Path, kind: str, text: str | bytes, why: str) -> None:
    with pytest.raises(CoverageError, match=why):
        read(kind, [report(tmp_path, text)], tmp_path)


def test_a_report_that_is_too_large_or_no_file_is_not_read(tmp_path: Path) -> None:
    large = report(tmp_path, "SF:a\n")
    os.truncate(large, limits.MOST_BYTES + 1)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name, why in (
        ("report", "larger"),
        ("pipe", "not a regular file"),
        ("link", "can't be read"),
        ("none", "can't"),
    ):
        with pytest.raises(CoverageError, match=why):
            read("lcov", [tmp_path / name], tmp_path)


def test_sources_that_are_pipes_hold_nothing_up(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a.js": "x\n"})
    os.mkfifo(root / "go.mod")
    profile = report(tmp_path, "mode: set\nm/a.go:1.1,2.1 1 1\n")
    assert read("go", [profile], root) == {}


def test_reports_that_name_too_much_are_refused(tmp_path: Path) -> None:
    root = tree(tmp_path, {"go.mod": "module m\n", "a.go": "x\n"})
    blocks = range(1, limits.MOST_LINES + 20_000, 20_000)
    many = "mode: set\n" + "".join(f"m/a.go:{n}.1,{n + 19_999}.1 1 1\n" for n in blocks)
    with pytest.raises(CoverageError, match="more than 2,000,000 lines"):
        read("go", [report(tmp_path, many)], root)
    many = "".join(f"SF:{n}\nDA:1,1\n" for n in range(limits.MOST_FILES + 1))
    with pytest.raises(CoverageError, match="more than 50,000 files"):
        read("lcov", [report(tmp_path, many)], root)


def test_a_block_of_go_with_endless_lines_takes_little(tmp_path: Path) -> None:
    root = tree(tmp_path, {"go.mod": "module m\n", "a.go": "x\n"})
    path = report(tmp_path, "mode: set\nm/a.go:1.1,999999999.1 1 1\nm/a.go:x\n")
    assert len(read("go", [path], root)["a.go"]) <= 20_001


@FOLDER
@given(
    kind=st.sampled_from(coverage.FORMATS),
    text=st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.sampled_from(
                [
                    "SF:a.py\n",
                    "DA:1,1\n",
                    "DA:",
                    "mode: set\n",
                    "m/a.go:1.1,2.2 1 1\n",
                    "{",
                    '"files":',
                    "}",
                    "<",
                ]
            )
        ).map(lambda parts: "".join(parts).encode()),
    ),
)
def test_no_report_does_more_than_be_refused(tmp_path: Path, kind: str, text: bytes) -> None:
    tree(tmp_path, {"a.py": "x\n"})
    try:
        found = read(kind, [report(tmp_path, text)], tmp_path)
    except CoverageError:
        return
    assert set(found) <= {"a.py"}


# --- the change -------------------------------------------------------------------------------------------


def test_only_changed_lines_that_can_be_run_count() -> None:
    lines = {"b.py": {1: 1, 2: 0, 3: 7, 9: 0}, "a.py": {1: 0}, "c.py": {5: 1}}
    changed = {"b.py": {2, 3, 4}, "a.py": {1}, "c.py": {6}, "README.md": {1}}
    expected = (FileCoverage("a.py", (1,), (1,)), FileCoverage("b.py", (2, 3), (2,)))
    assert of_change(lines, changed) == expected
    assert of_change({}, changed) == of_change(lines, {}) == ()


def git(root: Path, *words: str) -> bytes:
    settings = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.quotePath=false")
    return subprocess.run(("git", *settings, *words), cwd=root, check=True, capture_output=True).stdout


def patch(root: Path, before: Mapping[str, bytes], after: Mapping[str, bytes], *words: str) -> bytes:
    root.mkdir()
    git(root, "init", "-q")
    for files in (before, after):
        for path in root.iterdir():
            if path.name != ".git":
                path.unlink()
        for name, text in files.items():
            (root / name).write_bytes(text)
        git(root, "add", "-A")
        git(root, "commit", "-qm", "x", "--allow-empty")
    return git(root, "diff", "-M", "--no-ext-diff", *words, "HEAD~", "HEAD")


LONG = b"".join(b"line %d\n" % number for number in range(40))


@pytest.mark.parametrize("words", [["-U0"], ["-U3"], ["-U0", "--binary"]])
def test_added_lines_of_what_git_writes(tmp_path: Path, words: list[str]) -> None:
    before = {
        "edited.py": b"a\nb\nc\nd\n",
        "headers": b"x\n-- a/x\n",
        "deleted": b"a\n",
        "old": LONG,
        "moved": LONG + b"other\n",
        "binary": b"\0\1",
        "open": b"a\nno end",
        "two words": b"a\n",
    }
    after = {
        "edited.py": b"a\nB\nc\nd\ne\n",
        "headers": b"x\n++ b/forged\n@@ -1 +1,9 @@\n",
        "new": LONG.replace(b"line 7\n", b"line seven\nand more\n"),
        "moved again": LONG + b"other\n",
        "binary": b"\0\2" * 50,
        "open": b"a\nno end\nnone here",
        "two words": b"a\nb\n",
        'odd "name"\t\u00e4\n.py': b"x\r\n\r\ny\rz\n",
    }
    assert added_lines(patch(tmp_path / "r", before, after, *words)) == {
        "edited.py": {2, 5},
        "headers": {2, 3},
        "new": {8, 9},
        "open": {2, 3},
        "two words": {2},
        'odd "name"\t\u00e4\n.py': {1, 2, 3},
    }


def test_an_empty_context_line_without_its_blank_is_one() -> None:
    """As `diff.suppressBlankEmpty` has it."""
    assert added_lines(b"+++ b/a\n@@ -1,3 +1,4 @@\n x\n\n+y\n z\n@@ -9,0 +10 @@\n+w\n") == {"a": {3, 10}}


def test_a_change_that_nobody_could_read_is_refused() -> None:
    many = coverage.change.MOST_ADDED + 1
    with pytest.raises(CoverageError, match="adds more than 2,000,000 lines"):
        added_lines(b"+++ b/a\n@@ -0,0 +1,%d @@\n" % many + b"+\n" * many)


@given(
    st.lists(st.sampled_from([b"+", b"-", b" ", b"\\", b"@@ -1,2 +3,4 @@", b"+++ b/x", b'+++ "b/\\4', b"\n"]))
)
def test_no_patch_is_too_odd(parts: list[bytes]) -> None:
    assert all(min(lines) >= 0 for lines in added_lines(b"".join(parts)).values())
