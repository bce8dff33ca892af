"""`ci-agent log`: a journal on the terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_agent.errors import UsageError
from ci_agent.job.log import Request, show
from ci_agent.journal import read
from ci_agent.journal.events import (
    Compacted,
    Fact,
    HarnessSaid,
    ModelReplied,
    SessionEnded,
    ToolAnswered,
    ToolCalled,
)
from ci_agent.task import Usage
from tests.support.recorded import ci_agent, environment, record, rewritten, written


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a session that was recorded once for all tests here: they only read it."""
    return record(tmp_path_factory.mktemp("recorded"))[1]


def _reply(step: int, text: str = "") -> ModelReplied:
    usage = Usage(prompt=1000, cached=900, completion=50, reasoning=20)
    return ModelReplied(step, "m", {"role": "assistant", "content": text}, "tool_calls", usage, 0.0125, 2.0)


def _printed(
    path: Path, capsys: pytest.CaptureFixture[str], steps: range | None = None, *, full: bool = False
) -> str:
    show(Request(path, steps, full))
    return capsys.readouterr().out


# --- what is shown ----------------------------------------------------------------------------------------


def test_the_whole_session_is_told(report: Path, tmp_path: Path) -> None:
    done = ci_agent("log", report, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout
    assert said.startswith("issue 1: add() subtracts\n")
    assert re.search(
        r"^  outcome     completed \(submitted\), exit code 0: 1 test fixed, none newly broken",
        said,
        re.MULTILINE,
    )
    assert re.search(
        r"^  used        4 steps; .*4,000 tokens in \(90 % cached\), 200 out \(80 reasoning\)$",
        said,
        re.MULTILINE,
    )
    assert re.search(
        r"^step 1 · \d\d:\d\d:\d\d · .* · 1,000 tokens in \(90 % cached\), 50 out", said, re.MULTILINE
    )
    assert "\nI look first.\n" in said
    assert "\n▸ read_file  calculator.py\n  ✓ read_file, 0 s\n  │ def add(a, b):\n" in said
    assert "\n▸ bash\n  │ ls; pwd; date\n" in said
    assert (
        "▸ edit_file  calculator.py\n  │ - no such text\n  │ + x\n  ✗ edit_file, 0 s\n  │ `old` is not in"
        in said
    )
    assert "tests run for the model: 2 passed" in said
    assert "  ✗ test_calculator.py::Calculator::test_add: AssertionError: -1 != 3\n" in said
    assert "round 1: Verified" in said
    assert "== completed after" in said


def test_a_session_folder_does_and_what_is_none_is_told(report: Path, tmp_path: Path) -> None:
    [session] = (report.parent / "state" / "sessions").iterdir()
    assert ci_agent("log", session, cwd=tmp_path).stdout == ci_agent("log", report, cwd=tmp_path).stdout
    done = ci_agent("log", report.parent, cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no journal" in done.stderr


def test_only_the_steps_that_are_wanted_are_shown(report: Path, tmp_path: Path) -> None:
    def shown(words: str) -> list[tuple[str, str]]:
        done = ci_agent("log", report, "--step", words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return re.findall(r"^step (\d+)|^\S+ (tests before|round 1)", done.stdout, re.MULTILINE)

    assert shown("2") == [("2", "")]
    assert shown("2-3") == [("2", ""), ("3", "")]
    assert shown("0") == [("", "tests before")]
    assert shown("4") == [("4", ""), ("", "round 1")]


@pytest.mark.parametrize("words", ["x", "3-2", "", "1-", "-1", "9", "1-2-3", "٣"])
def test_steps_that_are_none_are_told(words: str, report: Path, tmp_path: Path) -> None:
    done = ci_agent("log", report, f"--step={words}", cwd=tmp_path)
    assert done.returncode == 2
    assert "step" in done.stderr
    assert done.stdout == ""


def test_long_texts_are_cut_in_the_middle_unless_all_is_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"line {number}" for number in range(100)]
    answer = ToolAnswered(1, "c", "bash", ok=True, text="\n".join([*lines, "x" * 1000]), seconds=0.0)
    journal = written(tmp_path / "j.jsonl", [_reply(1), answer])
    said = _printed(journal, capsys)
    assert "line 19\n" in said
    assert "line 20\n" not in said
    assert "\n  │ … 73 lines left out, --full shows them\n  │ line 93\n" in said
    assert "x" * 501 not in said
    said = _printed(journal, capsys, full=True)
    assert all(f"│ {line}\n" in said for line in lines)
    assert "x" * 1000 in said


def test_an_edit_of_very_many_lines_is_shown_without_matching_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = ("\n".join(f"{word} {number % 100}" for number in range(20_000)) for word in ("a", "b"))
    edit = ToolCalled(
        1, "c", "edit_file", json.dumps({"path": "x", "old": f"{old}\nlast", "new": f"{new}\nlast"})
    )
    said = _printed(written(tmp_path / "j.jsonl", [_reply(1), edit]), capsys)
    assert "\n  │ - a 0\n" in said
    assert "\n  │ … 39,974 lines left out, --full shows them\n" in said
    assert said.endswith("  │ + b 99\n  │ + last\n")


def test_what_the_harness_adds_stands_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = ToolAnswered(
        1, "c", "bash", ok=True, text="ok\n\n[5 steps left]", seconds=0.0, added="\n\n[5 steps left]"
    )
    said = _printed(written(tmp_path / "j.jsonl", [_reply(1), answer, HarnessSaid("Go on.")]), capsys)
    assert "  │ ok\n  the harness adds:\n  │ [5 steps left]\nthe harness to the model:\n  │ Go on.\n" in said


@pytest.mark.parametrize(
    "message",
    [
        {"reasoning_content": "Hm, tabs."},
        {"reasoning": "Hm, tabs."},
        {"content": [{"type": "thinking", "thinking": "Hm, tabs."}, {"type": "text", "text": "Said."}]},
        {"anthropic": {"model": "m", "content": [{"type": "thinking", "thinking": "Hm, tabs."}]}},
        {"reasoning_details": [{"type": "reasoning.text", "text": "Hm, tabs."}]},
    ],
)
def test_recorded_reasoning_is_shown(
    message: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"role": "assistant", "content": "Said."} | message
    journal = written(tmp_path / "j.jsonl", [replace(_reply(1), message=said)])
    assert "\nreasoning:\n  │ Hm, tabs.\nSaid.\n" in _printed(journal, capsys)


def test_the_summary_of_a_shortened_conversation_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shortened = Compacted(2, 90_000, 8_000, 12, summary="Goal: add() adds.\nNext: submit.")
    said = _printed(written(tmp_path / "j.jsonl", [_reply(1), shortened]), capsys)
    assert (
        "the conversation had 90,000 tokens, now 8,000: summed up\n  │ Goal: add() adds.\n  │ Next: submit.\n"
        in said
    )


def test_another_model_and_an_odd_end_of_a_reply_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strong = replace(_reply(2), model="strong", finish_reason="length", cost=None)
    said = _printed(written(tmp_path / "j.jsonl", [_reply(1), strong]), capsys)
    assert re.search(r"^step 1 · m · .* · \$0.0125$", said, re.MULTILINE)
    assert re.search(r"^step 2 · strong · .* · no price known · ended by: length$", said, re.MULTILINE)


def test_a_session_that_did_not_end_is_told(
    report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def unended(fact: Fact) -> Iterator[Fact]:
        if not isinstance(fact, SessionEnded):
            yield fact

    said = _printed(rewritten(report / "session.jsonl", tmp_path / "j.jsonl", unended), capsys)
    assert re.search(
        r"^  outcome     not finished: the journal ends at \d\d:\d\d UTC, committing$", said, re.MULTILINE
    )


# --- where it is shown ------------------------------------------------------------------------------------


def _on_a_terminal(folder: Path, *words: str | Path, **variables: str) -> tuple[int, str]:
    """Exit code and all that came on a terminal of 80 columns."""
    main, other = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "ci_agent", "log", *map(str, words)],
        cwd=folder,
        env=environment(folder, TERM="xterm-256color", COLUMNS="80", LINES="24", **variables),
        stdin=other,
        stdout=other,
        stderr=other,
    ) as process:
        os.close(other)
        said = b""
        with contextlib.suppress(OSError):  # how Linux says that the other end was closed
            while part := os.read(main, 65536):
                said += part
        os.close(main)
    return process.returncode, said.decode().replace("\r\n", "\n")


def test_on_a_terminal_it_goes_through_the_pager_with_colours(report: Path, tmp_path: Path) -> None:
    code, said = _on_a_terminal(tmp_path, report, PAGER="sed s/^/P:/")
    assert code == 0
    assert said.startswith("P:\x1b[1missue 1: add() subtracts\x1b[0m\n")
    assert "\x1b[31m- " in said
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    assert all(len(line) <= len("P:") + 80 for line in plain.splitlines())
    assert re.search(
        r"^P:  outcome     completed .*\nP:              \S", plain, re.MULTILINE
    )  # wrapped beside its label


def test_a_pager_that_ends_early_is_no_error(report: Path, tmp_path: Path) -> None:
    assert _on_a_terminal(tmp_path, report, "--full", PAGER="head -n 1")[0] == 0


def test_plain_is_plain_on_a_terminal_too(report: Path, tmp_path: Path) -> None:
    code, said = _on_a_terminal(tmp_path, report, "--plain", PAGER="false")
    assert code == 0
    assert "\x1b" not in said
    assert said == ci_agent("log", report, cwd=tmp_path).stdout


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    answer = ToolAnswered(1, "c", "bash", ok=True, text="word " * 10_000, seconds=0.0)
    journal = written(tmp_path / "j.jsonl", [_reply(1), *[answer] * 200])
    done = subprocess.run(
        [
            "bash",
            "-c",
            'set -o pipefail; "$@" | head -n 1',
            "-",
            sys.executable,
            "-m",
            "ci_agent",
            "log",
            journal,
        ],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL),
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk_is_told(report: Path, tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ci_agent", "log", report],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"ci-agent: the journal can't be shown: No space left on device\n"


def test_a_terminal_that_knows_few_characters_gets_others(report: Path, tmp_path: Path) -> None:
    done = ci_agent("log", report, cwd=tmp_path, variables={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "? read_file  calculator.py" in done.stdout


# --- any journal ------------------------------------------------------------------------------------------


def test_a_large_journal_is_not_held_in_memory(tmp_path: Path) -> None:
    answer = ToolAnswered(1, "c", "bash", ok=True, text="some words\n" * 5_000, seconds=0.0)
    journal = written(tmp_path / "j.jsonl", [_reply(1), *[answer] * 120])
    assert journal.stat().st_size > 6_000_000
    tracemalloc.start()
    try:
        show(Request(journal, plain=True))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b'{"v":1', "is empty"),
        (b"{}\n", "is not an event"),
        (b"\xff\n", "is not an event"),
    ],
)
def test_what_is_no_journal_is_told(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "session.jsonl").write_bytes(content)
    done = ci_agent("log", tmp_path, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1), damage=st.binary(max_size=5))
