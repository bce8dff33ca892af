"""JavaScript and TypeScript: the test script of package.json, and the framework behind it.

Results by test case come from the framework where what is put after the command really reaches it: the script
is a plain call of it, or ends in one after `&&`. Otherwise the script is known by its exit code. Data, and
functions that look at names and beginnings of files; nothing is run here.

Options: https://jestjs.io/docs/cli, https://vitest.dev/guide/cli, https://mochajs.org, and
https://nodejs.org/api/test.html, tried with jest 30, vitest 4, mocha 12, ava 7 and Node 20 and 22. node:test takes
reporters in NODE_OPTIONS, but in Node 20 no names of tests and in neither its coverage.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ci_agent.verification.ecosystems.words import appended, call, escaped
from ci_agent.verification.project import Project
from ci_agent.verification.runner import Narrow, Report, Runner

_MANAGERS = {"pnpm": "pnpm-lock.yaml", "yarn": "yarn.lock", "npm": "package-lock.json"}
_SCRIPT = r"(?:npm|pnpm|yarn) (?:run )?test"
_TESTS = (
    r"(.*/)?((__snapshots__|__mocks__|__fixtures__|_{0,2}(tests?|specs?)_{0,2})/.*"
    r"|([^/]+[._-])?(test|spec)\.[cm]?[jt]sx?|test-[^/]+\.[cm]?js)"
)


# --- what package.json says -------------------------------------------------------------------------------


def script(project: Project) -> str:
    """The test script in package.json; nothing where there is only what `npm init` writes where there are no tests."""
    scripts = project.json("package.json").get("scripts") if "package.json" in project.files else None
    test = scripts.get("test") if isinstance(scripts, dict) else None
    return test.strip() if isinstance(test, str) and "no test specified" not in test else ""


def _last(command: str, program: str) -> bool:
    """Whether the last part of the command is a plain call of `program` (a pattern)."""
    last = command.rpartition("&&")[2].strip()
    start = r"(?:(?:cross-env|npx|c8|nyc|\w+=[\w.,:/-]*) +)*(?:\S*/)?"
    return re.fullmatch(rf"{start}(?:{program})(?: [^;&|<>()`]*)?", last) is not None


def _sign(program: str) -> Callable[[Project], str]:
    return lambda project: "package.json" if _last(script(project), program) else ""


def _manager(project: Project) -> str:
    """The package manager the project says it uses, where it is there to be used; else npm."""
    said = str(project.json("package.json").get("packageManager", "")).partition("@")[0]
    locks = [name for name, lock in _MANAGERS.items() if lock in project.files]
    wanted = said if said in _MANAGERS else next(iter(locks), "npm")
    return wanted if wanted == "npm" or project.on_path(wanted) else "npm"


def _command(project: Project) -> str:
    return f"{_manager(project)} test"


def _setup(project: Project) -> tuple[str, str]:
    manifest = project.json("package.json")
    needs = any(manifest.get(key) for key in ("dependencies", "devDependencies", "workspaces"))
    if not needs or (project.root / "node_modules").is_dir() or project.has(".pnp.cjs"):
        return "", ""
    manager = _manager(project)
    locked = _MANAGERS[manager] in project.files
    if manager == "npm":
        locked = locked or "npm-shrinkwrap.json" in project.files
        command = f"npm {'ci' if locked else 'install'} --no-audit --no-fund"
    else:
        frozen = "--immutable" if "berry" in _yarn(project) else "--frozen-lockfile"
        command = f"{manager} install" + (f" {frozen}" if locked else "")
    return command, "package.json names packages and node_modules is not there"


def _yarn(project: Project) -> str:
    """`berry` for yarn from 2 on, which keeps its settings in a file of its own; it knows another option."""
    return "berry" if ".yarnrc.yml" in project.files and _manager(project) == "yarn" else "classic"


def _workspaces(project: Project) -> list[str]:
    said = project.json("package.json").get("workspaces")
    said = said.get("packages") if isinstance(said, dict) else said
    patterns = [pattern for pattern in said if isinstance(pattern, str)] if isinstance(said, list) else []
    pnpm = re.findall(r"^[ \t]*-[ \t]*['\"]?([^'\"#\s]+)", project.text("pnpm-workspace.yaml"), re.MULTILINE)
    return [*patterns, *pnpm] if "pnpm-workspace.yaml" in project.files else patterns


_EACH = re.compile(r"--workspaces|(?:^|\s)(?:-ws|-r|--recursive|lerna|turbo|nx|wsrun|foreach)\b")


def _covers(project: Project, folder: str) -> bool:
    """The root's script runs what it names, and all workspaces where it says so."""
    said = script(project)
    if re.search(rf"(?<![\w/-]){re.escape(folder)}(?![\w-])", said):
        return True
    inside = any(PurePosixPath(folder).match(pattern.strip("./")) for pattern in _workspaces(project))
    return inside and bool(_EACH.search(said))


