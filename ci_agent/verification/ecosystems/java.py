"""Java, Kotlin and the like: Maven and Gradle, by the project's own wrapper where it has one.

Entries of data and the pure functions in them; nothing is run here. Sources:
https://maven.apache.org/surefire/maven-surefire-plugin/test-mojo.html and
https://docs.gradle.org/current/userguide/java_testing.html. Both fetch what they need by themselves, so that
there is no set-up. The order of JUnit's tests is fixed; there is no seed to set. Where JaCoCo's reports lie is from
the documentation of its plugins.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from ci_agent.verification.ecosystems.words import appended, call, into, named
from ci_agent.verification.project import Project
from ci_agent.verification.runner import Report, Runner

_TESTS = r"(.*/)?src/\w*[tT]est\w*/.*"
_MOST_MODULES = 500  # of a build, looked at
_MVN = r"(?:sh )?(?:\S*/)?mvnw?"
_GRADLE = r"(?:sh )?(?:\S*/)?gradlew?"


def _started(project: Project, wrapper: str, program: str) -> str:
    """Wrappers are committed without the right to execute more often than not."""
    return f"sh {wrapper}" if wrapper in project.files else program


def _classes(paths: Sequence[str]) -> list[str]:
    """The classes of test files, qualified where the path tells: `src/test/java/org/x/FooTest.java`."""
    names = []
    for path in paths:
        match = re.fullmatch(r"(?:.*/)?src/\w+/(?:java|kotlin|groovy|scala)/(.+)\.\w+", path)
        names.append(match[1].replace("/", ".") if match else PurePosixPath(path).stem)
    return list(dict.fromkeys(names))


def _parted(ids: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Class and method of ids as JUnit XML has them, `org.x.FooTest::adds(int)[1]`.

    What stands behind the name of the method is made by parameters and is no word of the tools. A name that
    is none of Java (a display name, a Kotlin name with blanks) gives the class alone.
    """
    for case in ids:
        group, _, name = case.rpartition("::")
        method = re.fullmatch(r"([\w$]+)(?:[(\[{].*)?", name, re.DOTALL)
        yield (group, method[1] if method else "") if group else (name, "")


# --- Maven --------------------------------------------------------------------------------------------------

_MAVEN = "--no-transfer-progress --fail-at-end -Dmaven.test.failure.ignore=false "  # every module, and a true exit code


def _maven(project: Project) -> str:
    """`verify` where failsafe runs tests of its own in the phase after `test`."""
    integration = project.first(r"(.*/)?pom\.xml", r"<artifactId>\s*maven-failsafe-plugin\s*<")
    return f"{_started(project, 'mvnw', 'mvn')} -B {_MAVEN}{'verify' if integration else 'test'}"


def _maven_covers(project: Project, folder: str) -> bool:
    """The modules of the build, and theirs."""
    reached, left = {""}, [""]
    while left and len(reached) < _MOST_MODULES:
        here = left.pop()
        for module in re.findall(r"<module>([^<>]*)</module>", project.text(posixpath.join(here, "pom.xml"))):
            below = posixpath.normpath(posixpath.join(here, module.strip()))
            if below not in reached and not below.startswith(".."):
                reached.add(below)
                left.append(below)
    return posixpath.normpath(folder) in reached


def _maven_only(command: str, tests: str) -> str:
    """Modules without these tests are no failure; the property has another name in surefire 2, 3 and failsafe."""
    words = [f"-Dtest={tests}", f"-Dit.test={tests}", "-DfailIfNoTests=false"]
    words += [f"-D{plugin}.failIfNoSpecifiedTests=false" for plugin in ("surefire", "failsafe")]
    return appended(command, words)


def _maven_cases(command: str, ids: Sequence[str]) -> str:
    methods: dict[str, dict[str, None]] = {}
    for group, method in _parted(ids):
        methods.setdefault(group, {})[method] = None
    tests = (group if "" in names else f"{group}#{'+'.join(names)}" for group, names in methods.items())
    return _maven_only(command, ",".join(tests))


def _maven_select(command: str, words: Sequence[str]) -> str:
    return appended(command, words) if words[0].startswith("-") else _maven_only(command, ",".join(words))


# --- Gradle -------------------------------------------------------------------------------------------------

# Gradle takes over results of an earlier run or of its cache where nothing seems to have changed, and calls it
# an error when one of many projects has none of the tests that are asked for.
_INIT = """allprojects {
  tasks.withType(Test) {
    outputs.upToDateWhen { false }
    outputs.cacheIf { false }
    filter.failOnNoMatchingTests = false
  }
}
"""


def _with_init(command: str, _folder: Path) -> str:
    """The script lies beside the reports' folder, not in it, where it would be taken for a report."""
    script = '"${TMPDIR:-/tmp}/ci-agent-tests.gradle"'
    return f"printf %s {shlex.quote(_INIT)} > {script} && {into(command, _GRADLE, f'--init-script {script}')}"


def _gradle(project: Project) -> str:
    """Without the daemon, which would outlive the run."""
    return f"{_started(project, 'gradlew', 'gradle')} --no-daemon --continue test"


def _gradle_covers(project: Project, folder: str) -> bool:
    """A build runs the tests of all its projects; a folder with settings of its own is another build."""
    return not any(project.has(f"{folder}/{name}") for name in _SETTINGS)


_SETTINGS = ("settings.gradle", "settings.gradle.kts")


def _gradle_only(command: str, tests: Sequence[str]) -> str:
    return appended(command, [word for test in dict.fromkeys(tests) for word in ("--tests", test)])


def _gradle_cases(command: str, ids: Sequence[str]) -> str:
    return _gradle_only(command, [f"{group}.{method}" if method else group for group, method in _parted(ids)])


def _gradle_select(command: str, words: Sequence[str]) -> str:
    return appended(command, words) if words[0].startswith("-") else _gradle_only(command, words)


# --- the runners --------------------------------------------------------------------------------------------


def _jacoco(files: str, manifest: str) -> tuple[tuple[str, Report], ...]:
    """JaCoCo's report, where the build makes one by itself; nothing is put into the build for it."""

    def here(project: Project, _command: str) -> bool:
        return bool(project.first(manifest, "jacoco"))

    return (("JaCoCo", Report(format="jacoco", files=files, here=here)),)


def _named_by(only: Callable[[str, str], str]) -> Callable[[str, Sequence[str]], str]:
    return lambda command, paths: only(command, ",".join(_classes(paths)))


RUNNERS = (
    Runner(
        name="maven",
        language="Java",
        why="it is built by Maven",
        sign=named("pom.xml"),
        command=_maven,
        called=call(_MVN),
        tests=_TESTS,
        reports=(Report(format="junit", files="**/target/*-reports/TEST-*.xml"),),
        coverage=_jacoco("**/target/site/jacoco*/jacoco.xml", r"(.*/)?pom\.xml"),
        select=_maven_select,
        files=_named_by(_maven_only),
        cases=_maven_cases,
        covers=_maven_covers,
    ),
    Runner(
        name="gradle",
        language="Java",
        why="it is built by Gradle",
        sign=named("build.gradle", "build.gradle.kts", *_SETTINGS),
        command=_gradle,
        called=call(_GRADLE),
        tests=_TESTS,
        reports=(Report(format="junit", files="**/build/test-results/**/*.xml", command=_with_init),),
        coverage=_jacoco("**/build/reports/jacoco/**/*.xml", r"(.*/)?build\.gradle(\.kts)?"),
        select=_gradle_select,
        files=lambda command, paths: _gradle_only(command, _classes(paths)),
        cases=_gradle_cases,
        covers=_gradle_covers,
    ),
)
