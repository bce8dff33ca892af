"""What a change may hold, rule by rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.config.definitions import PolicySettings
from ci_agent.journal.events import PolicyAction, PolicyFinding
from ci_agent.workspace.policy import judge
from tests.workspace.policy.trees import Files, Link, Plain, Submodule, broken, judged

_REFUSED = ("ci", "owners", "configuration", "submodules", "links", "names")


def test_a_usual_change_breaks_no_rule() -> None:
    change: Files = {
        "src/a.py": "new",
        "docs/workflows/ci.yml": "about",
        "data.yml": "x",
        "lib/link": Link("../src/a.py"),
        ".github/ISSUE_TEMPLATE/bug.md": "x",
        ".gitlab/merge_request_templates/default.md": "x",
        "agents.py": "x",
        ".gitignore": "x",
        "digit~1": "x",
    }
    assert judged({"src/a.py": "old", "gone.py": "x"}, change, gone=["gone.py"]) == ()


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("ci", ".github/workflows/ci.yml"),
        ("ci", ".GitHub/Workflows/deep/er/ci.yaml"),
        ("ci", ".github/actions/build/run.sh"),
        ("ci", ".gitlab-ci.yml"),
        ("ci", ".gitlab/ci/test.yml"),
        ("ci", ".gitlab/agents/prod/config.yaml"),
        ("ci", ".circleci/config.yml"),
        ("ci", "azure-pipelines.yml"),
        ("ci", "build/azure-pipelines-nightly.yaml"),
        ("ci", ".travis.yml"),
        ("ci", "Jenkinsfile"),
        ("ci", "deploy/Jenkinsfile.prod"),
        ("ci", ".drone.yml"),
        ("ci", "bitbucket-pipelines.yml"),
        ("ci", ".forgejo/workflows/x.yml"),
        ("ci", ".gitea/workflows/x.yml"),
        ("owners", "CODEOWNERS"),
        ("owners", ".github/CODEOWNERS"),
        ("owners", ".gitlab/CODEOWNERS"),
        ("owners", "docs/CODEOWNERS"),
        ("configuration", ".ci-agent.yml"),
        ("configuration", ".ci-agent/rules/a.md"),
        ("submodules", ".gitmodules"),
        ("instructions", "AGENTS.md"),
        ("instructions", "src/CLAUDE.md"),
        ("instructions", ".claude/settings.json"),
        ("instructions", ".cursor/rules/x.mdc"),
        ("instructions", ".github/copilot-instructions.md"),
        ("instructions", ".github/dependabot.yml"),
        ("instructions", "renovate.json5"),
    ],
)
def test_a_protected_file_is_noticed_when_it_is_made_changed_or_deleted(rule: str, path: str) -> None:
    base: Files = {"a": "x"}
    assert broken(base, {path: "new"}) == {rule: (path,)}
    assert broken({**base, path: "old"}, {path: "new"}) == {rule: (path,)}
    assert broken({**base, path: "old"}, {}, gone=[path]) == {rule: (path,)}
    assert broken({**base, path: "old"}, {"a": "y"}) == {}
    assert broken(base, {path: "new"}, **{rule: "allow"}) == {}


def test_a_folder_of_protected_files_that_becomes_a_link_is_noticed() -> None:
    base: Files = {"mine/workflows/ci.yml": "x"}
    assert broken(base, {".github": Link("mine")})["ci"] == (".github",)


def test_what_is_refused_by_default_and_what_becomes_a_draft() -> None:
    settings = PolicySettings()
    assert {rule: getattr(settings, rule) for rule in _REFUSED} == dict.fromkeys(_REFUSED, "refuse")
    drafts = ("instructions", "large", "many")
    assert {rule: getattr(settings, rule) for rule in drafts} == dict.fromkeys(drafts, "draft")


def test_findings_come_with_the_refused_ones_first() -> None:
    found = judged(
        {}, {"AGENTS.md": "x", ".gitlab-ci.yml": "x", "b.yml": "x"}, instructions="refuse", ci="draft"
    )
    assert [(finding.rule, finding.action) for finding in found] == [
        ("policy.instructions", PolicyAction.REFUSE),
        ("policy.ci", PolicyAction.DRAFT),
    ]


def test_submodules_are_noticed_when_they_are_new_changed_or_replaced() -> None:
    old: Files = {"lib": Submodule("1" * 40)}
    assert broken({}, old) == {"submodules": ("lib",)}
    assert broken(old, {"lib": Submodule("2" * 40)}) == {"submodules": ("lib",)}
    assert broken(old, {"lib": "a file"}) == {"submodules": ("lib",)}
    assert broken(old, {"a": "x"}) == {}


def test_large_files_and_smaller_binary_ones_are_named_with_their_size() -> None:
    change: Files = {
        "text": b"a" * 2_000_000,
        "binary": b"a\0" * 1_000_000,
        "icon": b"a\0" * 400_000,
        "huge": b"a" * 6_000_000,
    }
    assert broken({}, change) == {"large": ("binary (2.0 MB, binary)", "huge (6.0 MB)")}
    assert broken({}, change, max_file_size=10.0, max_binary_size=3.0) == {}
    assert broken(change, {}, gone=change) == {}


def test_very_many_files_are_counted() -> None:
    change: Files = {f"{number}.py": "x" for number in range(301)}
    found = judged({}, change)
    assert [(finding.what, finding.files) for finding in found] == [("more than 300 files", ("301 files",))]
    assert judged({}, change, max_files=301) == ()


def test_of_very_many_files_of_one_rule_some_are_named() -> None:
    (found,) = judged({}, {f".circleci/{number:02}": "x" for number in range(25)})
    assert (len(found.files), found.more) == (20, 5)


def test_what_people_pushed_to_the_branch_themselves_is_not_held_against_the_work() -> None:
    base: Files = {"a": "1"}
    theirs: Files = {"a": "1", ".gitlab-ci.yml": "theirs", "out": Link("/etc")}

    def found(result: Files) -> tuple[PolicyFinding, ...]:
        return judge(Plain(base), Plain(result), PolicySettings(), Plain(theirs))

    assert found({**theirs, "a": "2"}) == ()
    assert found({"a": "2"}) == ()  # as on the base again
    assert [each.rule for each in found({**theirs, ".gitlab-ci.yml": "ours", "out": Link("/")})] == [
        "policy.ci",
        "policy.links",
    ]


_NAMES = st.sampled_from(
    [
        "a",
        ".git",
        ".GIT",
        "..",
        ".github",
        "workflows",
        "git~1",
        "x\n",
        "\udcff",
        "CODEOWNERS",
        ".gitlab-ci.yml",
        "b.yml",
    ]
)
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map("/".join)
_CONTENTS = (
    st.binary(max_size=30)
    | st.builds(Link, _PATHS)
    | st.builds(Link, st.text(max_size=10))
    | st.just(Submodule("1" * 40))
    | st.sampled_from(["include: b.yml", "include: '**'", "include: [", "- *a", "include: $A$B"])
)


@given(st.dictionaries(_PATHS, _CONTENTS, max_size=6), st.dictionaries(_PATHS, _CONTENTS, max_size=6))
def test_any_change_is_judged_and_none_is_no_finding(base: Files, result: Files) -> None:
    found = judge(Plain(base), Plain(result), PolicySettings())
    for finding in found:
        assert finding.files
        "".join(finding.files).encode()  # the journal can hold it
    assert judge(Plain(result), Plain(result), PolicySettings()) == ()
