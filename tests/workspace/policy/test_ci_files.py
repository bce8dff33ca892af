"""Files that a CI's own files bring in."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workspace.policy.trees import Files, broken


def _refused(pipeline: str, path: str, more: Files | None = None) -> bool:
    base: Files = {".gitlab-ci.yml": pipeline, "other/x.yml": "x", **(more or {})}
    return broken(base, {path: "changed"}) == {"ci": (path,)}


@pytest.mark.parametrize(
    ("pipeline", "path"),
    [
        ("include: ci/a.yml", "ci/a.yml"),
        ("include: /ci/a.yml", "ci/a.yml"),
        ("include:\n- local: '/ci/a.yaml'", "ci/a.yaml"),
        ("include:\n  local: [ci/b.yml, ci/a.yml]", "ci/a.yml"),
        ("include: 'ci/*.yml'", "ci/new.yml"),
        ("include: 'ci/**.yml'", "ci/deep/er/new.yml"),
        ("include: 'ci/**/*.yml'", "ci/new.yml"),
        ("include: 'ci/$KIND.yml'", "ci/any.yml"),
        ("include: '${FILE}'", "anything.yml"),
        ("job:\n  trigger:\n    include: child.yml", "child.yml"),
        ("job:\n  trigger:\n    include:\n    - local: child.yml", "child.yml"),
        ("include:\n- project: $CI_PROJECT_PATH\n  file: [/ci/a.yml]", "ci/a.yml"),
        (
            "include:\n- component: $CI_SERVER_FQDN/$CI_PROJECT_PATH/build@$CI_COMMIT_SHA",
            "templates/build.yml",
        ),
        ("include:\n- component: host/p/build@1", "templates/build/template.yml"),
        ("spec:\n  inputs: {}\n---\ninclude: ci/a.yml", "ci/a.yml"),
        ("a: !reference [b, c]\ninclude: ci/a.yml", "ci/a.yml"),
        ("x: &x ci/a.yml\ninclude: *x", "ci/a.yml"),
        ("include: ci/a.yml\nbroken: [", "ci/a.yml"),
        ("# " + "x" * 200_000 + "\ninclude: ci/a.yml", "ci/a.yml"),
    ],
)
def test_what_gitlab_includes_from_the_repository_is_noticed(pipeline: str, path: str) -> None:
    assert _refused(pipeline, path)


@pytest.mark.parametrize(
    "pipeline",
    [
        "include: https://example.org/other/x.yml",
        "include:\n- remote: https://example.org/x.yml\n- template: other/x.yml",
        "include:\n- local: a.yml\n  rules:\n  - exists: [other/x.yml]",
        "job:\n  script: kubectl apply -f other/x.yml",
        "",
        "just a text",
    ],
)
def test_a_file_that_is_only_mentioned_is_nothing_to_the_ci(pipeline: str) -> None:
    assert not _refused(pipeline, "other/x.yml")


def test_includes_of_includes_are_followed_round_in_circles() -> None:
    files: Files = {"a.yml": "include: b.yml", "b.yml": "include: [c.yml, a.yml]", "c.yml": "x"}
    assert _refused("include: a.yml", "c.yml", files)


def test_a_file_that_the_change_makes_part_of_the_pipeline_is_named_as_well() -> None:
    base: Files = {".gitlab-ci.yml": "stages: []", "x.yml": "old"}
    change: Files = {".gitlab-ci.yml": "include: x.yml", "x.yml": "new"}
    assert broken(base, change) == {"ci": (".gitlab-ci.yml", "x.yml")}


def test_a_pipeline_of_another_name_is_followed_as_well() -> None:
    base: Files = {"ci/main.yml": "include: jobs/a.yml", "jobs/a.yml": "x"}
    change: Files = {"ci/main.yml": "y", "jobs/a.yml": "y"}
    assert broken(base, change) == {}
    assert broken(base, change, pipeline="ci/main.yml") == {"ci": ("ci/main.yml", "jobs/a.yml")}
    assert broken(base, change, pipeline="https://example.org/x.yml") == {}


@pytest.mark.parametrize("path", ["tools/setup/action.yml", "tools/setup/Dockerfile", "inner/action.yaml"])
def test_actions_of_the_repository_that_workflows_call_are_noticed(path: str) -> None:
    base: Files = {
        ".github/workflows/ci.yml": "steps:\n- uses: actions/checkout@v4\n- uses: './tools/setup/'\n",
        "tools/setup/action.yml": "runs:\n  steps:\n  - { uses: ./inner }",
        "inner/action.yaml": "x",
        "tools/setup/Dockerfile": "x",
        "elsewhere/action.yml": "x",
    }
    assert broken(base, {path: "changed"}) == {"ci": (path,)}
    assert broken(base, {"elsewhere/action.yml": "changed"}) == {}


@given(st.text("inclue:[]{}-*&!|>'\"\n ab.yml/${}@", max_size=60))
def test_any_pipeline_is_read(pipeline: str) -> None:
    assert broken({".gitlab-ci.yml": pipeline, "README.md": "1"}, {"README.md": "2"}) == {}


@pytest.mark.parametrize(
    "part", ["*a", "$[[", "${", "[", "a: &a\n", "include: ", "uses: ", "- *a\n", "x.yml/"]
)
def test_no_pipeline_takes_long_to_be_read(part: str) -> None:
    text = "include: '" + part * 100 + "'\n" + part * (300_000 // len(part))
    began = time.process_time()
    broken({".gitlab-ci.yml": text, ".github/workflows/a.yml": text, "a" * 200: "1"}, {"a" * 200: "2"})
    assert time.process_time() - began < 3  # seconds; it takes a fraction where time grows with length