def _covers_below(project: Project, folder: str) -> bool:
    """jest and vitest look for tests everywhere below the root."""
    return "package.json" in project.files and not project.has(f"{folder}/node_modules/.bin/jest")


# --- narrowing --------------------------------------------------------------------------------------------


def _with(command: str, words: Sequence[str]) -> str:
    """npm hands on what stands after ` -- `; pnpm, yarn and the frameworks themselves take it as it is."""
    own = re.search(r"\bnpm (?:run )?test\b", command) and not re.search(r"\bpnpm ", command)
    dashes = ["--"] if own and " -- " not in f"{command} " else []
    return appended(command, [*dashes, *words])


def _named(ids: Sequence[str]) -> tuple[list[str], str]:
    """The files that ids begin with, and an expression for the full names of their cases, suites in front."""
    files: list[str] = []
    names: list[str] = []
    for case in ids:
        file, _, name = re.sub(r"#\d+'*$", "", case).partition("::")
        if name and re.search(r"\.[cm]?[jt]sx?$", file):
            files.append(file)
        else:
            name = f"{file}::{name}" if name else file
        names.append(_title(name))
    return list(dict.fromkeys(files)), f"^ *({'|'.join(dict.fromkeys(names))}) *$"


_BETWEEN = re.compile("(::| > | \u203a )")


def _title(name: str) -> str:
    """In a full name a blank stands between a suite and what is in it, but titles can hold what ids have there."""
    parts = _BETWEEN.split(name)  # every other one stands between
    return "".join(f"( |{escaped(part)})" if n % 2 else escaped(part) for n, part in enumerate(parts))


def _jest_cases(command: str, ids: Sequence[str]) -> str:
    files, names = _named(ids)
    return _with(command, [*(["--runTestsByPath", *files] if files else []), "-t", names])


def _jest_files(command: str, paths: Sequence[str]) -> str:
    return _with(command, ["--runTestsByPath", *paths])


def _jest_related(command: str, paths: Sequence[str]) -> str:
    return _with(command, ["--passWithNoTests", "--findRelatedTests", *paths])


def _vitest_cases(command: str, ids: Sequence[str]) -> str:
    files, names = _named(ids)
    return _with(command, [*files, "-t", names])


def _vitest_related(_command: str, paths: Sequence[str]) -> str:
    """A subcommand of its own: what the project's script says beside `vitest` is not part of it."""
    return appended("npx --no-install vitest related --run --passWithNoTests", paths)


def _mocha_cases(command: str, ids: Sequence[str]) -> str:
    """By name alone: files on its command line would be added to those that the project names."""
    return _with(command, ["--grep", _named(ids)[1]])


# --- reports ----------------------------------------------------------------------------------------------


def _adds(*words: str) -> Callable[[str, Path], str]:
    """Puts words after the command, in which `{}` is our folder."""
    return lambda command, folder: _with(command, [word.replace("{}", str(folder)) for word in words])


def _node_options(folder: Path) -> Mapping[str, str]:
    """The usual words for people, and JUnit XML beside them. A path with a blank would be two words."""
    own = f'--test-reporter=junit "--test-reporter-destination={folder}/node.xml"'
    return {"NODE_OPTIONS": f"--test-reporter=spec --test-reporter-destination=stdout {own}"}


def _unless(*options: str) -> Callable[[Project, str], bool]:
    """Where the project gives these options itself, twice would be refused, or its own report would be lost."""
    return lambda project, command: not any(option in f"{script(project)} {command}" for option in options)


