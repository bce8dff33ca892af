"""Ruby: RSpec and Minitest, through Bundler where the project has a Gemfile.

Entries of data and the pure functions in them; nothing is run here. Sources: `rspec --help`, rspec-core's
`configuration_options.rb` (SPEC_OPTS outweighs everything else), `rake/testtask.rb` (TEST, TESTOPTS),
`minitest.rb` (SEED). `bin/rails test` and set-up by Bundler are from the documentation.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from ci_agent.verification.ecosystems.words import appended, call, escaped, last_call
from ci_agent.verification.project import Project
from ci_agent.verification.runner import Report, Runner

SEED = "1"
_TEST_FILE = r"test/(.*/)?(test_[^/]*|[^/]*_test)\.rb"


def _bundled(project: Project, command: str) -> str:
    return f"bundle exec {command}" if "Gemfile" in project.files else command


def _setup(project: Project) -> tuple[str, str]:
    """Into the checkout: Bundler's own choice is where only an administrator may write."""
    if "Gemfile" not in project.files:
        return "", ""
    install = "bundle config set --local path vendor/bundle && bundle install"
    return f"bundle check || {{ {install}; }}", "the Gemfile names gems that may have to be installed"


# --- RSpec --------------------------------------------------------------------------------------------------


def _rspec_sign(project: Project) -> str:
    return next(project.matching(r"\.rspec"), "") or next(project.matching(r"spec/(.*/)?[^/]+_spec\.rb"), "")


def _rspec_cases(command: str, ids: Sequence[str]) -> str:
    """Ids are `spec/a_spec.rb::full description`; RSpec runs what holds one of the descriptions in these files."""
    parts = [case.partition("::") for case in ids]
    files = dict.fromkeys(file for file, _, name in parts if name or file.endswith(".rb"))
    names = dict.fromkeys(name or ("" if file.endswith(".rb") else file) for file, _, name in parts)
    examples = [] if "" in names else [word for name in names for word in ("--example", name)]
    return appended(command, [*files, *examples])


def _rspec_options(folder: Path) -> Mapping[str, str]:
    """A formatter for us and one for people: formatters named here are in place of all others."""
    out = shlex.quote(str(folder / "rspec.json"))
    return {"SPEC_OPTS": f"--format progress --format json --out {out}"}


def _rspec_shuffled(folder: Path) -> Mapping[str, str]:
    """A seed would shuffle a suite that has an order, so only one that is shuffled anyway gets it."""
    return {"SPEC_OPTS": f"{_rspec_options(folder)['SPEC_OPTS']} --seed {SEED}"}


def _is_shuffled(project: Project, _command: str) -> bool:
    return bool(project.first(r"\.rspec|spec/[^/]*helper\.rb", r"order\b.{0,40}\brand"))


# --- Minitest -----------------------------------------------------------------------------------------------


def _minitest_sign(project: Project) -> str:
    return next(project.matching(_TEST_FILE), "")


def _minitest_command(project: Project) -> str:
    if "bin/rails" in project.files:
        return "bin/rails test"
    if project.first(r"[Rr]akefile(\.rb)?", r"TestTask|^[ \t]*task[ (]*[:\"']?test\b"):
        return _bundled(project, "rake test")
    return _bundled(project, f"ruby -Ilib -Itest -e '{_EVERY}'")


_EVERY = 'Dir["test/**/{test_*,*_test}.rb"].sort.each { |file| require "./#{file}" }'


def _minitest_cases(command: str, ids: Sequence[str]) -> str:
    """Ids are `Class::test_name`; `--name` takes an expression over `Class#test_name`."""
    names = dict.fromkeys(re.sub(r"::(?=test_)", "#", case, count=1) for case in ids)
    option = f"--name=/^({'|'.join(escaped(name).replace('/', chr(92) + '/') for name in names)})$/"
    return _minitest_with(command, option)


def _minitest_with(command: str, option: str) -> str:
    """rake hands TESTOPTS on, and splits it as a shell would; the others take options themselves."""
    _, last = last_call(command)
    if re.search(r"\brake\b", last):
        quoted = shlex.quote(option).replace("'", "'\"'\"'")
        return f"{command} '{_OPTIONS}{quoted}'"
    separator = "" if "rails" in last or " -- " in last else "-- "
    return f"{command} {separator}{shlex.quote(option)}"


_OPTIONS = "TESTOPTS="


def _minitest_files(command: str, paths: Sequence[str]) -> str:
    """rake takes a pattern of files; a name that is a pattern itself leaves the command whole."""
    _, last = last_call(command)
    if "rails" in last:
        return appended(command, paths)
    if re.search(r"\brake\b", last) and not any(re.search(r"[*?\[\]{},]", path) for path in paths):
        return f"{command} {shlex.quote(f'TEST={{{chr(44).join(paths)}}}')}"
    return command


def _minitest_select(command: str, words: Sequence[str]) -> str:
    if all(word.endswith(".rb") for word in words):
        return _minitest_files(command, words)
    return _minitest_with(command, f"--name=/{'|'.join(escaped(word) for word in words)}/")


def _verbose(command: str, _folder: Path) -> str:
    """Before the options that narrow it, where there are some: rake takes them in one word only."""
    if f" '{_OPTIONS}" in command:
        return command.replace(f" '{_OPTIONS}", f" '{_OPTIONS}--verbose ", 1)
    return _minitest_with(command, "--verbose")


_MANIFEST = r"Gemfile|.*\.gemspec"

RUNNERS = (
    Runner(
        name="rspec",
        language="Ruby",
        why="the project uses RSpec",
        sign=_rspec_sign,
        command=lambda project: _bundled(project, "rspec"),
        called=call(r"(?:bundle exec )?(?:\S*/)?rspec"),
        setup=_setup,
        manifest=_MANIFEST,
        tests=r"spec/.*",
        reports=(
            Report(format="rspec", environment=_rspec_shuffled, here=_is_shuffled),
            Report(format="rspec", environment=_rspec_options),
        ),
        select=appended,
        files=appended,
        cases=_rspec_cases,
    ),
    Runner(
        name="minitest",
        language="Ruby",
        why="the tests are written for Minitest",
        sign=_minitest_sign,
        command=_minitest_command,
        called=call(
            r"(?:bundle exec )?(?:\S*/)?(?:rake|rails) test|(?:bundle exec )?ruby(?: -\S+)* -e '[^']*'"
        ),
        setup=_setup,
        manifest=_MANIFEST,
        tests=r"test/.*",
        reports=(Report(format="minitest", printed=True, command=_verbose),),
        seeds=("SEED",),
        select=_minitest_select,
        files=_minitest_files,
        cases=_minitest_cases,
    ),
)
