"""Which commands run and prepare a repository's tests. It looks at names and beginnings of files; of the
project's code it runs nothing. The only things it starts are interpreters, to ask what they find.

To add a runner, see `ci_agent/verification/ecosystems/`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from ci_agent.journal.events import SetupChosen, TestsChosen
from ci_agent.sandbox import Sandbox
from ci_agent.verification.ecosystems import RUNNERS, named
from ci_agent.verification.ecosystems.words import last_call
from ci_agent.verification.hints import Hint, hints
from ci_agent.verification.project import LEFT_OUT, Project
from ci_agent.verification.runner import Narrow, Runner
from ci_agent.verification.text import one_line

MOST_PROJECTS = 10  # beside the root
_NONE = ("none", "off")
To = Literal["selector", "cases", "files", "related"]


def choose(root: Path, configured: str, sandbox: Sandbox) -> TestsChosen:
    """The command that runs the tests of the project in `root`, and why this one.

    `configured` wins; `none` and `off` mean no tests. Else it is a runner that a job for tests of the
    repository's CI calls, if its sign is there; `make`, tox, nox and hatch do not count, they wrap the others. Else it is
    the first of `RUNNERS` with a sign of itself. A root that is only another language's (`package.json` with
    a test script, `go.mod`, `Cargo.toml`, and nothing of Python beside it) is not taken for a Python project
    because of a `test_*.py` somewhere below.

    The Python is the project's `.venv/bin/python` where there is one, else what a lock file of uv or poetry
    asks for, else `python`, else `python3`. pytest is chosen on its sign even where it is missing: the run
    says so, and what to do.
    """
    wanted = configured.strip()
    if wanted.lower() in _NONE:
        return TestsChosen("", "", f"they are switched off (the command is `{wanted}`)", configured=True)
    project = Project(root, sandbox)
    if wanted:
        called = _runner_called(project, wanted)
        return TestsChosen(wanted, called, "it is set so", configured=True)
    return _detected(project, hints(project)) or TestsChosen(
        "", "", "nothing in the repository says how its tests are run; name a command in `verification.test`"
    )


def choose_more(
    root: Path, sandbox: Sandbox, chosen: TestsChosen, changed: Sequence[str]
) -> list[TestsChosen]:
    """The tests of projects below the root that `chosen`, the root's command, does not run: at most 10.

    For each path in `changed` (relative to the root, `/` between folders) it is the nearest folder above it
    that is a project with tests. Where the root has no tests and nothing is known to be changed, all projects
    below count, the nearest first. There are none beside a configured command, and beside `none`.
    """
    if chosen.configured:
        return []
    top = Project(root, sandbox)
    if changed:
        places: Iterator[list[str]] = (_above(path) for path in changed)
    else:
        places = ([folder] for folder in ([] if chosen.command else _projects(top)))
    runner = named(chosen.runner)
    more: dict[str, TestsChosen] = {}
    looked: dict[str, TestsChosen | None] = {}
    for folders in places:
        for folder in folders:
            if folder not in looked:
                looked[folder] = _project_in(root, folder, sandbox)
            found = looked[folder]
            if found is None:
                continue
            above = [] if changed else [one for one in more.values() if folder.startswith(f"{one.folder}/")]
            if not _covered(top, runner, found) and not any(
                _inside(root, sandbox, one, found) for one in above
            ):
                more[folder] = found
            break
        if len(more) == MOST_PROJECTS:
            break
    return list(more.values())


def choose_setup(root: Path, configured: str, sandbox: Sandbox, chosen: Sequence[TestsChosen]) -> SetupChosen:
    """The command that prepares a checkout for the tests in `chosen`, and why it is needed.

    `configured` wins; `none` and `off` mean no set-up. Else it installs what the projects' own files name
    and is not there, into the checkout only. It is run in `root`. An empty command: nothing is missing.
    """
    wanted = configured.strip()
    if wanted.lower() in _NONE:
        return SetupChosen("", f"it is set to `{wanted}`", configured=True)
    if wanted:
        return SetupChosen(wanted, "it is set so", configured=True)
    commands: list[str] = []
    reasons: list[str] = []
    for one in chosen:
        runner = named(one.runner)
        command, why = runner.setup(Project(root / one.folder, sandbox)) if runner else ("", "")
        if command:
            commands.append(f"(cd {shlex.quote(one.folder)} && {command})" if one.folder else command)
            reasons.append(one_line(f"{one.folder}: {why}" if one.folder else why))
    if not commands:
        return SetupChosen("", "nothing that the project's files name is missing")
    return SetupChosen(" && ".join(commands), "; ".join(reasons))


def select(chosen: TestsChosen, selector: str) -> str:
    """The command that runs only what `selector` names, in the runner's own words (`tests/test_a.py -k tabs`).

    Each word is quoted. Where the command's runner can't be narrowed, it is the whole command, unchanged.
    """
    return narrowed(chosen, "selector", _words(selector))


def narrowed(chosen: TestsChosen, to: To, words: Sequence[str]) -> str:
    """The command that runs only what `words` name, which are quoted by it; unchanged where that can't be."""
    narrow = _narrow(chosen, to)
    return narrow(chosen.command, words) if words and narrow else chosen.command