def _c8(command: str, folder: Path) -> str:
    return (
        f"npx --no-install c8 --reporter=lcovonly --reports-dir={shlex.quote(str(folder))} "
        f"--temp-directory={shlex.quote(f'{folder}/v8')} {command}"
    )


def _node_coverage(_command: str, folder: Path) -> str:
    lcov = shlex.quote(f"--test-reporter-destination={folder}/lcov.info")
    return f"node --experimental-test-coverage --test-reporter=lcov {lcov} --test"


def _in_modules(*names: str) -> Callable[[Project, str], bool]:
    return lambda project, _command: any((project.root / "node_modules" / name).exists() for name in names)


def _plain_command(project: Project, command: str) -> bool:
    return script(project) == "node --test" and re.fullmatch(_SCRIPT, command) is not None


_C8 = (
    "c8",
    Report(
        format="lcov",
        command=_c8,
        here=lambda project, command: (
            _in_modules("c8")(project, command) and re.fullmatch(rf"{_SCRIPT}( .*)?", command) is not None
        ),
    ),
)


# --- the runners ------------------------------------------------------------------------------------------


_ANY = Runner(
    name="npm test",
    language="JavaScript",
    why="there is a test script",
    sign=lambda project: "package.json" if script(project) else "",
    command=_command,
    called=call(_SCRIPT),
    setup=_setup,
    tests=_TESTS,
    coverage=(_C8,),
    select=_with,
    manifest=r"package\.json",
    covers=_covers,
)


def _framework(
    name: str,
    program: str,
    report: Report,
    *,
    files: Narrow | None = None,
    cases: Narrow | None = None,
    related: Narrow | None = None,
) -> Runner:
    return replace(
        _ANY,
        name=name,
        why=f"its test script calls {name}",
        sign=_sign(program),
        called=call(rf"(?:{_SCRIPT}|(?:npx (?:--no-install )?|(?:yarn|pnpm)(?: exec)? |\S*/)?(?:{program}))"),
        reports=(report,),
        files=files,
        cases=cases,
        related=related,
    )


_JEST = replace(
    _framework(
        "jest",
        "jest",
        Report(
            format="jest",
            command=_adds("--json", "--outputFile={}/jest.json"),
            here=_unless("--json", "--outputFile"),
        ),
        files=_jest_files,
        cases=_jest_cases,
        related=_jest_related,
    ),
    coverage=(
        (
            "jest",
            Report(
                format="lcov",
                command=_adds("--coverage", "--coverageReporters=lcovonly", "--coverageDirectory={}"),
            ),
        ),
    ),
    covers=_covers_below,
)
# Without a terminal it runs once and ends; `--run` would be refused where the script has it already.
_VITEST = replace(
    _framework(
        "vitest",
        r"vitest(?: run)?",
        Report(
            format="junit",
            command=_adds("--reporter=default", "--reporter=junit", "--outputFile.junit={}/vitest.xml"), here=_unless("--outputFile"),
        ),
        files=_with,
        cases=_vitest_cases,
        related=_vitest_related,
    ),
    coverage=(
        (
            "vitest",
            Report(
                format="lcov",
                command=_adds(
                    "--coverage.enabled", "--coverage.reporter=lcovonly", "--coverage.reportsDirectory={}"
                ),
                here=_in_modules("@vitest/coverage-v8", "@vitest/coverage-istanbul"),
            ),
        ),
    ),
    covers=_covers_below,
)  # fmt: skip
_MOCHA = _framework(
    "mocha",
    "mocha",
    Report(
        format="mocha",
        command=_adds("--reporter=json", "--reporter-option=output={}/mocha.json"),
        here=_unless("--reporter-option", " -O"),
    ),
    cases=_mocha_cases,
)
_AVA = _framework(
    "ava", "ava", Report(format="tap", command=_adds("--tap"), printed=True, here=_unless("--tap"))
)
_NODE = replace(
    _framework(
        "node:test",
        r"(?>node (?:\S+ )*?--test(?=\s|$))",
        Report(format="junit", environment=_node_options, here=_unless("--test-reporter")),
    ),
    coverage=(
        _C8,
        ("node:test", Report(format="lcov", command=_node_coverage, here=_plain_command)),
    ),
)

RUNNERS = (_JEST, _VITEST, _MOCHA, _AVA, _NODE, _ANY)
