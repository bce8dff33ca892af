"""Which files say what a CI runs: those of the usual systems by their names, and those that they bring in.

GitLab: "CI/CD YAML syntax reference", `include`; GitHub: "Workflow syntax", `jobs.<job_id>.steps[*].uses`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import yaml

from ci_agent.workspace.policy.patterns import Patterns
from ci_agent.workspace.policy.tree import Tree

PIPELINE: Final = ".gitlab-ci.yml"
_WORKFLOWS = tuple(
    f"{place}/{kind}/**" for place in (".github", ".gitea", ".forgejo") for kind in ("workflows", "actions")
)
_NAMES = (
    *_WORKFLOWS,
    # GitLab; those in its folder by custom, for its agents on clusters, and what its scanners leave out
    PIPELINE,
    ".gitlab/ci/**",
    ".gitlab/**/*.gitlab-ci.yml",
    ".gitlab/agents/**",
    ".gitlab/security-policies/**",
    ".gitlab/*.toml",
    # others
    ".circleci/**",
    ".buildkite/**",
    ".woodpecker/**",
    ".semaphore/**",
    ".teamcity/**",
    ".tekton/**",
    ".builds/**",
    ".azure-pipelines/**",
    "**/azure-pipelines*.yml",
    "**/azure-pipelines*.yaml",
    "**/jenkinsfile*",
    ".travis.yml",
    ".drone.*",
    ".woodpecker.y*ml",
    ".cirrus.*",
    ".build.yml",
    "bitbucket-pipelines.yml",
    "appveyor.yml",
    ".appveyor.yml",
    "cloudbuild.y*ml",
    "buildspec.yml",
    "codemagic.yaml",
)
_MOST_FILES = 200  # that are read for what they bring in; GitLab follows 150
_LARGEST = 1_000_000  # bytes of a file that is read; GitLab reads no larger one
_PARSED = 100_000  # bytes of YAML that are parsed, which takes about a second; beyond, names are looked for
_LONGEST = 500  # characters of a name

_USES = re.compile(rb"""uses["']?[ \t]*:[ \t]*["']?\./([^\s"'#,}]*)""")
_VARIABLE = re.compile(r"\$\$|\$\{\w*\}?|\$\w+|%\w+%|\$\[\[[^\]]*\]\]")
_WORD_END = re.compile(r"[^\w./*${}-]+")
_YAML = (".yml", ".yaml")  # GitLab includes no other files
_OF_INCLUDE = ("local", "file", "component")


def ci_files(trees: Iterable[Tree], pipeline: str | None) -> Patterns:
    """Patterns of the files that say what the CI runs in one of `trees`. `pipeline` is the name of GitLab's file,
    where it has another than usual."""
    own = [PIPELINE, pipeline] if pipeline else [PIPELINE]
    found = set(_NAMES)
    for tree in trees:
        found |= _reached(tree, own, _included)
        found |= _reached(tree, _WORKFLOWS, _used)
    return Patterns.of(found)


def _reached(tree: Tree, start: Iterable[str], bring: Callable[[bytes], Iterable[str]]) -> set[str]:
    """The patterns that lead from those of `start` to everything that `bring` says is brought in."""
    known, new = set(start), set(start)
    seen: set[str] = set()
    while new and len(seen) < _MOST_FILES:
        wanted = Patterns.of(new)
        paths = [path for path in tree.entries if path not in seen and wanted.take(path)]
        paths = paths[: _MOST_FILES - len(seen)]
        small = [path for path, size in tree.sizes(paths).items() if size <= _LARGEST]
        seen.update(paths)
        brought = {glob for content in tree.contents(small).values() for glob in bring(content)}
        new = brought - known
        known |= new
    return known


def _used(content: bytes) -> Iterator[str]:
    """The actions of the repository's own that a workflow or an action calls."""
    for place in _USES.findall(content):
        folder = place.decode("utf-8", "replace").strip("/")
        yield f"{folder}/action.y*ml"
        yield f"{folder}/dockerfile"


def _included(content: bytes) -> Iterator[str]:
    """The files of the repository that a pipeline brings in, as patterns: what a variable holds may be anything."""
    text = content.decode("utf-8", "replace")
    for name in _includes(text):
        if "://" in name or len(name) > _LONGEST:
            continue
        if "@" in name:  # a component of a project, in one of two places
            last = _VARIABLE.sub("*", name.partition("@")[0].rpartition("/")[2])
            yield from (f"templates/{last}{rest}" for rest in (".yml", "/template.yml"))
        else:
            glob = _VARIABLE.sub("**", name)
            yield glob if glob.endswith(_YAML) else f"{glob}*.y*ml"


def _includes(text: str) -> Iterator[str]:
    """All names below any key `include`: of the pipeline itself, and of pipelines that its jobs start."""
    try:
        nodes = list(yaml.compose_all(text, yaml.SafeLoader)) if len(text) <= _PARSED else None
    except (yaml.YAMLError, RecursionError):
        nodes = None
    if nodes is None:  # GitLab may read it all the same
        yield from (word for word in _WORD_END.split(text) if word.endswith(_YAML))
        return
    seen: set[tuple[int, bool]] = set()
    left = [(node, False) for node in nodes]
    while left:
        node, within = left.pop()
        if (id(node), within) in seen:  # an alias
            continue
        seen.add((id(node), within))
        if isinstance(node, yaml.ScalarNode):
            if within:
                yield node.value
        elif isinstance(node, yaml.SequenceNode):
            left += [(item, within) for item in node.value]
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                named = key.value if isinstance(key, yaml.ScalarNode) else ""
                left.append((value, named == "include" or (within and named in _OF_INCLUDE)))
