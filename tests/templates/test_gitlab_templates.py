"""The template and the component are the same, and their rules start what is ours and nothing else.

The rules are judged by gitlab-ci-local. GitLab shows them the content of the file in TRIGGER_PAYLOAD; here it is
handed in as a plain variable for that.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.ci.child_pipeline import DEFAULT_TIMEOUT, install_script
from ci_agent.config.definitions import OF_THE_JOB
from tests.support.ci_local import listed, make_project
from tests.templates.documents import COMPONENT, PLAIN, load, load_all

ORDINARY = """
unit-tests:
  rules:
    - !reference [.ci-agent-not-for-us, rules]
    - when: on_success
  script: [echo ordinary]
"""
WORK = {"ci-agent-route": "on_success", "ci-agent-work": "on_success"}
IDLE = {"ci-agent-idle": "manual"}
TESTS = {"unit-tests": "on_success"}


def component() -> tuple[dict[str, Any], dict[str, Any]]:
    spec, body = load_all(COMPONENT.read_text(encoding="utf-8"))
    return spec["spec"]["inputs"], body


def filled(content: Any, values: dict[str, str]) -> Any:
    """As GitLab fills in the inputs."""
    if isinstance(content, dict):
        return {key: filled(item, values) for key, item in content.items()}
    if isinstance(content, list):
        return [filled(item, values) for item in content]
    if isinstance(content, str):
        return re.sub(r"\$\[\[ inputs\.(\w+) ]]", lambda found: values[found[1]], content)
    return content


def test_the_component_is_the_template_with_inputs() -> None:
    inputs, body = component()
    values = {name: given.get("default", "") for name, given in inputs.items()}
    body, plain = filled(body, values), load(PLAIN.read_text(encoding="utf-8"))
    given = body["ci-agent-route"]["variables"]
    ours = {name: given.pop(name) for name in list(given) if name.startswith("CI_AGENT_")}
    defaults = plain.pop("variables")
    assert body == plain
    assert ours == {
        "CI_AGENT_PACKAGE": "",
        "CI_AGENT_TIMEOUT": DEFAULT_TIMEOUT,
        "CI_AGENT_TAGS": "",
        **defaults,
    }


def test_only_the_package_has_to_be_given() -> None:
    inputs, _ = component()
    assert [name for name, given in inputs.items() if "default" not in given] == ["package"]
    assert all(given["description"] for given in inputs.values())


@pytest.mark.parametrize("path", [PLAIN, COMPONENT])
def test_the_routing_job_installs_as_the_job_that_works_does(path: Path) -> None:
    body = load_all(path.read_text(encoding="utf-8"))[-1]
    assert body["ci-agent-route"]["before_script"] == [install_script()]


@pytest.mark.parametrize("path", [PLAIN, COMPONENT])
def test_each_variable_of_ours_is_known_to_the_program(path: Path) -> None:
    names = set(re.findall(r"\bCI_AGENT_[A-Z_]+", path.read_text(encoding="utf-8"))) - {"CI_AGENT_FOLDER"}
    assert len(names) >= 6
    assert names <= OF_THE_JOB.keys()


def test_the_trigger_job_does_not_wait_for_its_pipeline() -> None:
    trigger = load(PLAIN.read_text(encoding="utf-8"))["ci-agent-work"]["trigger"]
    assert trigger == {"include": [{"artifact": ".ci-agent/pipeline.yml", "job": "ci-agent-route"}]}


def test_the_template_touches_nothing_of_the_project_s_own() -> None:
    content = load(PLAIN.read_text(encoding="utf-8"))
    assert [key for key in content if not key.lstrip(".").startswith("ci-agent-")] == ["variables"]
    assert content["variables"].keys() == {"CI_AGENT_IMAGE"}
    jobs = [job for name, job in content.items() if name.startswith("ci-agent-")]
    assert all("rules" in job and "inherit" in job for job in jobs)


def payload(kind: str, *, labels: tuple[str, ...] = (), **attributes: object) -> str:
    """Written as GitLab writes it: without blanks, `<` and `>` escaped, and with an `@` in the project's addresses."""
    content = {
        "object_kind": kind,
        "project": {"git_ssh_url": "git@gitlab.example.org:acme/widget.git"},
        "object_attributes": attributes,
        "changes": attributes.pop("changes", {}),
        "issue": {"title": "ai-waiting is never taken away", "labels": [{"title": name} for name in labels]},
    }
    said = json.dumps(content, separators=(",", ":"))
    return said.replace("<", "\\u003c").replace(">", "\\u003e")


NOTE = payload("note", note="please\n/agent retry", action="create")
PLAIN_REPLY = payload("note", note="The second one.", action="create", labels=("bug", "ai-waiting"))
OURS = payload("note", note="<!-- ci-agent: progress 1 -->\n`/agent stop` ends it", labels=("ai-waiting",))
LABEL = {"labels": {"previous": [], "current": [{"title": "ai-task"}]}}
ASSIGNEE = {"assignees": {"previous": [], "current": [{"id": 1}]}}


