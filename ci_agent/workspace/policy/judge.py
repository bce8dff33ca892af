"""The rules, and what they find in a change. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ci_agent.config import FILE_NAME
from ci_agent.config.definitions import PolicySettings
from ci_agent.journal.events import PolicyAction, PolicyFinding
from ci_agent.workspace.policy.ci_files import ci_files
from ci_agent.workspace.policy.links import leading_out
from ci_agent.workspace.policy.names import dangerous
from ci_agent.workspace.policy.patterns import Patterns
from ci_agent.workspace.policy.tree import SUBMODULE, Tree

_NAMED = 20  # files of one finding
_MEGABYTE = 1_000_000
_BEGINNING = 8_000  # bytes; git calls a file binary that has a NUL byte in them

_OWNERS = Patterns.of(
    f"{folder}codeowners" for folder in ("", "docs/", ".github/", ".gitlab/", ".gitea/", ".forgejo/")
)
_CONFIGURATION = Patterns.of((FILE_NAME, f"{FILE_NAME.removesuffix('.yml')}/**"))
_MODULES = Patterns.of((".gitmodules",))
_INSTRUCTIONS = Patterns.of(
    (
        *(f"**/{name}.md" for name in ("agents", "agents.override", "claude", "claude.local", "gemini")),
        *(f"**/{name}/**" for name in (".claude", ".codex", ".cursor", ".gemini", ".junie", ".windsurf")),
        *(f"**/.{name}rules" for name in ("cursor", "windsurf", "cline")),
        *(f".github/{name}/**" for name in ("agents", "chatmodes", "instructions", "prompts")),
        *(".clinerules/**", ".github/copilot-instructions.md", ".gitlab/duo/**"),
        *("**/.mcp.json", ".aider.conf.yml", ".coderabbit.y*ml", ".pr_agent.toml"),
        *(".github/dependabot.y*ml", ".mergify.yml", ".mergify/**", ".github/mergify.yml"),
        *(".renovaterc*", "renovate.json*", ".github/renovate.json*", ".gitlab/renovate.json*"),
    )
)


def judge(
    base: Tree, result: Tree, settings: PolicySettings, published: Tree | None = None
) -> tuple[PolicyFinding, ...]:
    """What speaks against the change from `base` to `result`, the weightiest first; empty for nothing.

    `published` is what the work branch has at the remote already: what is the same there is no part of what leaves.
    """
    known = [base, published] if published else [base]
    changed = _changed(known, result)
    there = [path for path in changed if path in result.entries]
    links = leading_out(result) - {
        path for tree in known for path in leading_out(tree) if tree.entries[path] == result.entries.get(path)
    }
    ci = ci_files([*known, result], settings.pipeline)
    submodules = [
        path
        for path in changed
        if _MODULES.take(path)
        or any(
            entry and entry.mode == SUBMODULE for entry in (base.entries.get(path), result.entries.get(path))
        )
    ]
    many = [f"{len(changed):,} files"] if len(changed) > settings.max_files else []
    found: dict[str, tuple[str, Sequence[str]]] = {
        "ci": ("files that say what the CI runs", [path for path in changed if ci.take(path)]),
        "owners": ("who has to review what", [path for path in changed if _OWNERS.take(path)]),
        "configuration": (
            "ci-agent's own configuration",
            [path for path in changed if _CONFIGURATION.take(path)],
        ),
        "submodules": ("submodules", submodules),
        "links": ("links that lead out of the repository", sorted(links)),
        "names": (
            "names that are dangerous on some systems",
            [f"{path} ({why})" for path, why in dangerous(result, there)],
        ),
        "instructions": (
            "files that other bots and agents obey",
            [path for path in changed if _INSTRUCTIONS.take(path)],
        ),
        "large": ("large files", list(_large(result, there, settings))),
        "many": (f"more than {settings.max_files:,} files", many),
    }
    findings = [
        PolicyFinding(
            f"policy.{rule}",
            PolicyAction(getattr(settings, rule)),
            what,
            tuple(map(_shown, files[:_NAMED])),
            max(0, len(files) - _NAMED),
        )
        for rule, (what, files) in found.items()
        if files
    ]
    order = list(PolicyAction)
    return tuple(
        sorted(
            (finding for finding in findings if finding.action is not PolicyAction.ALLOW),
            key=lambda finding: order.index(finding.action),
        )
    )


def _changed(known: Iterable[Tree], result: Tree) -> list[str]:
    """The paths at which `result` has something else than each of `known`, what is gone included."""
    trees = list(known)
    paths = {path for tree in [*trees, result] for path in tree.entries}
    now = result.entries
    return sorted(path for path in paths if all(tree.entries.get(path) != now.get(path) for tree in trees))


def _large(result: Tree, paths: Sequence[str], settings: PolicySettings) -> Iterator[str]:
    sizes = result.sizes(path for path in paths if result.entries[path].mode != SUBMODULE)
    most, most_binary = settings.max_file_size * _MEGABYTE, settings.max_binary_size * _MEGABYTE
    doubtful = result.contents(path for path, size in sizes.items() if most_binary < size <= most)
    for path, size in sizes.items():
        if size > most:
            yield f"{path} ({size / _MEGABYTE:,.1f} MB)"
        elif b"\0" in doubtful.get(path, b"")[:_BEGINNING]:
            yield f"{path} ({size / _MEGABYTE:,.1f} MB, binary)"


def _shown(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
