"""What can go wrong outside of us: each has a clear error or a defined end, and nothing of the person is lost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import venv
from collections.abc import Sequence
from pathlib import Path

import pytest

from ci_agent.journal import read
from ci_agent.journal.events import (
    ModelRetried,
    Moment,
    StatusChanged,
    TestsRan,
    ToolAnswered,
    Warned,
)
from ci_agent.task import Ending, Status
from tests.support.git_server import git_server
from tests.support.jobs import BRANCH, FIX, SOLVE, SUBMIT, Runner, calculator, last_results
from tests.support.model_server import Fault, Hang, ModelServer, Request, Reset, Say, Step
from tests.support.repositories import Repository, make_repository

pytestmark = pytest.mark.slow


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


# --- the call and the repository --------------------------------------------------------------------------


def _no_repository(folder: Path) -> tuple[Path, Sequence[str]]:
    (folder / "plain").mkdir()
    return folder / "plain", ()


def _no_commit(folder: Path) -> tuple[Path, Sequence[str]]:
    return make_repository(folder / "empty").path, ()


def _no_base(folder: Path) -> tuple[Path, Sequence[str]]:
    return calculator(folder).path, ("--base", "develop")


def _no_branch_name(folder: Path) -> tuple[Path, Sequence[str]]:
    return calculator(folder).path, ("--branch", "no spaces please")


def _the_base_itself(folder: Path) -> tuple[Path, Sequence[str]]:
    return calculator(folder).path, ("--branch", "main")


def _checked_out(folder: Path) -> tuple[Path, Sequence[str]]:
    repository = calculator(folder)
    repository.git("checkout", "--quiet", "-b", BRANCH)
    return repository.path, ("--base", "main", "--branch", BRANCH)


def _no_room(folder: Path) -> tuple[Path, Sequence[str]]:
    repository = calculator(folder)
    repository.git("branch", "feat")
    return repository.path, ()


def _wrong_setting(folder: Path) -> tuple[Path, Sequence[str]]:
    return calculator(folder, {".ci-agent.yml": "limits:\n  max_cots: 1\n"}).path, ()


def _no_recording(folder: Path) -> tuple[Path, Sequence[str]]:
    return calculator(folder).path, ("--model", "replay:nowhere.jsonl")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (_no_repository, "is not in a git repository"),
        (_no_commit, "has no commit yet"),
        (_no_base, "there is no base branch 'develop' here; there is: main"),
        (_no_branch_name, "a branch name that git accepts is wanted"),
        (_the_base_itself, "main is the base branch"),
        (_checked_out, "is checked out in"),
        (_no_room, "there can be no branch feat/ai-task-1 beside the branch feat"),
        (_wrong_setting, ".ci-agent.yml:2: "),
        (_no_recording, "nowhere.jsonl"),
    ],
)
def test_what_cannot_begin_says_why_and_exits_with_2(
    runner: Runner, tmp_path: Path, make: object, expected: str
) -> None:
    assert callable(make)
    path, words = make(tmp_path)
    with ModelServer(SOLVE) as server:
        job = runner.run(path, *words, server=server)
        assert server.requests == []
    assert job.exit_code == 2
    assert job.stderr.startswith("ci-agent: ")
    assert expected in job.stderr
    assert "Traceback" not in job.stderr
    assert job.events == ()


def test_neither_a_description_nor_an_issue_is_a_usage_error(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path)
    job = runner.run(repository.path, "-d", "  ")
    assert (job.exit_code, job.events) == (2, ())
    assert "the description is empty" in job.stderr


# --- tests ------------------------------------------------------------------------------------------------


def test_a_test_command_that_does_not_exist_ends_it_before_any_money_is_spent(
    runner: Runner, tmp_path: Path
) -> None:
    with ModelServer(SOLVE) as server:
        job = runner.run(calculator(tmp_path).path, "--test", "no-such-runner --all", server=server)
        assert server.requests == []
    assert job.exit_code == 1
    assert job.end.ending is Ending.ENVIRONMENT
    assert "no-such-runner" in job.end.sentence
    assert "`verification.test`" in job.end.sentence


def test_a_failing_set_up_ends_it_before_any_money_is_spent(runner: Runner, tmp_path: Path) -> None:
    with ModelServer(SOLVE) as server:
        job = runner.run(calculator(tmp_path).path, "--setup", "echo no network; exit 7", server=server)
        assert server.requests == []
    assert job.exit_code == 1
    assert "`echo no network; exit 7` failed with exit code 7: no network." in job.end.sentence
    assert "logs/setup.log" in job.end.sentence
    assert "no network" in (job.report / "logs" / "setup.log").read_text()


def test_a_command_line_that_pytest_refuses_ends_it_before_any_money_is_spent(
    runner: Runner, tmp_path: Path
) -> None:
    with ModelServer(SOLVE) as server:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        job = runner.run(
            calculator(tmp_path).path, "--test", "python -m pytest nowhere", server=server, PATH=path
        )
        assert server.requests == []
    assert (job.exit_code, job.end.ending) == (1, Ending.ENVIRONMENT)
    assert "file or directory not found: nowhere" in job.end.sentence


def test_a_python_that_commands_may_not_read_is_named_with_the_remedy(runner: Runner, tmp_path: Path) -> None:
    venv.create(tmp_path / "elsewhere")  # which nothing on PATH leads to
    python = tmp_path / "elsewhere" / "bin" / "python"
    with ModelServer(SOLVE) as server:
        job = runner.run(calculator(tmp_path).path, "--test", f"{python} -m pytest", server=server)
        assert server.requests == []
    assert (job.exit_code, job.end.ending) == (1, Ending.ENVIRONMENT)
    assert f"it could not open {python}" in job.end.sentence
    assert "`sandbox.readable`" in job.end.sentence


def test_tests_that_hang_are_ended_and_prove_nothing(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path, {"test_hang.py": "import time\ntime.sleep(1000)\n"})
    with ModelServer(SOLVE) as server:
        job = runner.run(
            repository.path,
            server=server,
            CI_AGENT_VERIFICATION_TIMEOUT="0.02",
            CI_AGENT_LIMITS_MAX_VERIFICATIONS="1",
        )
    assert job.exit_code == 1
    assert job.end.ending is Ending.UNVERIFIED
    assert [ran.timed_out for ran in job.facts(TestsRan)] == [True, True]
    assert "draft: true" in job.merge_requests()[0]
    assert "a + b" in repository.show(BRANCH, "calculator.py")


@pytest.mark.slow
def test_a_hundred_megabytes_of_test_output_are_borne(runner: Runner, tmp_path: Path) -> None:
    flood = "head -c 100000000 /dev/zero | tr '\\0' 'x'; python -m unittest"
    with ModelServer([Say(calls=[FIX, ("run_tests", {})]), Say(calls=[SUBMIT])]) as server:
        job = runner.run(calculator(tmp_path).path, "--test", flood, server=server)
        assert all(len(result) < 50_000 for result in last_results(server.requests[1].body))
    assert job.exit_code == 0
    assert (job.report / "session.jsonl").stat().st_size < 1_000_000
    assert (job.report / "junit.xml").stat().st_size < 1_000_000


# --- the model --------------------------------------------------------------------------------------------


def _ended(runner: Runner, tmp_path: Path, steps: Sequence[Step], **environment: str) -> tuple[int, Ending]:
    with ModelServer(steps) as server:
        job = runner.run(calculator(tmp_path).path, "--timeout", "5", server=server, prefix=(), **environment)
    return job.exit_code, job.end.ending


def test_a_wrong_key_is_an_authentication_error(runner: Runner, tmp_path: Path) -> None:
    with ModelServer(SOLVE) as server:
        job = runner.run(calculator(tmp_path).path, server=server, OPENAI_API_KEY="sk-wrong-0123456789")
    assert (job.exit_code, job.end.ending) == (3, Ending.LLM_AUTH)
    assert "sk-wrong" not in job.stdout + job.stderr + job.comment()


def test_no_key_is_said_before_anything_is_done_and_names_the_variable(
    runner: Runner, tmp_path: Path
) -> None:
    job = runner.run(calculator(tmp_path).path)
    assert (job.exit_code, job.events) == (3, ())
    assert "OPENAI_API_KEY" in job.stderr
    assert not (job.state / "local").exists()


def test_an_endpoint_that_is_down_is_tried_and_given_up(runner: Runner, tmp_path: Path) -> None:
    with ModelServer(SOLVE) as gone:
        pass
    job = runner.run(
        calculator(tmp_path).path, server=gone, CI_AGENT_MODEL_TRIES="2", CI_AGENT_MODEL_RETRY_WAIT="0.01"
    )
    assert (job.exit_code, job.end.ending) == (1, Ending.LLM_UNAVAILABLE)
    assert len(job.facts(ModelRetried)) == 1


def test_too_many_requests_for_ever_is_given_up_and_the_work_is_kept(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path)
    busy = Fault(429, {"error": {"message": "slow down"}}, {"Retry-After-Ms": "10"})
    with ModelServer([Say(calls=[FIX]), busy]) as server:
        job = runner.run(repository.path, server=server)
    assert (job.exit_code, job.end.ending) == (1, Ending.LLM_UNAVAILABLE)
    assert len(job.facts(ModelRetried)) == 7
    assert "a + b" in repository.show(BRANCH, "calculator.py")
    assert "draft: true" in job.merge_requests()[0]
    # Whoever takes over sees what the tests say of what is there.
    assert [ran.moment for ran in job.facts(TestsRan)][:2] == [Moment.BEFORE, Moment.AFTER]


def test_a_connection_that_breaks_is_tried_again(runner: Runner, tmp_path: Path) -> None:
    steps: list[Step] = [Reset(), Fault(502, "<html>"), *SOLVE]
    assert _ended(runner, tmp_path, steps, CI_AGENT_MODEL_RETRY_WAIT="0.01") == (0, Ending.SUBMITTED)


def test_empty_answers_for_ever_end_it(runner: Runner, tmp_path: Path) -> None:
    assert _ended(runner, tmp_path, [Say(text="")]) == (1, Ending.FORMAT)


def test_talk_without_calls_is_nudged_and_may_go_on(runner: Runner, tmp_path: Path) -> None:
    assert _ended(runner, tmp_path, [Say(text="I would fix it."), *SOLVE]) == (0, Ending.SUBMITTED)


def test_malformed_and_unknown_calls_are_answered_so_that_they_can_be_mended(
    runner: Runner, tmp_path: Path
) -> None:
    steps = [
        Say(
            calls=[("edit_file", '{"path": "calculator.py", "old": '), ("apply_magic", {}), ("read_file", {})]
        ),
        *SOLVE,
    ]
    with ModelServer(steps) as server:
        job = runner.run(calculator(tmp_path).path, server=server)
        broken, unknown, missing = last_results(server.requests[1].body)
    assert job.exit_code == 0
    assert "not valid JSON" in broken
    assert "There is no tool" in unknown
    assert "`path` is missing" in missing


def test_the_same_call_again_and_again_is_warned_of_and_then_ended(runner: Runner, tmp_path: Path) -> None:
    with ModelServer([Say(calls=[("bash", {"command": "ls"})])]) as server:
        job = runner.run(calculator(tmp_path).path, server=server)
    assert (job.exit_code, job.end.ending) == (1, Ending.STUCK)
    answers = [answer.text for answer in job.facts(ToolAnswered)]
    assert len(answers) == 5
    assert ["three times" in text for text in answers] == [False, False, True, False, False]


def test_two_calls_in_turn_for_ever_are_ended_too(runner: Runner, tmp_path: Path) -> None:
    def turn(request: Request) -> Step:
        count = sum(message["role"] == "assistant" for message in request.body["messages"])
        return Say(calls=[("bash", {"command": "ls" if count % 2 else "pwd"})])

    with ModelServer(turn) as server:
        job = runner.run(calculator(tmp_path).path, server=server)
    assert (job.exit_code, job.end.ending) == (1, Ending.STUCK)
    assert len(job.facts(ToolAnswered)) == 10


# --- limits -----------------------------------------------------------------------------------------------


def _different(request: Request) -> Step:
    count = len(request.body["messages"])
    return Say(calls=[("bash", {"command": f"echo {count} >> notes.txt"})])


def test_the_limit_of_steps_ends_it_with_a_draft_of_what_there_is(runner: Runner, tmp_path: Path) -> None:
    with ModelServer(_different) as server:
        job = runner.run(calculator(tmp_path).path, "--max-iterations", "10", server=server)
        warned = [
            index
            for index, request in enumerate(server.requests)
            if "[A limit comes near: 2 steps left." in str(last_results(request.body))
        ]
    assert (job.exit_code, job.end.ending) == (4, Ending.LIMIT_STEPS)
    assert len(server.requests) == 10
    assert warned == [8]
    assert "All 10 steps are used" in job.end.sentence
    assert "draft: true" in job.merge_requests()[0]


def test_the_limit_of_money_counts_what_the_model_costs(runner: Runner, tmp_path: Path) -> None:
    with ModelServer(_different) as server:
        job = runner.run(
            calculator(tmp_path).path,
            "--max-cost",
            "0.40",
            server=server,
            CI_AGENT_MODEL_PRICES_INPUT="100",
            CI_AGENT_MODEL_PRICES_OUTPUT="1000",
        )
    # 1,000 tokens in at 0.10 and 50 out at 0.05: 0.15 a step
    assert (job.exit_code, job.end.ending) == (4, Ending.LIMIT_COST)
    assert len(server.requests) == 3
    assert "$0.45 of the budget of $0.40" in job.end.sentence


def test_the_limit_of_time_ends_a_model_that_does_not_answer(runner: Runner, tmp_path: Path) -> None:
    with ModelServer([Say(calls=[FIX]), Hang()]) as server:
        job = runner.run(calculator(tmp_path).path, "--timeout", "0.05", server=server)
    assert (job.exit_code, job.end.ending) == (4, Ending.LIMIT_WALL)


def test_the_limit_of_tokens_holds_where_no_price_is_known(runner: Runner, tmp_path: Path) -> None:
    with ModelServer(_different) as server:
        job = runner.run(calculator(tmp_path).path, server=server, CI_AGENT_LIMITS_MAX_INPUT_TOKENS="2500")
    assert (job.exit_code, job.end.ending) == (4, Ending.LIMIT_TOKENS)
    assert len(server.requests) == 3


# --- handing over -----------------------------------------------------------------------------------------


def test_a_branch_that_somebody_moved_meanwhile_is_left_and_the_work_kept(
    runner: Runner, tmp_path: Path
) -> None:
    repository = calculator(tmp_path)
    theirs = ""

    def meanwhile(request: Request) -> Step:
        nonlocal theirs
        if len(request.body["messages"]) == 2:
            return SOLVE[0]
        if not theirs:
            repository.git("checkout", "--quiet", "-b", BRANCH)
            theirs = repository.commit({"theirs.txt": "mine\n"})
            repository.git("checkout", "--quiet", "main")
        return SOLVE[1]

    with ModelServer(meanwhile) as server:
        job = runner.run(repository.path, server=server)
    assert (job.exit_code, job.end.ending) == (1, Ending.ENVIRONMENT)
    assert "somebody else moved it" in job.end.sentence
    assert repository.git("rev-parse", BRANCH) == theirs
    assert job.merge_requests() == []
    assert "+    return a + b" in (job.report / "diff.patch").read_text()
    [kept] = job.state.glob("sessions/*/work/calculator/calculator.py")
    assert "a + b" in kept.read_text()
    assert any("kept in" in warned.text for warned in job.facts(Warned))


def test_a_push_that_is_refused_leaves_branch_and_merge_request_and_says_so(
    runner: Runner, tmp_path: Path
) -> None:
    repository = calculator(tmp_path)
    (tmp_path / "srv").mkdir()
    with git_server(tmp_path / "srv") as git, ModelServer(SOLVE) as server:
        repository.git("remote", "add", "origin", git.url("x.git", user="oauth2", password="wr0ng"))
        job = runner.run(repository.path, "--push", server=server)
    assert (job.exit_code, job.end.ending) == (3, Ending.ENVIRONMENT)
    assert "does not let us in" in job.end.sentence
    assert "wr0ng" not in job.stdout + job.stderr + job.comment()
    assert "a + b" in repository.show(BRANCH, "calculator.py")
    assert len(job.merge_requests()) == 1


def test_a_folder_that_holds_no_report_is_not_written_over(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path)
    with ModelServer(SOLVE) as server:
        job = runner.run(repository.path, "--output-dir", str(repository.path), server=server)
    assert (job.exit_code, job.events) == (2, ())
    assert "holds other things than a report" in job.stderr


def test_a_push_without_a_remote_says_so_at_once(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path)
    with ModelServer(SOLVE) as server:
        job = runner.run(repository.path, "--push", server=server)
        assert server.requests == []
    assert (job.exit_code, job.events) == (2, ())
    assert "no remote called origin" in job.stderr


# --- being stopped ----------------------------------------------------------------------------------------


def _interrupted(
    runner: Runner, repository: Repository, steps: Sequence[Step], number: int, after: str, *words: str
) -> tuple[int, Path]:
    """Start a job, signal it as soon as its JSON lines show `after`, twice as `timeout` does, wait for the end."""
    with (
        ModelServer(steps) as server,
        subprocess.Popen(
            runner.command(repository.path, "--json", *words),
            env=runner.environment(server),
            cwd=runner.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        assert process.stdout is not None
        guard = threading.Timer(60, process.kill)
        guard.start()
        for line in process.stdout:
            if after.encode() in line:
                process.send_signal(number)
                process.send_signal(number)
                break
        process.stdout.read()
        guard.cancel()
        return process.wait(), next((runner.folder / "state" / "sessions").glob("*/session.jsonl"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(
    ("steps", "after"),
    [
        ([Say(calls=[FIX]), Say(calls=[("bash", {"command": "sleep 1000 & sleep 1000"})])], '"name":"bash"'),
        ([Say(calls=[FIX]), Hang()], '"name":"edit_file","ok":true'),
    ],
    ids=["in a command", "while the model thinks"],
)
def test_a_signal_ends_it_soon_with_the_work_saved_and_a_true_word(
    runner: Runner, tmp_path: Path, steps: Sequence[Step], after: str, number: int, code: int
) -> None:
    repository = calculator(tmp_path)
    exit_code, path = _interrupted(runner, repository, steps, number, after)
    job = runner.job(exit_code, b"", b"")
    assert exit_code == code
    assert (job.end.status, job.end.ending, job.end.exit_code) == (Status.CANCELLED, Ending.CANCELLED, code)
    assert "a + b" in repository.show(BRANCH, "calculator.py")
    assert job.merge_requests() == []
    assert "ancelled" in job.comment()
    assert BRANCH in job.comment()
    assert (job.report / "junit.xml").exists()
    events = list(read(path))
    ended = next(event for event in events if event.fact == job.end)
    before = max(event.at for event in events if isinstance(event.fact, ToolAnswered))
    assert (ended.at - before).total_seconds() < 30


def test_a_signal_in_the_middle_of_an_edit_leaves_the_file_whole(runner: Runner, tmp_path: Path) -> None:
    lines = "".join(f"const value_{number} = {number};\n" for number in range(100_000))
    old, new = f"{lines}const needle = 1;\n", f"{lines}const needle = 2;\n"
    repository = calculator(tmp_path, {"big.js": old})
    edit = ("edit_file", {"path": "big.js", "old": "needle = 1", "new": "needle = 2"})
    steps: list[Step] = [Say(calls=[FIX]), Say(calls=[edit]), Hang()]
    exit_code, _ = _interrupted(runner, repository, steps, signal.SIGTERM, "needle = 2")
    job = runner.job(exit_code, b"", b"")
    assert (exit_code, job.end.ending) == (143, Ending.CANCELLED)
    assert "a + b" in repository.show(BRANCH, "calculator.py")
    assert repository.show(BRANCH, "big.js") in (old, old.rstrip("\n"), new, new.rstrip("\n"))


def test_a_terminal_that_goes_away_ends_it_too(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path)
    steps = [Say(calls=[FIX]), Say(calls=[("bash", {"command": "sleep 1000"})])]
    exit_code, _ = _interrupted(runner, repository, steps, signal.SIGHUP, '"name":"bash"')
    job = runner.job(exit_code, b"", b"")
    assert exit_code == job.end.exit_code == 129
    assert job.end.status is Status.CANCELLED
    assert "a + b" in repository.show(BRANCH, "calculator.py")


@pytest.mark.parametrize("after", ["AgentStopped", "Committed", "HandedOver", "MergeRequestWritten"])
def test_a_signal_while_the_work_is_handed_over_comes_too_late(
    runner: Runner, tmp_path: Path, after: str
) -> None:
    repository = calculator(tmp_path)
    exit_code, _ = _interrupted(runner, repository, SOLVE, signal.SIGTERM, f'"kind":"{after}"')
    job = runner.job(exit_code, b"", b"")
    assert job.end.status is Status.COMPLETED
    assert exit_code == 0
    assert "a + b" in repository.show(BRANCH, "calculator.py")
    assert len(job.merge_requests()) == 1
    assert "**Done: merge request 1**" in job.comment()
    assert not list(repository.path.glob(".git/**/*.lock"))


def test_a_push_to_a_server_that_never_answers_can_be_stopped(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        repository.git("remote", "add", "origin", f"http://127.0.0.1:{silent.getsockname()[1]}/x.git")
        exit_code, _ = _interrupted(runner, repository, SOLVE, signal.SIGINT, '"kind":"HandedOver"', "--push")
    job = runner.job(exit_code, b"", b"")
    assert exit_code == job.end.exit_code == 130
    assert "was stopped by Ctrl-C" in job.end.sentence
    assert "a + b" in repository.show(BRANCH, "calculator.py")
    assert len(job.merge_requests()) == 1


def test_a_model_that_deletes_all_files_loses_only_its_own_work(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path)
    before = repository.fingerprint()
    destroy = ("bash", {"command": 'rm -rf "$PWD"'})
    with ModelServer([Say(calls=[destroy]), Say(calls=[SUBMIT])]) as server:
        job = runner.run(repository.path, server=server)
    assert (job.exit_code, job.end.ending) == (1, Ending.UNVERIFIED)
    assert "No test ran after the change" in job.end.sentence
    assert repository.fingerprint() == before


def test_a_signal_during_the_tests_before_leaves_nothing_behind(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path, {"test_slow.py": "import time\ntime.sleep(1000)\n"})
    before = repository.fingerprint()
    exit_code, _ = _interrupted(runner, repository, SOLVE, signal.SIGTERM, '"kind":"TestsChosen"')
    assert exit_code == 143
    assert repository.fingerprint() == before
    assert repository.git("branch", "--list", BRANCH) == ""
    job = runner.job(exit_code, b"", b"")
    assert job.facts(StatusChanged)[-1].status is Status.ANALYZING
    assert job.end.status is Status.CANCELLED


# --- the disk ---------------------------------------------------------------------------------------------


def test_a_full_disk_under_the_journal_stops_with_a_clear_word_and_nothing_lost(
    runner: Runner, tmp_path: Path
) -> None:
    """The limit on the size of a file plays the full disk: the kernel refuses to write on."""
    repository = calculator(tmp_path)
    before = repository.fingerprint()
    talk = Say(text="x" * 30_000, calls=[("bash", {"command": "true"})])
    with ModelServer(lambda request: talk if len(request.body["messages"]) < 30 else SOLVE[0]) as server:
        job = runner.run(
            repository.path,
            server=server,
            prefix=("sh", "-c", 'ulimit -f 256 && exec "$@"', "sh"),  # blocks of 512 bytes or 1 KiB
        )
    assert job.exit_code == 1
    assert "the journal" in job.stderr
    assert "can't be written: File too large" in job.stderr
    assert "Traceback" not in job.stderr
    assert repository.fingerprint() == before
    assert job.events  # every line that is there can be read
    assert "**Stopped.**" in job.comment()
    assert "is kept in" in job.comment()
    [kept] = job.state.glob("sessions/*/work/calculator/calculator.py")
    assert kept.exists()
    assert next(job.state.glob("sessions/*/session.jsonl")).stat().st_size <= 256 * 1024