@pytest.mark.parametrize(
    ("variables", "jobs"),
    [
        ({"CI_PIPELINE_SOURCE": "push"}, TESTS),
        ({"CI_PIPELINE_SOURCE": "merge_request_event"}, TESTS),
        ({"CI_PIPELINE_SOURCE": "web"}, TESTS),
        ({"CI_PIPELINE_SOURCE": "parent_pipeline"}, TESTS),
        ({"CI_PIPELINE_SOURCE": "web", "CI_AGENT_ISSUE": "12"}, WORK),
        ({"CI_PIPELINE_SOURCE": "api", "CI_AGENT_INTENT": "Tidy up"}, WORK),
        ({"CI_PIPELINE_SOURCE": "push", "CI_AGENT_ISSUE": "12"}, {}),
        ({"CI_PIPELINE_SOURCE": "schedule"}, TESTS),
        ({"CI_PIPELINE_SOURCE": "schedule", "CI_AGENT_POLL": "true"}, WORK),
        ({"CI_PIPELINE_SOURCE": "trigger", "CI_AGENT_ISSUE": "12", "TRIGGER_PAYLOAD": "{}"}, WORK | IDLE),
        ({"CI_PIPELINE_SOURCE": "trigger", "TRIGGER_PAYLOAD": NOTE}, WORK | IDLE),
        (
            {"CI_PIPELINE_SOURCE": "trigger", "TRIGGER_PAYLOAD": payload("note", note="@bot retry")},
            WORK | IDLE,
        ),
        ({"CI_PIPELINE_SOURCE": "trigger", "TRIGGER_PAYLOAD": payload("note", note="Thank you!")}, IDLE),
        ({"CI_PIPELINE_SOURCE": "trigger", "TRIGGER_PAYLOAD": PLAIN_REPLY}, WORK | IDLE),
        (
            {"CI_PIPELINE_SOURCE": "trigger", "TRIGGER_PAYLOAD": json.dumps(json.loads(PLAIN_REPLY))},
            WORK | IDLE,
        ),
        ({"CI_PIPELINE_SOURCE": "trigger", "TRIGGER_PAYLOAD": OURS}, IDLE),
        (
            {
                "CI_PIPELINE_SOURCE": "trigger",
                "TRIGGER_PAYLOAD": payload("issue", action="update", changes=LABEL),
            },
            WORK | IDLE,
        ),
        (
            {
                "CI_PIPELINE_SOURCE": "trigger",
                "TRIGGER_PAYLOAD": payload("issue", action="update", changes=ASSIGNEE),
            },
            WORK | IDLE,
        ),
        ({"CI_PIPELINE_SOURCE": "trigger", "TRIGGER_PAYLOAD": payload("issue", action="open")}, WORK | IDLE),
        ({"CI_PIPELINE_SOURCE": "trigger", "TRIGGER_PAYLOAD": payload("issue", action="close")}, IDLE),
        ({"CI_PIPELINE_SOURCE": "trigger", "TRIGGER_PAYLOAD": '{"id":"9","ref":"main"}'}, TESTS | IDLE),
        ({"CI_PIPELINE_SOURCE": "trigger", "TRIGGER_PAYLOAD": "/builds/acme/p"}, WORK | IDLE | TESTS),
    ],
    ids=str,
)
def test_each_pipeline_has_the_jobs_that_it_is_for(
    tmp_path: Path, variables: dict[str, str], jobs: dict[str, str]
) -> None:
    project = make_project(
        tmp_path / "widget", {".gitlab-ci.yml": PLAIN.read_text(encoding="utf-8") + ORDINARY}
    )
    assert listed(project, variables) == jobs


def sorted_out(sent: str) -> bool:
    """Whether a rule of the template says `never` to the payload. Read by Python, because gitlab-ci-local takes the
    backslashes in a variable for its own."""
    rules = load(PLAIN.read_text(encoding="utf-8"))[".ci-agent-rules"]["rules"]
    conditions = [rule["if"].split(" && ") for rule in rules if rule.get("when") == "never"]
    return any(all(_holds(term, sent) for term in terms) for terms in conditions)


def _holds(term: str, sent: str) -> bool:
    found = re.fullmatch(r"\$TRIGGER_PAYLOAD (=~|!~) /(.*)/", term.strip())
    assert found, term
    return (re.search(found[2], sent) is not None) is (found[1] == "=~")


TEXTS = st.text() | st.lists(
    st.sampled_from(["/agent", "@", '"', "\\", "<", "!-- ci-agent:", "\n", "x"])
).map("".join)


@given(TEXTS, st.lists(st.sampled_from(["ai-waiting", "bug", "ai-waiting-2", '"ai-waiting"'])), st.booleans())
def test_a_comment_starts_a_runner_where_it_can_be_for_us(text: str, labels: list[str], blanks: bool) -> None:
    sent = payload("note", note=text, description=text, labels=tuple(labels))
    if blanks:
        sent = json.dumps(json.loads(sent), ensure_ascii=False)
    wanted = ("/agent" in text or "@" in text or "ai-waiting" in labels) and not text.startswith(
        "<!-- ci-agent:"
    )
    assert sorted_out(sent) is not wanted


def test_the_component_takes_its_inputs(tmp_path: Path) -> None:
    include = """
include:
  - component: $CI_SERVER_FQDN/$CI_PROJECT_PATH/ci-agent@$CI_COMMIT_SHA
    inputs: {package: p, stage: deploy, timeout: 2h}
stages: [deploy]
"""
    files = {
        ".gitlab-ci.yml": include,
        "templates/ci-agent/template.yml": COMPONENT.read_text(encoding="utf-8"),
    }
    project = make_project(tmp_path / "widget", files)
    assert listed(project, {"CI_PIPELINE_SOURCE": "trigger", "TRIGGER_PAYLOAD": NOTE}) == WORK | IDLE
