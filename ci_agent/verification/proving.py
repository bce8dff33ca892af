"""What the tests that a change adds or edits show of it: what they do against the source of the base. Pure.

A test that fails there while it runs shows what the change does. One that can't be loaded there, or names
something that only the change brings, shows less: it would fail for any name that is new. One that passes
there shows nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

from ci_agent.journal.events import Case, Result, Shown, TestsRan, Without
from ci_agent.verification.text import by_exit_code, one_line, short, whole

LONGEST_MESSAGE = 200
LONGEST_NAME = 120
NAMED = 3  # tests in a sentence
MOST_LOOKED_AT = 8_000  # characters of a text in which a reason is looked for

Belongs = Callable[[str, str], bool]


def shown(
    before: TestsRan | None,
    after: TestsRan,
    without: TestsRan | None,
    files: Sequence[str],
    belongs: Belongs,
) -> tuple[Shown, ...]:
    """What each passing test of the change does without it, in the order of `after`.

    `before` are the tests on the base and `after` those on the result; `without` are the tests of the result
    against the source of the base (None: they were not run). `files` are the test files that the change
    touches, and `belongs(id, file)` tells whether a case is in one, as far as its id does tell.

    All cases count that pass after and were not there before. Of the others, those count that do in `without`
    something else than before: the change edits them. Where ids tell files, only those in one of `files` do.
    """
    old = {case.id: case for case in before.cases} if before else {}
    new = {case.id: case for case in without.cases} if without else {}
    others = _stand_ins(after, without)
    one_of_each = {case.id.rpartition("::")[0]: case.id for case in after.cases}  # file, module or class
    telling = any(belongs(name, file) for name in one_of_each.values() for file in files)
    found = []
    for case in after.cases:
        if case.result is not Result.PASSED:
            continue
        was, now = old.get(case.id), new.get(case.id)
        if was and not (_edited(was, now) and (not telling or any(belongs(case.id, file) for file in files))):
            continue
        verdict, message = _absent(case.id, without, others) if now is None else told(now, files)
        found.append(Shown(case.id, was is None, verdict, message))
    return tuple(found)


def against(
    held: Iterable[Case],
    before: TestsRan,
    ran: TestsRan,
    own: Sequence[str],
    files: Sequence[str],
    *,
    whole: bool,
) -> dict[str, tuple[Without, str]]:
    """Which of the tests in `held`, as they are on the base, do not pass in `ran`, which has the source of the result:
    those that fail, and those that lack what they need, by id and with how they say it.

    `before` are the tests on the base, `own` the test files that `ran` was narrowed to, unless it is of all tests
    (`whole`), and `files` all that the change touches of the tests.
    """
    new = {case.id: case for case in ran.cases}
    others = _stand_ins(before, ran)
    found: dict[str, tuple[Without, str]] = {}
    for case in held:
        now = new.get(case.id)
        if now is not None:
            said = told(now, files)
        elif others and (
            whole
            or any(belongs(case.id, path) for path in own)
            or any(_holds(other.id, case.id) for other in others)
        ):
            said = _absent(case.id, ran, others)
        else:
            continue
        if said[0] in (Without.FAILS, Without.MISSING):
            found[case.id] = said
    return found


def belongs(name: str, file: str) -> bool:
    """Whether the case of this id is in this test file, as far as the id tells: many ids hold a path; those of
    unittest and Java hold a module or a class, which is called as the file."""
    head = name.partition("[")[0]
    paths = _PATH.findall(head)
    if paths:
        return any(path == file or file.endswith(f"/{path}") for path in paths)
    stem = PurePosixPath(file).name.partition(".")[0]
    return len(stem) > 1 and stem in re.split(r"[^\w$-]+", head)


_PATH = re.compile(r"[\w./-]+\.(?:py|[cm]?[jt]sx?|rs|go|rb|exs?|php|bats)(?![\w.])")


def _edited(was: Case, now: Case | None) -> bool:
    """Whether the change edits a case that was there before in a way that can be seen. One that can't be loaded
    without the change may have been left as it was."""
    if now is None or now.result is Result.SKIPPED:
        return False
    return was.result is Result.SKIPPED or was.result.bad != now.result.bad


# --- a case that was run ----------------------------------------------------------------------------------


def told(case: Case, files: Sequence[str]) -> tuple[Without, str]:
    """What a case shows that was run against another source than its own, and how it failed. `files` are the test
    files of the change."""
    if case.result is Result.PASSED:
        return Without.PASSES, ""
    if case.result is Result.SKIPPED:
        return Without.UNKNOWN, _first_line(case.message) or "skipped"
    message = _first_line(case.message)
    if _OUT_OF_TIME.search(case.message[:MOST_LOOKED_AT]):
        return Without.UNKNOWN, message
    if case.result is Result.ERROR:
        # What kept it from running, a fixture or an import, is often only in the details.
        lacking = _lacks(f"{case.message}\n{case.details}")
    else:
        # It ran. What follows the first line may be the text that it compared; only shells have more to say.
        lacking = bool(_AT_RUN.search(message) or _SHELL.search(case.message[:MOST_LOOKED_AT]))
    if lacking and not _ASSERTED.match(message) and not _by_the_source(case, files):
        return Without.MISSING, message
    return Without.FAILS, message


_ASSERTED = re.compile(r"(?:[\w.]{0,100}Assertion(?:Failed)?Error|assert )")
_SHELL = re.compile(r"^[^\n]{0,300}(?:: command not found|failed with status 127)$", re.MULTILINE)
_OUT_OF_TIME = re.compile(
    r"\bTimeout \(?>|\b(?:test|execution) timed out after\b|\bexceeded timeout of\b|\bTimeout of [\d.]+ ?ms exceeded"
    r"|\bTest timed out in\b|\bTimeoutException\b",
    re.IGNORECASE,
)
# How languages say while a test runs that a name is not there. A value that is none (`'NoneType' object has no
# attribute`) is no missing name but a fault.
_AT_RUN = re.compile(
    r"\b(?:ImportError|ModuleNotFoundError|NameError):|cannot import name|No module named"  # Python
    r"|(?<!'NoneType' object )has no attribute|unexpected keyword argument|takes .{0,40} positional argument"
    r"|is not a function\b|is not a constructor|is not defined\b|Cannot find module|ERR_MODULE_NOT_FOUND"
    r"|does not provide an export"  # JavaScript
    r"|\bNoSuch(?:Method|Field)Error|NoClassDefFoundError|ClassNotFoundException"  # Java
    r"|undefined (?:local variable or )?method|uninitialized constant|wrong number of arguments|LoadError"  # Ruby
    r"|Call to undefined (?:function|method)|Class .{1,200} not found|Undefined constant"  # PHP
    r"|UndefinedFunctionError|is undefined \(module|is undefined or private"  # Elixir
    r"|: command not found|failed with status 127"  # shells, Bats
)
# And before: when a file is loaded or a program is built.
_AT_BUILD = re.compile(
    r"\bSyntaxError:|has no exported member|Cannot find name|TS2\d{3}:"  # Python, JavaScript, TypeScript
    r"|\bundefined: |\[(?:build|setup) failed\]|not enough arguments in call|too many arguments in call"  # Go
    r"|has no field or method|unknown field|no required module provides"
    r"|cannot find symbol|package .{1,200} does not exist|COMPILATION ERROR|Compilation failed"  # Java
    r"|cannot be applied to given types|Unresolved reference"
    r"|\berror\[E\d{4}\]|unresolved import|could not compile"  # Rust
    r"|undefined function|CompileError"  # Elixir
    r"|was not declared in this scope|undeclared|undefined reference|has no member|error CS\d{4}"  # C, C++, C#
)


def _lacks(text: str) -> bool:
    """Whether a text about what could not be loaded, built or set up names something that is not there."""
    text = text[:MOST_LOOKED_AT]
    return bool(_AT_RUN.search(text) or _AT_BUILD.search(text))


_PYTHON_PLACE = re.compile(r"^(\S{1,400}\.py):\d{1,7}: \w*(?:Attribute|Name|Type)Error$", re.MULTILINE)


def _by_the_source(case: Case, files: Sequence[str]) -> bool:
    """Whether pytest says that the last frame of the failure is not the test's: then the source of the base was
    running, and names a thing that it does not have itself."""
    places = _PYTHON_PLACE.findall(case.details[-MOST_LOOKED_AT:])
    if not places:
        return False
    return places[-1] not in files and not places[-1].endswith("conftest.py")


# --- a case that was not run ------------------------------------------------------------------------------


def _stand_ins(after: TestsRan, without: TestsRan | None) -> tuple[Case, ...]:
    """What failed without the change and is no test of the result: a file that can't be loaded, a package that
    can't be built, the command as a whole."""
    if without is None:
        return ()
    tests = {case.id for case in after.cases}
    return tuple(case for case in without.cases if case.result.bad and case.id not in tests)


