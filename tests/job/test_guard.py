"""A model that has got hold of a secret tries to get it out; in no form does it arrive anywhere."""

from __future__ import annotations

import base64
import gzip
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_agent.guard import Guard, Secret
from ci_agent.journal.events import Committed, MergeRequestWritten, Pushed, SessionEnded, Withheld
from ci_agent.task import Ending
from tests.job.conftest import labelled
from tests.support.jobs import FIX, SUBMIT, TESTS
from tests.support.model_server import Say
from tests.support.pipelines import Done, Pipeline

pytestmark = pytest.mark.slow

TOKEN = (
    "dpl-7Qx2Lm9Zr4Tb8Wc1Yd6Ke3Vn"  # of a variable that has nothing to do with us: the model knows it somehow
)
GUARD = Guard([Secret("DEPLOY_TOKEN", TOKEN)])
BASE64 = base64.b64encode(f"x{TOKEN}".encode()).decode()


def session(project: Pipeline, *steps: Say) -> Done:
    project.model.say(list(steps))
    number = project.forge.write_issue("add() subtracts", "")
    project.server.requests.clear()
    return project.run(*labelled(project, number), DEPLOY_TOKEN=TOKEN)


def outside(project: Pipeline, done: Done) -> Iterator[tuple[str, bytes]]:
    """Everything that left the job, by where it got to."""
    for request in project.server.requests:
        yield f"{request.method} {request.path}", f"{request.path}\n{request.body}".encode()
    yield "the log", done.log.encode()
    yield "the outputs", str(done.outputs).encode()
    yield "the summary", done.summary.encode()
    for path in (done.folder / "ci-agent-report").rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes() + str(path).encode()
    names = project.origin.git("rev-list", "--objects", "--all").split()
    yield "names in the repository", "\n".join(names).encode()
    for name in names:
        if len(name) == 40:
            words = ("git", "--git-dir", project.origin.path, "cat-file", "-p", name)
            content = subprocess.check_output(words)
            yield name, gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    yield "branches", project.origin.git("for-each-ref").encode()


def nothing_got_out(project: Pipeline, done: Done) -> None:
    for place, content in outside(project, done):
        assert not GUARD.found(content), place


def in_file(content: str) -> tuple[str, dict[str, str]]:
    return ("write_file", {"path": "settings.py", "content": content})


WORK = {
    "as it is": in_file(f"TOKEN = '{TOKEN}'\n"),
    "base64": in_file(f"TOKEN = '{BASE64}'\n"),
    "reversed": in_file(f"TOKEN = '{TOKEN[::-1]}'\n"),
    "hex": in_file(f"TOKEN = '{TOKEN.encode().hex(':')}'\n"),
    "over two lines": in_file(f"TOKEN = ('{TOKEN[:11]}' +\n    '{TOKEN[11:]}')\n"),
    "the name of a file": ("write_file", {"path": f"{TOKEN}.txt", "content": "nothing\n"}),
    "an encoded name": ("write_file", {"path": f"notes/{BASE64}/a.txt", "content": "nothing\n"}),
    "a link": ("bash", {"command": f"ln -s /tmp/{TOKEN} link"}),
    "binary": ("bash", {"command": f"printf '\\0\\1{TOKEN}\\0' > blob.bin"}),
}


_QUICK = ("as it is", "base64", "the name of a file")  # the scanner's own tests have all forms


@pytest.mark.parametrize(
    "how", [pytest.param(how, marks=[] if how in _QUICK else [pytest.mark.slow]) for how in WORK]
)
def test_work_with_a_secret_in_it_is_neither_committed_nor_pushed_nor_proposed(
    project: Pipeline, how: str
) -> None:
    before = project.origin.git("for-each-ref", "refs/heads")
    done = session(project, Say(calls=[FIX]), Say(calls=[WORK[how]]), Say(calls=[SUBMIT]))
    assert done.exit_code == 1, done.log
    [end] = [event.fact for event in done.events if isinstance(event.fact, SessionEnded)]
    assert end.ending is Ending.WITHHELD
    assert end.sentence.startswith("The work was withheld, because secret values are in it: ")
    assert "DEPLOY_TOKEN (" in end.sentence
    assert project.merge_requests() == []
    assert project.origin.git("for-each-ref", "refs/heads") == before
    assert not any(isinstance(event.fact, Committed | Pushed | MergeRequestWritten) for event in done.events)
    assert any(isinstance(event.fact, Withheld) and event.fact.channel == "commit" for event in done.events)
    assert "The work was withheld, because secret values are in it" in project.said(1)[0][1]
    assert project.labels(1) == ["ai-failed"]
    nothing_got_out(project, done)


