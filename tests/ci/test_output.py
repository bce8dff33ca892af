"""What a job writes for its CI, and that strangers' words in the log are only words."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.ci import Annotation, Output
from ci_agent.ci.output import output

COMMANDS = st.sampled_from(
    [
        "::error::x",
        "::add-mask::y",
        "##[group]z",
        " ::stop-commands::a",
        "section_start:1:x\r\x1b[0K",
        "section_end:1:x\r\x1b[0K",
        "\r",
        "\x1b[0K",
        "::",
        "##",
        "[",
        "\n",
        "\u2028::error::x",
        "\x85##[error]",
    ]
)
TEXTS = st.lists(COMMANDS | st.text(max_size=8), max_size=12)


def is_command(line: str) -> bool:
    """Whether GitHub's runner takes a line of the log for a command: ActionCommand.TryParseV2 and TryParse."""
    return line.strip().startswith("::") or "##[" in line


def is_border(line: str) -> bool:
    """Whether GitLab takes a line for the border of a section."""
    return bool(re.search(r"section_(?:start|end):\d+:\w+\r\x1b\[0K", line))


@given(TEXTS)
def test_nothing_that_is_written_into_the_log_is_a_command_however_it_is_cut(texts: list[str]) -> None:
    for platform in ("github", "gitlab"):
        stream = io.StringIO()
        made = output({}, stream, platform)
        for text in texts:
            made.log.write(text)
            made.log.flush()
        made.log.write("\n")
        for line in re.split(r"\r\n|\r|\n", stream.getvalue()):
            assert not is_command(line)
            assert not is_border(line)
        assert "\x1b" not in stream.getvalue()


def test_what_is_harmless_stands_as_it_was_written() -> None:
    stream = io.StringIO()
    print("a::b # x [y] ü 🐛\tz", file=output({}, stream, "github").log)
    assert stream.getvalue() == "a::b # x [y] ü 🐛\tz\n"


@pytest.fixture
def github(tmp_path: Path) -> tuple[Output, io.StringIO, Path]:
    stream = io.StringIO()
    files = {"GITHUB_OUTPUT": str(tmp_path / "out"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    return output(files, stream, "github"), stream, tmp_path


@given(st.dictionaries(st.from_regex(r"[a-z][a-z-]{0,9}", fullmatch=True), st.text(), max_size=4))
def test_values_reach_later_steps_as_they_are(values: dict[str, str]) -> None:
    place = Path(os.environ.get("TMPDIR", "/tmp")) / f"ci-agent-output-{os.getpid()}"
    place.unlink(missing_ok=True)
    output({"GITHUB_OUTPUT": str(place)}, io.StringIO(), "github").values(values)
    lines = place.read_bytes().decode("utf-8").split("\n") if place.exists() else []
    found, number = {}, 0
    while number < len(lines) - 1:
        name, border = lines[number].split("<<")
        end = lines.index(border, number + 1)
        found[name] = "\n".join(lines[number + 1 : end])
        number = end + 1
    assert found == {name: value.encode("utf-8", "replace").decode("utf-8") for name, value in values.items()}
    place.unlink(missing_ok=True)


def test_a_value_can_not_end_itself_and_begin_another(github: tuple[Output, io.StringIO, Path]) -> None:
    made, _, folder = github
    made.values({"branch": "x\nEOF\nstatus=completed"})
    first, *rest = (folder / "out").read_text().splitlines()
    assert first.startswith("branch<<end-")
    assert rest == ["x", "EOF", "status=completed", first.partition("<<")[2]]


def test_a_summary_that_is_too_long_is_cut_and_says_so(github: tuple[Output, io.StringIO, Path]) -> None:
    made, _, folder = github
    made.summary("line\n" * 400_000)
    written = (folder / "summary").read_text()
    assert len(written) < 1_048_576
    assert written.endswith("line\n\n*Cut here: it was too long for this page.*\n\n")


def test_annotations_are_escaped_and_no_more_than_github_shows(
    github: tuple[Output, io.StringIO, Path],
) -> None:
    made, stream, _ = github
    odd = Annotation("a: b, c", "1 % of\nit\r::error::x", "tests/a,b.py", 7)
    made.annotate([odd, *[Annotation("t", "m")] * 20])
    lines = stream.getvalue().splitlines()
    assert lines[0] == "::error file=tests/a%2Cb.py,line=7,title=a%3A b%2C c::1 %25 of%0Ait%0D::error::x"
    assert lines[1:] == ["::error title=t::m"] * 9


def test_sections_and_masks_are_commands_of_their_own_lines(github: tuple[Output, io.StringIO, Path]) -> None:
    made, stream, _ = github
    with made.section("x", "A title"):
        made.log.write("no end of line")
        made.mask("se\ncret")
    assert stream.getvalue() == (
        "::group::A title\nno end of line\n::add-mask::se\n::add-mask::cret\n::endgroup::\n"
    )


def test_gitlab_gets_sections_and_one_line_per_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stream = io.StringIO()
    made = output({}, stream, "gitlab")
    with made.section("work", "A title"):
        made.annotate([Annotation("Test newly broken: x", "AssertionError", "tests/a.py", 7)])
    made.values({"status": "completed", "merge-request-url": "https://x/1\nCI_AGENT_STATUS=failed"})
    made.mask("secret")
    made.summary("# nothing to show it on")
    lines = stream.getvalue().split("\n")
    assert re.fullmatch(r"\x1b\[0Ksection_start:\d+:work\r\x1b\[0KA title", lines[0])
    assert lines[1] == "tests/a.py:7: Test newly broken: x: AssertionError"
    assert re.fullmatch(r"\x1b\[0Ksection_end:\d+:work\r\x1b\[0K", lines[2])
    assert (tmp_path / "report.env").read_text() == (
        "CI_AGENT_STATUS=completed\nCI_AGENT_MERGE_REQUEST_URL=https://x/1 CI_AGENT_STATUS=failed\n"
    )