def _absent(name: str, without: TestsRan | None, stand_ins: Sequence[Case]) -> tuple[Without, str]:
    """Of a case that `without` does not have: whether what holds it could not be loaded."""
    if without is None:
        return Without.UNKNOWN, ""
    for case in stand_ins:
        if _holds(case.id, name):
            return Without.MISSING, _reason(case) or _first_line(case.message)
    commands = (whole(without.command), by_exit_code(without.command))
    for case in stand_ins:
        if case.id in commands and _lacks(f"{case.message}\n{case.details[-MOST_LOOKED_AT // 2 :]}"):
            return Without.MISSING, _reason(case)
    return Without.UNKNOWN, short(one_line(without.problem), LONGEST_MESSAGE)


def _holds(group: str, name: str) -> bool:
    """Whether a case that failed stands for the file, class or package of another one."""
    return name.startswith(group) and name[len(group) : len(group) + 1] in (":", ".", "/", " ", "#")


def _reason(case: Case) -> str:
    """The first line that names what is missing; nothing where none does."""
    lines = f"{case.message}\n{case.details[-MOST_LOOKED_AT // 2 :]}".splitlines()
    said = next((line for line in lines if _lacks(line)), "")
    return _first_line(re.sub(r"^E\s+", "", said))


def _first_line(text: str) -> str:
    return short(one_line(text.strip().partition("\n")[0].strip()), LONGEST_MESSAGE)