def test_a_similar_value_is_committed_and_pushed(project: Pipeline) -> None:
    similar = TOKEN.replace("Lm9", "Lm8")
    done = session(project, Say(calls=[FIX]), Say(calls=[in_file(f"A = '{similar}'\n")]), Say(calls=[SUBMIT]))
    assert done.exit_code == 0, done.log
    assert similar in project.origin.show("feat/ai-task-1", "settings.py")
    assert not any(isinstance(event.fact, Withheld) for event in done.events)


@pytest.mark.parametrize(
    "value",
    [
        TOKEN,
        *(pytest.param(value, marks=pytest.mark.slow) for value in (BASE64, TOKEN[::-1], " ".join(TOKEN))),
    ],
)
def test_the_models_words_are_shown_without_the_secret_and_people_are_told(
    project: Pipeline, value: str
) -> None:
    submit = ("submit", {"title": f"Add {value}", "summary": f"The token is {value}, by the way."})
    done = session(project, Say(calls=[FIX]), Say(f"Look: {value}", calls=[submit]))
    assert done.exit_code == 0, done.log
    [request] = project.merge_requests()
    assert re.fullmatch(
        r"Add .{0,2}\*\*\*.{0,2}", request["title"]
    )  # bits of neighbours may be left of base64
    assert "The value of DEPLOY_TOKEN (" in request["text"]
    assert project.origin.git("log", "-1", "--format=%s", "feat/ai-task-1") == request["title"]
    assert "warning: The value of DEPLOY_TOKEN (" in done.log
    nothing_got_out(project, done)


def test_a_question_with_the_secret_is_asked_without_it(project: Pipeline) -> None:
    done = session(project, Say(calls=[("ask_user", {"question": f"Is {BASE64} the right token?"})]))
    assert done.exit_code == 5, done.log
    [(_, comment)] = project.said(1)
    assert "the right token?" in comment
    nothing_got_out(project, done)


def test_what_tests_print_is_masked_in_the_report_the_log_and_the_junit_file(project: Pipeline) -> None:
    printing = TESTS.replace(
        "        self.assertEqual(double(4), 8)",
        f"        print('{TOKEN[:9]}' + '{TOKEN[9:]}'[::1], flush=True)\n        self.fail('{TOKEN[::-1]}')",
    )
    write = ("write_file", {"path": "test_calculator.py", "content": printing})
    run = ("bash", {"command": "python3 -m unittest -v; echo done"})
    done = session(
        project, Say(calls=[FIX]), Say(calls=[write]), Say(calls=[run]), *[Say(calls=[SUBMIT])] * 9
    )
    assert done.exit_code == 1, done.log
    nothing_got_out(project, done)


def test_what_looks_like_a_key_of_a_service_makes_the_merge_request_a_draft(project: Pipeline) -> None:
    key = "AKIA" + "IOSFODNN7EXAMPLE"
    done = session(project, Say(calls=[FIX]), Say(calls=[in_file(f"KEY = '{key}'\n")]), Say(calls=[SUBMIT]))
    assert done.exit_code == 1, done.log
    [request] = project.merge_requests()
    assert request["draft"]
    assert "settings.py:1 (AWS Access Key)" in request["text"]
    assert "settings.py:1 (AWS Access Key)" in project.said(1)[0][1]


def test_a_secret_that_stood_in_the_base_does_not_stop_work_on_its_file(tmp_path: Path) -> None:
    from tests.support.model_server import ModelServer
    from tests.support.pipelines import pipeline

    steps = [
        Say(calls=[FIX]),
        Say(calls=[in_file(f"A = 1\nTOKEN = '{TOKEN}'\n")]),
        Say(calls=[SUBMIT]),
    ]
    with ModelServer(steps) as model:
        files = {"settings.py": f"TOKEN = '{TOKEN}'\n"}
        with pipeline("github", tmp_path, model, files) as project:
            number = project.forge.write_issue("add() subtracts", "")
            done = project.run(*labelled(project, number), DEPLOY_TOKEN=TOKEN)
            assert done.exit_code == 0, done.log
            assert "A = 1" in project.origin.show("feat/ai-task-1", "settings.py")
