"""What a CI job leaves within reach of the commands that it runs, and what the CI left there before."""

from __future__ import annotations

import base64
import contextlib
import os
import queue
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ci_agent.journal.events import ToolAnswered
from tests.job.conftest import commented, labelled, start
from tests.support.jobs import SOLVE
from tests.support.model_server import Request, Say, Step
from tests.support.pipelines import GITHUB_TOKEN, GITLAB_TOKEN, Pipeline

pytestmark = pytest.mark.slow


def tokens(project: Pipeline) -> list[str]:
    """The secrets of a job, as they are and as they travel in a header."""
    pair = f"x-access-token:{GITHUB_TOKEN}" if project.platform == "github" else f"oauth2:{GITLAB_TOKEN}"
    return [GITHUB_TOKEN, GITLAB_TOKEN, project.model.key, base64.b64encode(pair.encode()).decode()]


def test_a_job_at_work_shows_nobody_its_variables(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    environment = project.environment(*labelled(project, number))
    assert [secret for secret in tokens(project) if secret in environment.values()]
    steps, jobs, shown = iter(SOLVE), queue.Queue[subprocess.Popen[str]](), []

    def look_and_answer(_: Request) -> Step:
        job = jobs.get(timeout=60)
        jobs.put(job)
        try:
            shown.append(Path(f"/proc/{job.pid}/environ").read_bytes())
        except PermissionError:  # as everybody but root is told
            shown.append(b"")
        return next(steps)

    project.model.say(look_and_answer)
    with start(project, environment) as process:
        jobs.put(process)
        log = process.communicate()[0]
    assert process.returncode == 0, log
    assert {text.strip(b"\0") for text in shown} == {b""}


def descends(process: Path) -> bool:
    """Whether the process of this folder of /proc is below this one: other tests put secrets on command lines."""
    number = process.name
    while number not in {"0", "1"}:
        if number == str(os.getpid()):
            return True
        number = Path("/proc", number, "stat").read_text().rpartition(")")[2].split()[1]
    return False


@contextmanager
def all_arguments() -> Iterator[set[bytes]]:
    """The arguments of all processes below this one that were there meanwhile, looked at again and again."""
    seen: set[bytes] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    arguments = (process / "cmdline").read_bytes()
                    if arguments not in seen and descends(process):
                        seen.add(arguments)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def test_no_secret_stands_in_the_arguments_of_any_process(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    with all_arguments() as seen:
        done = project.run(*commented(project, number, "/agent run"))
    assert done.exit_code == 0, done.log
    pushes = [words for words in seen if b"\0push\0" in words]
    assert pushes
    assert any(project.git.url("acme/widget.git").encode() in words for words in pushes)
    assert not [words for words in seen if any(secret.encode() in words for secret in tokens(project))]


def checkout_with_token(project: Pipeline, environment: dict[str, str]) -> None:
    """As actions/checkout and GitLab's runner leave it."""
    checkout, header = project.checkout, f"AUTHORIZATION: basic {tokens(project)[-1]}"
    if project.platform == "gitlab":
        url = f"https://gitlab-ci-token:{GITLAB_TOKEN}@gitlab.example/acme/widget.git"
        checkout.git("remote", "set-url", "origin", url)
        return
    temporary = Path(environment["RUNNER_TEMP"])
    temporary.mkdir()
    file = temporary / "git-credentials-0a1b2c3d.config"
    file.write_text(f'[http "https://github.example/"]\n\textraheader = {header}\n')
    checkout.git("config", f"includeIf.gitdir:{checkout.path}/.git.path", str(file))
    checkout.git("config", "http.https://github.example/.extraheader", header)


@pytest.mark.parametrize("by_hand", [False, True], ids=["in a job", "the control: on a person's machine"])
def test_a_command_finds_no_token_in_the_checkout_and_no_file_of_a_variable(
    project: Pipeline, *, by_hand: bool
) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    environment = project.environment(*commented(project, number, "/agent run"))
    checkout_with_token(project, environment)
    files = Path(f"{project.checkout.path}.tmp")
    files.mkdir()
    environment |= {"CI_PROJECT_DIR": str(project.checkout.path), "KUBECONFIG": str(files / "KUBECONFIG")}
    # What is tested here is the second wall, so the first one is opened.
    opened = [str(project.checkout.path), str(files), *filter(None, [environment.get("RUNNER_TEMP")])]
    environment["CI_AGENT_SANDBOX_READABLE"] = ",".join(opened)
    (files / "KUBECONFIG").write_text("CANARY-of-the-cluster")
    places = f"{project.checkout.path}/.git {files} {environment.get('RUNNER_TEMP', '')}/git-credentials-*"
    search = (
        "bash",
        {"command": f"cat {project.checkout.path}/.git/config; grep -rhaE 'CANARY|basic' {places}"},
    )
    project.model.say([Say(calls=[search]), *SOLVE])
    if by_hand:
        words = ("-d", "x", "--repo", str(project.checkout.path), "--state-dir", "state")
        done = project.call(environment, *words, command="run")
    else:
        done = project.call(environment)
    assert done.exit_code == 0, done.log
    seen = next(event.fact.text for event in done.events if isinstance(event.fact, ToolAnswered))
    assert "[remote" in seen  # the command did look there
    told = ("CANARY-of-the-cluster", "gitlab-ci-token" if project.platform == "gitlab" else "extraheader")
    assert [word in seen for word in told] == [by_hand, by_hand]
    assert ("Taken out of the CI's checkout, because they let in: " in done.log) is not by_hand
    assert ("Files of variables taken away from commands: KUBECONFIG" in done.log) is not by_hand


@pytest.mark.parametrize("which", [0, 1])
def test_a_command_that_finds_a_file_of_the_step_steers_nothing(project: Pipeline, which: int) -> None:
    name = {"github": ("GITHUB_ENV", "GITHUB_OUTPUT"), "gitlab": ("GITLAB_ENV", "GITHUB_PATH")}[
        project.platform
    ][which]
    number = project.forge.write_issue("add() subtracts", "")
    environment = project.environment(*commented(project, number, "/agent run"))
    file = Path(environment.setdefault(name, str(project.place(environment) / "steering")))
    file.touch()
    environment["CI_AGENT_SANDBOX_WRITABLE"] = str(file)  # the first wall is opened
    attack = ("bash", {"command": f"env; printf 'EVIL=1\\nstatus=evil\\n' >> {file}; cat {file}"})
    project.model.say([Say(calls=[attack]), *SOLVE])
    done = project.call(environment)
    assert done.exit_code == 0, done.log
    answer = next(event.fact.text for event in done.events if isinstance(event.fact, ToolAnswered))
    assert "EVIL=1" in answer  # the control: it was written
    assert name not in answer  # and found by its path only
    assert "EVIL" not in file.read_text()
    assert f"Something else than ci-agent wrote into {name}" in done.log
    if project.platform == "github":
        assert done.outputs["status"] == "completed"
