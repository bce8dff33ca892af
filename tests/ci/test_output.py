"""What a job writes for its CI, and that strangers' words in the log are only words."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.ci import Annotation, Output
from ci_agent.ci.output import DOTENV_BYTES, LISTED, LONGEST_LINE, SUMMARY_BYTES, QuietLog, output
from ci_agent.guard import Guard
from tests.support.ci_logs import BORDER, NAMES, Command, carried_out, lines, parsed

PIECES = st.sampled_from(
    [
        *(f"::{name}" for name in sorted(NAMES)),
        *(f"##[{name}" for name in sorted(NAMES)),
        *(
            "::error::x",
            "##[group]z",
            "] ",
            " file=a,line=1",
            "::",
            ":",
            "##",
            "#",
            "[",
            "]",
            " ",
            "\t",
            "\u3000",
        ),
        *(
            "section_start:1:x\r\x1b[0K",
            "section_end:1:x[collapsed=true]\r\x1b[0K",
            "section_",
            "start:",
            "1:x",
        ),
        *(
            "\r",
            "\n",
            "\r\n",
            "\x1b[0K",
            "\x1b",
            "\x9b",
            "\x85",
            "\u2028",
            "\xad",
            "\u200d",
            "\ufeff",
            "\ud800",
            "\x00",
        ),
    ]
)
CHUNKS = st.lists(PIECES | st.text(max_size=8), max_size=16)
Made = tuple[Output, io.StringIO, Path]


@given(CHUNKS, st.booleans())
def test_nothing_that_is_written_into_the_log_is_a_command_however_it_is_cut(
    chunks: list[str], flushed: bool
) -> None:
    stream = io.StringIO()
    log = QuietLog(stream, Guard())
    for chunk in chunks:
        log.write(chunk)
        if flushed:
            log.flush()
    log.finish()
    assert not [line for line in lines(stream.getvalue()) if parsed(line, NAMES)]
    assert not BORDER.search(stream.getvalue())
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]|section_(?:start|end):", stream.getvalue())


@given(CHUNKS)
def test_what_gets_past_the_log_on_github_is_no_command_either(chunks: list[str]) -> None:
    """As an error of this process does, which is printed beside the log."""
    stream = io.StringIO()
    made = output({}, stream, "github", Guard())
    stream.write("".join(chunks) + "\n")
    made.mask("s3cret")
    stream.write("".join(chunks) + "\n")
    assert carried_out(stream.getvalue()) == [Command("add-mask", "s3cret")]


def test_what_is_harmless_stands_as_it_was_written() -> None:
    stream = io.StringIO()
    print("a::b # x [y] ü 🐛\tz ## h section_one", file=QuietLog(stream, Guard()))
    assert stream.getvalue() == "a::b # x [y] ü 🐛\tz ## h section_one\n"


def test_half_a_line_waits_for_its_end_but_not_for_ever() -> None:
    stream = io.StringIO()
    log = QuietLog(stream, Guard())
    log.write("::err")
    log.flush()
    assert stream.getvalue() == ""
    log.write("or::x")
    log.close()
    assert stream.getvalue() == ": :error::x\n"
    endless = QuietLog(stream, Guard())
    for _ in range(LONGEST_LINE):
        endless.write("12345")
    assert stream.getvalue().count("\n") == 5
    assert not stream.closed


def test_a_log_that_has_no_such_signs_gets_others() -> None:
    bytes_ = io.BytesIO()
    stream = io.TextIOWrapper(bytes_, encoding="ascii")
    print("fünf\ud800", file=QuietLog(stream, Guard()), flush=True)
    assert bytes_.getvalue() == b"f?nf?\n"


# --- GitHub -----------------------------------------------------------------------------------------------


@pytest.fixture
def github(tmp_path: Path) -> Made:
    stream = io.StringIO()
    files = {"GITHUB_OUTPUT": str(tmp_path / "out"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    return output(files, stream, "github", Guard()), stream, tmp_path


def read_values(text: str) -> dict[str, str]:
    """What the runner reads from GITHUB_OUTPUT (src/Runner.Worker/FileCommandManager.cs)."""
    rows, found, number = text.split("\n"), {}, 0
    while number < len(rows) - 1:
        name, border = rows[number].split("<<")
        end = rows.index(border, number + 1)
        found[name] = "\n".join(rows[number + 1 : end])
        number = end + 1
    return found


@given(st.dictionaries(st.from_regex(r"[a-z][a-z-]{0,9}", fullmatch=True), st.text(), max_size=4))
def test_values_reach_later_steps_as_they_are(values: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "out"
        made = output({"GITHUB_OUTPUT": str(place)}, io.StringIO(), "github", Guard())
        made.values(values)
        made.values({"last": "1"})
        assert read_values(place.read_bytes().decode()) == values | {"last": "1"}


def test_a_value_can_not_end_itself_and_begin_another(github: Made) -> None:
    made, _, folder = github
    made.values({"branch": "x\nEOF\nstatus=completed"})
    first, *rest = (folder / "out").read_text().splitlines()
    assert first.startswith("branch<<end-")
    assert rest == ["x", "EOF", "status=completed", first.partition("<<")[2]]


@pytest.mark.parametrize("sign", ["x", "ü"])
def test_a_summary_that_is_too_long_is_cut_and_says_so(tmp_path: Path, sign: str) -> None:
    file = tmp_path / "summary"
    file.write_text("of an earlier command\n")  # of the same step, before us
    made = output({"GITHUB_STEP_SUMMARY": str(file)}, io.StringIO(), "github", Guard())
    made.summary(f"{sign * 4}\n" * 400_000)
    written = file.read_bytes()
    assert SUMMARY_BYTES - 20 < len(written) <= SUMMARY_BYTES
    assert written.decode().startswith(
        "of an earlier command\n*This is cut, it is too long for this page.*\n\n"
    )
    assert set(written.decode().splitlines()[3:]) == {sign * 4}


def test_a_file_of_the_ci_that_is_not_there_is_told_and_stops_nothing(tmp_path: Path) -> None:
    stream = io.StringIO()
    gone = str(tmp_path / "gone" / "file")
    made = output({"GITHUB_OUTPUT": gone, "GITHUB_STEP_SUMMARY": gone}, stream, "github", Guard())
    made.values({"status": "completed"})
    made.summary("# Done")
    assert stream.getvalue().count("a file of the CI, can't be written: No such file or directory.") == 2


def test_annotations_are_escaped_and_no_more_than_github_shows(github: Made) -> None:
    made, stream, _ = github
    odd = Annotation("a: b, c%3A", "1 % of\nit\r::error::x", "tests/a,b.py", 7)
    made.annotate([odd, *[Annotation("t", "m")] * 8])
    made.annotate(
        [*[Annotation("t", "m")] * 2, *[Annotation("u", "not\n::error::shown", "a.py")] * (LISTED + 3)]
    )
    place = {"file": "tests/a,b.py", "line": "7", "title": "a: b, c%3A"}
    assert carried_out(stream.getvalue()) == [
        Command("error", "1 % of\nit\r::error::x", place),
        *[Command("error", "m", {"title": "t"})] * 9,
    ]
    assert stream.getvalue().count("t: m\n") == 1
    assert stream.getvalue().count("a.py: u: not ::error::shown\n") == LISTED - 1
    assert "… and 4 more; the JUnit report has all of them.\n" in stream.getvalue()


def test_sections_and_masks_are_commands_of_their_own_lines(github: Made) -> None:
    made, stream, _ = github
    with made.section("x", "A title"):
        made.log.write("no end of line")
        made.mask("se%\n\ncret\n")
    masks = [Command("add-mask", "se%"), Command("add-mask", "cret")]
    assert carried_out(stream.getvalue()) == [Command("group", "A title"), *masks, Command("endgroup", "")]
    assert "\nno end of line\n" in stream.getvalue()


def test_no_two_tokens_that_stop_commands_are_the_same(github: Made) -> None:
    made, stream, _ = github
    for number in range(3):
        made.mask(f"secret {number}")
    tokens = re.findall(r"::stop-commands::(.+)", stream.getvalue())
    assert len(set(tokens)) == 4
    assert lines(stream.getvalue())[-2] == f"::stop-commands::{tokens[-1]}"


# --- GitLab -----------------------------------------------------------------------------------------------


@pytest.fixture
def gitlab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.chdir(tmp_path)
    stream = io.StringIO()
    return output({}, stream, "gitlab", Guard()), stream, tmp_path


def test_gitlab_gets_sections_and_findings_in_its_log(gitlab: Made) -> None:
    made, stream, _ = gitlab
    with made.section("work", "A \x1b[0Ktitle"):
        made.log.write("section_end:1:work\r\x1b[0Kforged")
        made.annotate([Annotation("Test newly broken: x", "Assertion\nError", "tests/a.py", 7)])
        made.annotate([Annotation("Test no longer run: y", "removed", "tests/a.py"), Annotation("z", "m")])
    made.mask("secret")
    made.summary("# nothing to show it on")
    assert [match.group(1, 3) for match in re.finditer(BORDER, stream.getvalue())] == [
        ("start", "work"),
        ("end", "work"),
    ]
    assert re.sub(BORDER, "", stream.getvalue()).replace("\x1b[0K", "").split("\n")[:-1] == [
        "A [0Ktitle",
        "section end:1:work[0Kforged",
        "tests/a.py:7: Test newly broken: x: Assertion Error",
        "tests/a.py: Test no longer run: y: removed",
        "z: m",
        "",
    ]
    assert "secret" not in stream.getvalue()


def read_dotenv(text: str) -> dict[str, str]:
    """What GitLab reads from a dotenv report (app/services/ci/parse_dotenv_artifact_service.rb)."""
    found = {}
    for line in text.split("\n")[:-1]:
        match = re.match(r"(.*?)=(.*)$", line)
        assert match, f"GitLab refuses the whole report for {line!r}"
        found[match[1].strip()] = match[2].strip()
    return found


@given(
    st.dictionaries(st.sampled_from(["status", "branch", "merge-request-url", "cost"]), st.text() | PIECES)
)
def test_a_value_is_one_line_of_the_report_whatever_is_in_it(values: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.chdir(folder)
        output({}, io.StringIO(), "gitlab", Guard()).values(values)
        text = Path("report.env").read_bytes().decode()
    assert text.count("\n") == len(values)
    assert set(read_dotenv(text)) == {"CI_AGENT_" + name.upper().replace("-", "_") for name in values}


def test_values_of_gitlab_are_those_that_were_said_last(gitlab: Made) -> None:
    made, _, folder = gitlab
    (folder / "report.env").write_text("# of the repository itself\n\n")
    made.values({"status": "failed", "branch": "feat/ai-task-1"})
    made.values({"status": "completed", "merge-request-url": "https://x/1\nCI_AGENT_STATUS=failed"})
    assert (folder / "report.env").read_text() == (
        "CI_AGENT_STATUS=completed\nCI_AGENT_BRANCH=feat/ai-task-1\n"
        "CI_AGENT_MERGE_REQUEST_URL=https://x/1 CI_AGENT_STATUS=failed\n"
    )


def test_a_value_without_room_in_the_report_does_not_cost_the_others(gitlab: Made) -> None:
    made, stream, folder = gitlab
    made.values({"status": "completed", "issues": "1, " * DOTENV_BYTES, "cost": "0.1"})
    assert (folder / "report.env").read_text() == "CI_AGENT_STATUS=completed\nCI_AGENT_COST=0.1\n"
    assert stream.getvalue() == "CI_AGENT_ISSUES is too long for report.env and left out.\n"


@pytest.mark.parametrize(
    "line", ["\ufe0f::error::x", ":\U000e0041:error::x", "a #\u3164#[error]x", "\u034f\u115f::add-mask::x"]
)
def test_characters_that_the_runner_looks_past_hide_no_command(line: str) -> None:
    stream = io.StringIO()
    log = QuietLog(stream, Guard())
    log.write(f"{line}\n")
    assert stream.getvalue().startswith((": :", "a # #["))