# --- what it comes to -------------------------------------------------------------------------------------


def proves(cases: Iterable[Shown]) -> bool:
    """Whether a test shows what the change does: it fails without the change, while it runs."""
    return any(case.without is Without.FAILS for case in cases)


_ORDER = (Without.FAILS, Without.PASSES, Without.MISSING, Without.UNSTEADY, Without.UNKNOWN)


def sentence(cases: Sequence[Shown]) -> str:
    """All cases in a sentence, those that show the change first; nothing where there is no case."""
    if not cases:
        return ""
    kinds = Counter(case.without for case in cases)
    if len(kinds) == 1:
        (kind,) = kinds
        return f"{_tests(cases)}{_alone(kind, len(cases))}{_names(cases, kind)}."
    parts = [
        f"{kinds[kind]:,} {_does(kind, kinds[kind])}{_names(cases, kind)}" for kind in _ORDER if kinds[kind]
    ]
    return f"Of {_tests(cases)}: {'; '.join(parts)}."


def _tests(cases: Sequence[Shown]) -> str:
    """`3 new tests`, `1 edited test`, `2 new and 1 edited tests`."""
    added = sum(case.added for case in cases)
    numbers = {"new": added, "edited": len(cases) - added}
    said = " and ".join(f"{number:,} {word}" for word, number in numbers.items() if number)
    return f"{said} {'test' if len(cases) == 1 else 'tests'}"


def _alone(kind: Without, number: int) -> str:
    does = _does(kind, number)
    return f": {does}" if kind is Without.FAILS else f" {does}"


def _does(kind: Without, number: int) -> str:
    s = "s" if number == 1 else ""
    they, need, was = ("it", "needs", "was") if number == 1 else ("they", "need", "were")
    return {
        Without.PASSES: f"pass{s and 'es'} without the change as well",
        Without.FAILS: f"fail{s} without the change, pass{s and 'es'} with it",
        Without.MISSING: f"can't run without the change ({they} {need} what it adds), pass{s and 'es'} with it",
        Without.UNSTEADY: f"pass{s and 'es'} one time and fail{s} another, so {they} show{s} nothing",
        Without.UNKNOWN: f"pass{s and 'es'} with the change, and {was} not run to the end without it",
    }[kind]


def _names(cases: Sequence[Shown], kind: Without) -> str:
    """Which ones, where they show nothing; of many not, where others do."""
    names = [case.id for case in cases if case.without is kind]
    if kind is not Without.PASSES or (len(names) > NAMED and proves(cases)):
        return ""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ": " + ", ".join(f"`{short(name, LONGEST_NAME)}`" for name in names[:NAMED]) + more