def test_a_journal_cut_off_or_damaged_anywhere_is_shown_or_refused(
    share: float, damage: bytes, report: Path, tmp_path: Path
) -> None:
    whole = (report / "session.jsonl").read_bytes()
    at = int(len(whole) * share)
    cut, damaged = tmp_path / "cut.jsonl", tmp_path / "damaged.jsonl"
    cut.write_bytes(whole[:at])
    damaged.write_bytes(whole[:at] + damage + whole[at + len(damage) :])
    if b"\n" in whole[:at]:
        show(Request(cut, plain=True))
    with contextlib.suppress(UsageError):
        show(Request(damaged, plain=True))


_ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.sampled_from(["bash", "edit_file", "update_plan", "submit"]) | st.text()
_ARGUMENTS = st.text() | st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("path", "command", "old", "new", "old_str", "new_str", "steps"), _ANYTHING),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    message=st.dictionaries(
        st.sampled_from(["content", "reasoning", "reasoning_content", "reasoning_details", "anthropic"]),
        _ANYTHING,
    ),
    name=_NAMES,
    arguments=_ARGUMENTS,
    text=st.text(),
    added=st.text(),
    full=st.booleans(),
)
def test_no_word_of_a_stranger_reaches_the_terminal_as_a_control_character(
    message: dict[str, object],
    name: str,
    arguments: object,
    text: str,
    added: str,
    full: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    as_text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    facts: list[Fact] = [
        replace(_reply(1, text), message=message, model=text, finish_reason=name),
        ToolCalled(1, text, name, as_text),
        ToolAnswered(1, text, name, ok=False, text=text + added, seconds=0.0, output=text, added=added),
        HarnessSaid(text),
    ]
    said = _printed(written(tmp_path / "j.jsonl", facts), capsys, full=full)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", said)


def test_what_is_shown_is_what_the_journal_says(report: Path, tmp_path: Path) -> None:
    """Each answer of a tool is there, whole, with `--full`."""
    said = ci_agent("log", report, "--full", cwd=tmp_path).stdout
    answers = [event.fact for event in read(report / "session.jsonl") if isinstance(event.fact, ToolAnswered)]
    assert len(answers) == 6
    for answer in answers:
        assert all(f"  │ {line.expandtabs()}".rstrip() in said for line in answer.text.splitlines())