def can_narrow(chosen: TestsChosen, to: To) -> bool:
    """Whether a run of this command can be narrowed to words of its own, test cases, test files, or to what is
    related to changed files."""
    runner = named(chosen.runner)
    return _narrow(chosen, to) is not None or (
        to == "related" and runner is not None and runner.related_files is not None
    )


def is_test_file(chosen: TestsChosen, path: str) -> bool:
    """Whether tests live at `path`, relative to the root of the repository. Of a runner that is not known,
    it is so where tests of any runner live."""
    if chosen.folder and not path.startswith(f"{chosen.folder}/"):
        return False
    runner = named(chosen.runner)
    inside = path.removeprefix(f"{chosen.folder}/") if chosen.folder else path
    return any(re.fullmatch(one.tests, inside) for one in ([runner] if runner else RUNNERS))


def tests_inline(chosen: TestsChosen) -> bool:
    """Whether tests live in the files of the source as well."""
    runner = named(chosen.runner)
    return runner is not None and runner.inline


# --- one project ------------------------------------------------------------------------------------------


def _detected(project: Project, said: Sequence[Hint], folder: str = "") -> TestsChosen | None:
    for runner in RUNNERS if said else ():
        # Of a line only its last command, which is what `called` is about: a line can hold thousands.
        hint = next(
            (hint for hint in said if not runner.wraps and runner.called.search(last_call(hint.line)[1])),
            None,
        )
        sign = runner.sign(project) if hint else ""
        if hint and sign:
            why = f"{runner.why}: {one_line(sign)}; the CI's job `{one_line(hint.job)[:80]}` calls {runner.name}"
            return TestsChosen(runner.command(project), runner.name, why, folder)
    for runner in RUNNERS:
        sign = runner.sign(project)
        if sign:
            return TestsChosen(
                runner.command(project), runner.name, f"{runner.why}: {one_line(sign)}", folder
            )
    return None


def _runner_called(project: Project, command: str) -> str:
    """Of several that are called alike, such as `npm test`, the one whose sign is there."""
    called = [runner for runner in RUNNERS if runner.called.search(command)]
    shown = (runner for runner in called if len(called) > 1 and runner.sign(project))
    runner = next(shown, called[-1] if called else None)
    return runner.name if runner else ""


def _narrow(chosen: TestsChosen, to: To) -> Narrow | None:
    runner = named(chosen.runner)
    if runner is None:
        return None
    ways = {
        "selector": runner.select,
        "cases": runner.cases,
        "files": runner.files,
        "related": runner.related,
    }
    return ways[to]


def _words(selector: str) -> list[str]:
    try:
        return shlex.split(selector)
    except ValueError:  # a quote that is not closed
        return selector.split()


# --- projects below the root ------------------------------------------------------------------------------


def _above(path: str) -> list[str]:
    """The folders above a file, the nearest first, without the root; none in folders that are left out."""
    parents = PurePosixPath(path).parents
    if any(part in LEFT_OUT or part.startswith(".") for part in PurePosixPath(path).parts[:-1]):
        return []
    return [str(parent) for parent in parents if str(parent) not in (".", "/")]


def _projects(top: Project) -> Iterator[str]:
    manifest = re.compile("|".join(f"(?:{runner.manifest})" for runner in RUNNERS if runner.manifest))
    seen: dict[str, None] = {}
    for path in top.files:
        folder, _, name = path.rpartition("/")
        if folder and folder not in seen and (manifest.fullmatch(name) or _MANIFESTS.fullmatch(name)):
            seen[folder] = None
            yield folder


# Of runners whose entry leaves it to their sign. A name too many costs a look, no more.
_MANIFESTS = re.compile(
    r"go\.(mod|work)|Cargo\.toml|pom\.xml|(build|settings)\.gradle(\.kts)?|Gemfile|Rakefile|composer\.json"
    r"|phpunit\.xml(\.dist)?|CMakeLists\.txt|meson\.build|mix\.exs|[^/]+\.(sln|csproj|fsproj)|(GNUm|m|M)akefile"
)


def _project_in(root: Path, folder: str, sandbox: Sandbox) -> TestsChosen | None:
    """The tests of a folder, if it is a project of its own. Links on the way to it are not followed."""
    place = root / folder
    if not place.is_dir() or place.resolve() != root.resolve() / folder:
        return None
    project = Project(place, sandbox)
    found = _detected(project, (), folder)
    runner = named(found.runner) if found else None
    if found is None or runner is None:
        return None
    own = runner.manifest or "|".join(map(re.escape, [runner.sign(project)]))
    return found if any("/" not in path and re.fullmatch(own, path) for path in project.files) else None


def _covered(project: Project, runner: Runner | None, found: TestsChosen, below: str = "") -> bool:
    """Whether the command of `runner` in `project` runs the tests that were found in a folder below it."""
    other = named(found.runner)
    alike = runner is not None and other is not None and runner.language in ("", other.language)
    folder = found.folder.removeprefix(f"{below}/") if below else found.folder
    return runner is not None and alike and runner.covers(project, folder)


def _inside(root: Path, sandbox: Sandbox, outer: TestsChosen, found: TestsChosen) -> bool:
    return _covered(Project(root / outer.folder, sandbox), named(outer.runner), found, outer.folder)
