"""The `bash` tool with real commands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ci_agent.tools import World, all_tools, call
from tests.tools.conftest import Do, world_in


def without_seconds(text: str) -> str:
    head, _, end = text.rpartition("[exit ")
    return f"{head}[exit {end.partition(',')[0]}]" if end else text


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("echo hello", "hello\n[exit 0]"),
        ("echo out; echo err >&2; exit 3", "out\nerr\n[exit 3]"),
        ("printf 'no line end'", "no line end\n[exit 0]"),
        ("true", "[exit 0]"),
        ("printf '\\033[31mred\\033[0m\\n1%%\\r2%%\\n\\377\\n'", "red\n2%\n\ufffd\n[exit 0]"),
        ("cd / && true", "[exit 0]"),
        ("pwd | xargs basename", "workspace\n[exit 0]"),
    ],
)
def test_the_answer_is_the_output_and_the_exit_code(command: str, text: str, do: Do, world: World) -> None:
    answer = do("bash", command=command)
    assert answer.ok
    assert without_seconds(answer.text) == text
    assert not answer.output
    assert not list(world.outputs.iterdir())


def test_a_command_that_takes_too_long_is_ended_and_its_output_shown(do: Do) -> None:
    answer = do("bash", command="echo started; sleep 60", timeout=1)
    assert not answer.ok
    assert answer.text == (
        "started\n[ended after 1 s: time-out; give a longer `timeout` (up to 600), or run less at once]"
    )


def test_a_command_that_does_not_listen_is_ended_too(do: Do, world: World) -> None:
    world.sandbox.grace = 0.1  # type: ignore[attr-defined]
    answer = do("bash", command="trap '' TERM; echo started; while :; do sleep 0.05; done", timeout=1)
    assert answer.text.startswith("started\n[ended after 1 s: time-out; ")


@pytest.mark.parametrize("command", ["python3", "cat", 'read name; echo "[$name]"', "python3 -c 'input()'"])
def test_a_program_that_waits_for_input_ends_at_once(command: str, do: Do) -> None:
    assert "[exit " in do("bash", command=command, timeout=10).text


@pytest.mark.parametrize("command", ["cd src", " cd src; ", "cd"])
def test_a_change_of_folder_alone_is_told_to_be_none(command: str, do: Do) -> None:
    answer = do("bash", command=command)
    assert not answer.ok
    assert "so this alone changes nothing" in answer.text
    assert f"cd {'src' if 'src' in command else '.'} && ls" in answer.text


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-program", "[127: a command was not found]"),
        ("touch x; ./x", "[126: it is there, but can't be executed]"),
        ("kill -KILL $$", "[137: killed, SIGKILL; often memory ran out]"),
        ("kill -SEGV $$", "[139: segmentation fault, SIGSEGV]"),
    ],
)
def test_an_exit_code_with_a_meaning_is_explained(command: str, said: str, do: Do) -> None:
    assert do("bash", command=command).text.endswith(said)


def test_no_command_outlives_the_session(tmp_path: Path) -> None:
    answer = call("bash", '{"command": "sleep 60"}', all_tools(), world_in(tmp_path, remaining=0.2))
    assert answer.text == "[ended after 0 s: time-out, all the session had left]"


def test_nothing_is_started_when_the_time_is_used_up(tmp_path: Path) -> None:
    world = world_in(tmp_path, remaining=0)
    assert "time is used up" in call("bash", '{"command": "touch x"}', all_tools(), world).text
    assert not (world.root / "x").exists()


def test_what_is_left_running_is_ended_and_said(do: Do) -> None:
    assert do("bash", command="sleep 60 &").text.endswith(
        "\n[processes it left running were ended; use them within the command that starts them]"
    )


def test_long_output_shows_both_ends_and_can_be_paged_where_the_answer_says(do: Do, world: World) -> None:
    answer = do("bash", command="seq 1 100000")
    assert len(answer.text) < 16_200
    assert answer.text.startswith("1\n2\n3\n")
    assert "\n99999\n100000\n[exit 0, " in answer.text
    assert answer.output == "1.txt"
    assert (world.outputs / answer.output).read_text().count("\n") == 100_000
    path = answer.text.partition("whole output: ")[2].partition(" (look at parts with read_file)")[0]
    page = do("read_file", path=path, start=50_000, end=50_001)
    assert page.text.startswith("50000\n50001\n")
    assert without_seconds(do("bash", command=f'wc -l < "{path}"').text) == "100000\n[exit 0]"
    assert do("bash", command="seq 1 100000").output == "2.txt"


@pytest.mark.parametrize("command", ["", "  \n"])
def test_nothing_to_run_is_said(command: str, do: Do) -> None:
    assert do("bash", command=command).text.startswith("There is no command to run.")


@pytest.mark.parametrize("command", ["echo a\0b", "echo " + "x" * 3_000_000])
def test_a_command_no_shell_can_take_is_an_answer(command: str, do: Do) -> None:
    answer = do("bash", command=command)
    assert "can't be run: " in answer.text
    assert "\n[exit 126, " in answer.text


def test_a_workspace_that_was_removed_is_an_answer(do: Do, world: World) -> None:
    assert do("bash", command=f"rm -rf '{world.root}'").ok
    assert "there is no folder" in do("bash", command="ls").text
    assert not do("read_file", path="a.txt").ok
    assert not do("write_file", path="a.txt", content="x").ok
    assert not do("search", pattern="x").ok


def test_a_hundred_megabytes_are_answered_without_loading_them(tmp_path: Path) -> None:
    program = f"""
import json, resource
from pathlib import Path
from ci_agent.tools import all_tools, call
from tests.tools.conftest import world_in
world = world_in(Path({str(tmp_path)!r}))
def do(name, **arguments):
    return call(name, json.dumps(arguments), all_tools(), world)
do("bash", command="seq 1 50000")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
answer = do("bash", command="yes 0123456 | head -c 100000000")
page = do("read_file", path="$AGENT_OUTPUTS/2.txt", start=10_000_000)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps([len(answer.text), page.text[:8], grown]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    length, page, grown = json.loads(done.stdout)
    assert length < 16_200
    assert page == "0123456\n"
    assert grown < 20_000  # kilobytes


@pytest.mark.parametrize("rows", [1, 100_000])
def test_a_link_in_the_place_of_the_outputs_leads_nowhere(rows: int, do: Do, world: World) -> None:
    victim = world.root.parent / "victim"
    victim.mkdir()
    (victim / "1.txt").write_text("theirs")
    script = f'seq {rows}; rm -rf "$AGENT_OUTPUTS"; ln -s "{victim}" "$AGENT_OUTPUTS"'
    first = do("bash", command=script)
    assert first.text.startswith("1\n")
    assert "theirs" not in first.text
    assert not do("read_file", path="$AGENT_OUTPUTS/1.txt").ok
    assert without_seconds(do("bash", command="echo hello").text) == "hello\n[exit 0]"
    assert do("search", pattern="x").ok
    assert do("bash", command="seq 1 100000").output == "1.txt"
    assert [path.name for path in victim.iterdir()] == ["1.txt"]
    assert (victim / "1.txt").read_text() == "theirs"


@pytest.mark.parametrize(
    "instead", ["", 'mkdir "$AGENT_OUTPUTS/1.txt"', 'ln -s /etc/hostname "$AGENT_OUTPUTS/1.txt"']
)
def test_an_output_that_the_command_removed_is_shown_all_the_same(instead: str, do: Do) -> None:
    answer = do("bash", command=f'echo hello; rm "$AGENT_OUTPUTS/1.txt"; {instead}')
    assert without_seconds(answer.text) == "hello\n[exit 0]"
