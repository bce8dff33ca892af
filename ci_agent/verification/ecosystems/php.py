"""PHP: PHPUnit, and Pest, which is called the same way.

Entries of data and the pure functions in them; nothing is run here. Flags: `phpunit --help`. The order of tests
is fixed unless the project says otherwise; there is no variable for a seed. PHPUnit measures coverage only with
an extension of PHP, and in none of the formats read here, so that there is none. Pest and set-up by Composer are from
the documentation.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ci_agent.verification.ecosystems.words import appended, call, escaped, into
from ci_agent.verification.project import Project
from ci_agent.verification.runner import Report, Runner

_SETTINGS = r"phpunit(\.dist)?\.xml|phpunit\.xml\.dist"
_PHPUNIT = r"(?:php )?(?:\S*/)?(?:phpunit|pest)(?:\.phar)?"


def _required(project: Project, package: str) -> bool:
    manifest = project.json("composer.json")
    return any(
        isinstance(manifest.get(key), dict) and package in manifest[key] for key in ("require", "require-dev")
    )


def _sign(project: Project) -> str:
    named = any(_required(project, package) for package in ("phpunit/phpunit", "pestphp/pest"))
    return next(project.matching(_SETTINGS), "") or ("composer.json" if named else "")


def _command(project: Project) -> str:
    if _required(project, "pestphp/pest"):
        return "vendor/bin/pest"
    installed = _required(project, "phpunit/phpunit") or project.has("vendor/bin/phpunit")
    return "vendor/bin/phpunit" if installed else "phpunit"


def _setup(project: Project) -> tuple[str, str]:
    if "composer.json" not in project.files or project.has("vendor/autoload.php"):
        return "", ""
    return "composer install --no-interaction --no-progress", "vendor/autoload.php is made by Composer"


def _filtered(command: str, names: Sequence[str]) -> str:
    """`--filter` compares an expression with `Namespace\\Class::test with data set …`."""
    return appended(command, ["--filter", f"/{'|'.join(dict.fromkeys(names))}/"])


def _pattern(text: str) -> str:
    return escaped(text).replace("/", r"\/")


def _files(command: str, paths: Sequence[str]) -> str:
    """A class is called as its file is. More than one path was not allowed for long."""
    return _filtered(command, [rf"(^|\\){_pattern(PurePosixPath(path).stem)}::" for path in paths])


def _cases(command: str, ids: Sequence[str]) -> str:
    """Ids are `Namespace.Class::test`, with dots as JUnit has them."""
    parts = [case.rpartition("::") for case in ids]
    return _filtered(
        command,
        [
            f"^{_pattern(group).replace(chr(92) + '.', '[.' + chr(92) * 2 + ']')}::{_pattern(name)}$"
            for group, _, name in parts
        ],
    )


def _with_report(command: str, folder: Path) -> str:
    return into(command, _PHPUNIT, f"--log-junit {shlex.quote(str(folder / 'phpunit.xml'))}")


RUNNERS = (
    Runner(
        name="phpunit",
        manifest=r"composer\.json",
        language="PHP",
        why="the project uses PHPUnit",
        sign=_sign,
        command=_command,
        called=call(_PHPUNIT),
        setup=_setup,
        tests=r"(.*/)?tests?/.*|(.*/)?[^/]+Test\.php",
        reports=(Report(format="junit", command=_with_report),),
        select=lambda command, words: appended(
            command, words if re.match(r"-|.*\.php$|.*/", words[0]) else ["--filter", words[0]]
        ),
        files=_files,
        cases=_cases,
    ),
)
