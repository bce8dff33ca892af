"""The model's key goes to the endpoint that the job's environment names, whatever a repository says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.job.conftest import labelled
from tests.support.anthropic_server import AnthropicServer, Says
from tests.support.jobs import SOLVE
from tests.support.model_server import ModelServer
from tests.support.pipelines import Pipeline

pytestmark = pytest.mark.slow


def test_a_branch_can_not_name_the_endpoint(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    with ModelServer(list(SOLVE), project.model.key) as evil:
        file = f"model:\n  base_url: {evil.base_url}\n"
        Path(project.checkout.path, ".ci-agent.yml").write_text(file)
        assert project.run(*labelled(project, number)).exit_code == 0
        asked = len(project.model.requests)
        assert asked
        assert evil.requests == []
        project.end()
        project.forge.files[".ci-agent.yml"] = file.encode()  # not even the default branch
        done = project.run(*labelled(project, number))
        assert done.exit_code == 2, done.log
        assert "your key is sent there, so a repository must not choose it" in done.log
        assert (evil.requests, len(project.model.requests)) == ([], asked)
        project.end()
        del project.forge.files[".ci-agent.yml"]
        another = project.forge.write_issue("add() still subtracts", "")
        project.run(*labelled(project, another), LLM_BASE_URL=evil.base_url)
        assert evil.requests  # the control: the environment can


def test_a_model_of_another_provider_gets_that_providers_key_and_no_other(project: Pipeline) -> None:
    project.forge.files[".ci-agent.yml"] = b"model: anthropic:claude-opus-5\n"
    number = project.forge.write_issue("add() subtracts", "")
    with AnthropicServer([Says("I give up.")]) as claude:

        def call(key: str) -> int:
            own = {"ANTHROPIC_BASE_URL": claude.base_url, "ANTHROPIC_API_KEY": key}
            environment = project.environment(*labelled(project, number)) | own
            del environment["MODEL_NAME"]
            return project.call(environment).exit_code

        call(claude.key)
        asked = len(claude.requests)
        assert asked
        headers = str([request.headers for request in claude.requests])
        assert claude.key in headers
        assert project.model.key not in headers
        project.end()
        assert call("") == 3  # there is no key then: ours is no stand-in
        assert (len(claude.requests), project.model.requests) == (asked, [])


def test_what_clients_read_by_themselves_neither_goes_along_nor_tells(
    project: Pipeline, tmp_path: Path
) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    done = project.run(
        *labelled(project, number),
        OPENAI_CUSTOM_HEADERS="X-Leak: CANARY",
        OPENAI_ADMIN_KEY="sk-admin-CANARY",
        OPENAI_LOG="debug",
        SSLKEYLOGFILE=str(tmp_path / "keys.log"),
    )
    assert done.exit_code == 0, done.log
    assert "CANARY" not in str([request.headers for request in project.model.requests])
    assert "HTTP Request" not in done.log
    assert not (tmp_path / "keys.log").exists()
