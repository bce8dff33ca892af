"""Everything we ship for CIs, and every example, passes the checkers that people would run on it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.templates.documents import (
    ACTION,
    COMPONENT,
    EXAMPLES,
    PLAIN,
    examples,
    is_gitlab,
    is_workflow,
    load,
)

BIN = Path(sys.executable).parent
WORKFLOWS = {name: text for name, text in examples().items() if is_workflow(text)}
PIPELINES = {name: text for name, text in examples().items() if is_gitlab(text)}


def check(*words: object) -> None:
    done = subprocess.run(
        [str(BIN / str(words[0])), *map(str, words[1:])], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def written(folder: Path, texts: dict[str, str]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / (re.sub(r"\W+", "-", name) + ".yml")).write_text(text, encoding="utf-8")
    return sorted(folder.iterdir())


def test_the_examples_are_found() -> None:
    assert len(WORKFLOWS) >= 3
    assert len(PIPELINES) >= 3
    assert {path.name for path in EXAMPLES.glob("*.yml")} == {
        "github-app.yml", "github-issues.yml", "github-schedule.yml", "github-split.yml",
        "gitlab-component.yml", "gitlab-schedule.yml", "gitlab-split.yml", "gitlab.yml",
    }  # fmt: skip


def test_the_action_is_what_github_s_schema_says() -> None:
    check("check-jsonschema", "--builtin-schema", "vendor.github-actions", ACTION)


def test_the_workflows_are_what_github_s_schema_says(tmp_path: Path) -> None:
    check("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *written(tmp_path, WORKFLOWS))


def test_the_pipelines_are_what_gitlab_s_schema_says(tmp_path: Path) -> None:
    head, body = COMPONENT.read_text(encoding="utf-8").split("\n---\n")
    texts = {"plain": PLAIN.read_text(encoding="utf-8"), "spec": head, "component": body, **PIPELINES}
    schema = ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci")
    check("check-jsonschema", *schema, *written(tmp_path, texts))


def test_actionlint_finds_nothing_in_the_workflows(tmp_path: Path) -> None:
    check("actionlint", "-shellcheck=", "-pyflakes=", *written(tmp_path, WORKFLOWS))


def test_zizmor_finds_nothing_in_action_and_workflows(tmp_path: Path) -> None:
    workflows = written(tmp_path / ".github/workflows", WORKFLOWS)
    check("zizmor", "--offline", "--quiet", "--strict-collection", ACTION, *workflows)


def scripts(content: Any) -> list[str]:
    """The text of each `run`, wherever it stands."""
    if isinstance(content, list):
        return [text for item in content for text in scripts(item)]
    if isinstance(content, dict):
        own = [content["run"]] if isinstance(content.get("run"), str) else []
        return own + [text for item in content.values() for text in scripts(item)]
    return []


@pytest.mark.parametrize("name", ["action.yml", *WORKFLOWS])
def test_no_expression_stands_in_a_script(name: str) -> None:
    found = scripts(load(ACTION.read_text(encoding="utf-8") if name == "action.yml" else WORKFLOWS[name]))
    assert found or name != "action.yml"
    assert [text for text in found if "${{" in text] == []


def test_actions_of_others_are_used_by_their_commits() -> None:
    texts = [ACTION.read_text(encoding="utf-8"), *WORKFLOWS.values()]
    used = [use for text in texts for use in re.findall(r"^ *(?:- )?uses: (\S+)", text, re.MULTILINE)]
    assert used
    assert [use for use in used if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", use)] == []
