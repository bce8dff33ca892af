from __future__ import annotations

import importlib
import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.verification import choose
from ci_agent.verification.ecosystems import named
from ci_agent.verification.project import Project
from ci_agent.verification.runner import Runner
from tests.verification.ecosystem_projects import MAVEN, laid_out
from tests.verification.projects import sandbox

LANGUAGES = ("go", "rust", "java", "ruby", "php", "c", "dotnet", "elixir", "shell")
RUNNERS: dict[str, Runner] = {
    runner.name: runner
    for language in LANGUAGES
    for runner in importlib.import_module(f"ci_agent.verification.ecosystems.{language}").RUNNERS
}
GEMFILE = {"Gemfile": "gem 'rspec'\n"}


def ctest(folder: str) -> str:
    build = f'cmake --build {folder} --parallel "$(getconf _NPROCESSORS_ONLN)"'
    return f"cmake -S . -B {folder} && {build} && cd {folder} && ctest --output-on-failure"


def only(tests: str) -> str:
    """What Maven is told so that it runs these tests only."""
    words = [f"-Dtest={tests}", f"-Dit.test={tests}", "-DfailIfNoTests=false"]
    words += ["-Dsurefire.failIfNoSpecifiedTests=false", "-Dfailsafe.failIfNoSpecifiedTests=false"]
    return f"mvn test {shlex.join(words)}"


MVN = "-B --no-transfer-progress --fail-at-end -Dmaven.test.failure.ignore=false"
PEST = json.dumps({"require-dev": {"pestphp/pest": "^3"}})
PHPUNIT = json.dumps({"require-dev": {"phpunit/phpunit": "^11"}})
CSPROJ = '<ItemGroup><PackageReference Include="Microsoft.NET.Test.Sdk" Version="17" /></ItemGroup>'


def project(tmp_path: Path, files: dict[str, str]) -> Project:
    return Project(laid_out(tmp_path / "project", files), sandbox(tmp_path))


# --- how a project is known, and called ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "name", "command"),
    [
        ({"go.mod": ""}, "go test", "go test ./..."),
        (
            {"go.work": "go 1.22\nuse ./a // main\nuse (\n\t.\n\t./b/c\n)\n"},
            "go test",
            "go test ./... ./b/c/... ./a/...",
        ),
        ({"go.work": 'use "./$x"\n'}, "go test", "go test './$x/...'"),
        ({"Cargo.toml": "[package]\n"}, "cargo test", "cargo test"),
        ({"Cargo.toml": "[package]\n[workspace]\n"}, "cargo test", "cargo test --workspace"),
        ({"Cargo.toml": "workspace = " + "[" * 50_000}, "cargo test", "cargo test"),
        ({"pom.xml": "<project/>"}, "maven", f"mvn {MVN} test"),
        ({"pom.xml": "", "mvnw": ""}, "maven", f"sh mvnw {MVN} test"),
        (
            {"pom.xml": "", "m/pom.xml": "<artifactId> maven-failsafe-plugin </artifactId>"},
            "maven",
            f"mvn {MVN} verify",
        ),
        ({"build.gradle.kts": ""}, "gradle", "gradle --no-daemon --continue test"),
        ({"settings.gradle": "", "gradlew": ""}, "gradle", "sh gradlew --no-daemon --continue test"),
        ({".rspec": ""}, "rspec", "rspec"),
        ({"spec/deep/a_spec.rb": "", **GEMFILE}, "rspec", "bundle exec rspec"),
        (
            {"test/a_test.rb": "", "Rakefile": "Rake::TestTask.new\n", **GEMFILE},
            "minitest",
            "bundle exec rake test",
        ),
        ({"test/m/a_test.rb": "", "bin/rails": ""}, "minitest", "bin/rails test"),
        ({"phpunit.xml.dist": ""}, "phpunit", "phpunit"),
        ({"composer.json": PHPUNIT}, "phpunit", "vendor/bin/phpunit"),
        ({"composer.json": PEST, "phpunit.xml": ""}, "phpunit", "vendor/bin/pest"),
        (
            {"CMakeLists.txt": "x\n", "t/CMakeLists.txt": " Enable_Testing()\n"},
            "ctest",
            ctest("build"),
        ),
        ({"CMakeLists.txt": "include( CTest )\n"}, "ctest", ctest("build")),
        (
            {"CMakeLists.txt": "include(CTest)\n", "build/mine.txt": ""},
            "ctest",
            ctest("build-tests"),
        ),
        (
            {"meson.build": "project('x')\nsubdir('t')\n", "t/meson.build": "test('a', a)\n"},
            "meson test",
            "meson setup builddir && meson test -C builddir --print-errorlogs",
        ),
        ({"A.sln": "", "A.Tests/A.Tests.csproj": CSPROJ}, "dotnet test", "dotnet test"),
        ({"A.Tests.csproj": CSPROJ}, "dotnet test", "dotnet test"),
        ({"mix.exs": ""}, "mix test", "mix test"),
        ({"test/a.bats": "", "test/it/b.bats": "", "a b/c.bats": ""}, "bats", "bats 'a b' test test/it"),
        (
            {"test/a.bats": "", "test/bats/bin/bats": "", "test/bats/test/x.bats": ""},
            "bats",
            "test/bats/bin/bats test",
        ),
    ],
)
def test_a_project_is_known_by_its_sign_and_called_as_its_people_would(
    tmp_path: Path, files: dict[str, str], name: str, command: str
) -> None:
    found = project(tmp_path, files)
    runner = RUNNERS[name]
    assert runner.sign(found) in files
    assert runner.command(found) == command
    assert runner.called.search(command)


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"a/go.mod": "", "a/go.work": ""}, "go test"),
        ({"a/Cargo.toml": ""}, "cargo test"),
        ({"Cargo.toml": ""}, "cargo nextest"),
        ({"a/pom.xml": ""}, "maven"),
        ({"spec/helper.rb": "", "lib/a_spec.rb": ""}, "rspec"),
        ({"lib/a_test.rb": ""}, "minitest"),
        ({"composer.json": "[1"}, "phpunit"),
        ({"composer.json": '{"require": 3, "require-dev": ["phpunit/phpunit"]}'}, "phpunit"),
        ({"CMakeLists.txt": "# enable_testing()\nmy_include(CTest)\n"}, "ctest"),
        ({"meson.build": "test('x')\n"}, "meson test"),
        ({"meson.build": "project('x')\n# test('x')\nmytest ('a')\n"}, "meson test"),
        ({"A/A.csproj": CSPROJ}, "dotnet test"),
        ({"A.sln": "", "A/A.csproj": "<Project/>"}, "dotnet test"),
        ({"test/bats/test/x.bats": "", "test/test_helper/bats-assert/a.bats": ""}, "bats"),
    ],
)
def test_what_only_looks_like_a_sign_is_none(tmp_path: Path, files: dict[str, str], name: str) -> None:
    assert RUNNERS[name].sign(project(tmp_path, files)) == ""


@pytest.mark.parametrize(
    ("files", "name", "command"),
    [
        ({"go.mod": ""}, "go test", ""),
        ({"go.mod": "", "go.sum": ""}, "go test", "go mod download"),
        ({"go.mod": "", "go.sum": "", "vendor/modules.txt": ""}, "go test", ""),
        ({"Cargo.toml": "", "Cargo.lock": '[[package]]\nname = "own"\n'}, "cargo test", ""),
        ({"Cargo.toml": "", "Cargo.lock": 'source = "registry"\n'}, "cargo test", "cargo fetch --locked"),
        ({"pom.xml": ""}, "maven", ""),
        ({".rspec": ""}, "rspec", ""),
        (
            GEMFILE,
            "minitest",
            "bundle check || { bundle config set --local path vendor/bundle && bundle install; }",
        ),
        ({"composer.json": "{}"}, "phpunit", "composer install --no-interaction --no-progress"),
        ({"composer.json": "{}", "vendor/autoload.php": ""}, "phpunit", ""),
        ({"mix.exs": ""}, "mix test", ""),
        ({"mix.lock": ""}, "mix test", "mix local.hex --force --if-missing && mix deps.get"),
    ],
)
def test_set_up_is_what_a_fresh_checkout_lacks(
    tmp_path: Path, files: dict[str, str], name: str, command: str
) -> None:
    setup, why = RUNNERS[name].setup(project(tmp_path, files))
    assert setup == command
    assert bool(why) == bool(command)


@pytest.mark.parametrize(
    ("files", "name", "folder", "covered"),
    [
        ({"go.mod": "", "a/go.mod": ""}, "go test", "a", False),
        ({"go.work": "use (\n\t./a\n)\n"}, "go test", "a", True),
        ({"go.work": "use ./a\n"}, "go test", "b", False),
        ({"Cargo.toml": "[package]\n"}, "cargo test", "a", False),
        ({"Cargo.toml": "[workspace]\nmembers = ['a']\n"}, "cargo test", "a", True),
        ({"Cargo.toml": "[workspace]\nexclude = ['fuzz', 'x/*']\n"}, "cargo test", "fuzz", False),
        ({"Cargo.toml": "[workspace]\nexclude = ['fuzz', 'x/*']\n"}, "cargo test", "x/y", False),
        ({"Cargo.toml": "[workspace]\nexclude = ['fuzz', 'x/*']\n"}, "cargo test", "a", True),
        (MAVEN, "maven", "two", True),
        (MAVEN, "maven", "three", False),
        (
            {"pom.xml": "<module> a </module>", "a/pom.xml": "<module>b</module><module>..</module>"},
            "maven",
            "a/b",
            True,
        ),
        ({"settings.gradle": ""}, "gradle", "a", True),
        ({"settings.gradle": "", "a/settings.gradle.kts": ""}, "gradle", "a", False),
        (
            {"A.sln": 'Project("x") = "T", "src\\T\\T.csproj"'.replace("src\\T\\", "\\")},
            "dotnet test",
            "src/T",
            False,
        ),
        ({"A.sln": 'Project("x") = "T", "src\\T\\T.csproj"'}, "dotnet test", "src/T", True),
        ({"meson.build": "", "t/meson.build": "test('a')"}, "meson test", "t", True),
        ({"meson.build": "", "t/meson.build": " project ('a')"}, "meson test", "t", False),
        ({"CMakeLists.txt": "", "t/CMakeLists.txt": "PROJECT(x)"}, "ctest", "t", False),
        ({"test/a.bats": "", "b/c.bats": ""}, "bats", "b", True),
        ({"mix.exs": 'apps_path: "apps"'}, "mix test", "apps/a", True),
        ({"mix.exs": ""}, "mix test", "apps/a", False),
    ],
)
def test_whether_the_roots_command_runs_a_project_below(
    tmp_path: Path, files: dict[str, str], name: str, folder: str, covered: bool
) -> None:
    assert RUNNERS[name].covers(project(tmp_path, files), folder) is covered


@pytest.mark.parametrize(
    ("name", "tests", "others"),
    [
        ("go test", ["a_test.go", "x/a_test.go", "x/testdata/a.txt"], ["a.go", "test.go"]),
        ("cargo test", ["tests/a.rs", "a/tests/b/c.rs", "src/tests.rs", "src/tests/a.rs"], ["src/lib.rs"]),
        (
            "maven",
            ["src/test/java/x/ATest.java", "m/src/integrationTest/k/A.kt"],
            ["src/main/java/x/ATest.java"],
        ),
        ("rspec", ["spec/a_spec.rb", "spec/support/a.rb"], ["lib/a.rb"]),
        ("minitest", ["test/a_test.rb", "test/fixtures/a.yml"], ["lib/test.rb"]),
        ("phpunit", ["tests/ATest.php", "src/ATest.php"], ["src/A.php", "src/Test.phpx"]),
        ("ctest", ["tests/a.cpp", "src/a_test.cc", "src/test_a.c"], ["src/a.c", "src/latest.c"]),
        ("dotnet test", ["A.Tests/B.cs", "src/ATests.cs"], ["src/A.cs"]),
        ("mix test", ["test/a_test.exs", "apps/a/test/x.exs"], ["lib/a.ex"]),
        ("bats", ["test/a.bats"], ["a.sh"]),
    ],
)
def test_where_tests_live(name: str, tests: Sequence[str], others: Sequence[str]) -> None:
    assert [path for path in [*tests, *others] if re.fullmatch(RUNNERS[name].tests, path)] == list(tests)


# --- some tests only ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "command", "to", "words", "narrowed"),
    [
        ("go test", "go test ./...", "select", ["TestA", "TestB"], "go test ./... -run 'TestA|TestB'"),
        ("go test", "go test ./...", "select", ["-run", "X"], "go test ./... -run X"),
        ("go test", "go test ./...", "files", ["a/x_test.go", "a/y_test.go", "z_test.go"], "go test ./a ."),
        (
            "go test",
            "go vet ./... && go test -race -run X ./... ./b",
            "files",
            ["a b/x_test.go"],
            "go vet ./... && go test -race -run X './a b'",
        ),
        (
            "go test",
            "go test ./...",
            "cases",
            ["m/a::TestX/a.b", "m/a::TestY", "m/b::TestY"],
            r"go test -run '^TestX$/^a\.b$|^TestY$' m/a m/b",
        ),
        ("go test", "go test ./...", "cases", ["m/a", "m/b::TestY"], "go test m/a m/b"),
        ("go test", "go test ./...", "related", ["x.go", "go.mod"], "go test ./..."),
        ("cargo test", "cargo test", "select", ["adds"], "cargo test -- adds"),
        ("cargo test", "cargo test", "select", ["--lib"], "cargo test --lib"),
        (
            "cargo test",
            "cargo test",
            "cases",
            ["lib::t::a", "it::tests/it.rs::b", "c"],
            "cargo test -- --exact t::a b c",
        ),
        (
            "cargo test",
            "cargo test",
            "cases",
            ["x (doc)::src/lib.rs - a", "x::b"],
            "cargo test -- 'src/lib.rs - a' b",
        ),
        ("cargo test", "cargo test -- -q", "cases", ["lib::t::a"], "cargo test -- -q --exact t::a"),
        (
            "cargo nextest",
            "cargo nextest run",
            "files",
            ["tests/a.rs", "m/tests/b/main.rs"],
            "cargo nextest run --test a --test b",
        ),
        ("cargo nextest", "cargo nextest run", "files", ["tests/a.rs", "src/tests.rs"], "cargo nextest run"),
        (
            "cargo nextest",
            "cargo nextest run",
            "cases",
            ["b::t::a", "b::c"],
            "cargo nextest run -E 'test(=t::a) | test(=a) | test(=c)'",
        ),
        ("cargo nextest", "cargo nextest run", "cases", ["b::x) or all()"], "cargo nextest run"),
        (
            "maven",
            "mvn test",
            "cases",
            ["x.ATest::a", "x.ATest::b(int)[1]", "x.BTest::a display name", "x.BTest::c"],
            only("x.ATest#a+b,x.BTest"),
        ),
        (
            "maven",
            "mvn test",
            "files",
            ["m/src/test/java/x/ATest.java", "ATest.java"],
            only("x.ATest,ATest"),
        ),
        ("maven", "mvn test", "select", ["ATest", "BTest"], only("ATest,BTest")),
        (
            "gradle",
            "gradle test",
            "cases",
            ["x.A::a()", "x.A::with blanks"],
            "gradle test --tests x.A.a --tests x.A",
        ),
        ("gradle", "gradle test", "files", ["src/test/kotlin/x/ATest.kt"], "gradle test --tests x.ATest"),
        ("rspec", "rspec", "files", ["spec/a b_spec.rb"], "rspec 'spec/a b_spec.rb'"),
        (
            "rspec",
            "rspec",
            "cases",
            ["spec/a_spec.rb::A adds", "spec/a_spec.rb::A it's"],
            """rspec spec/a_spec.rb --example 'A adds' --example 'A it'"'"'s'""",
        ),
        (
            "rspec",
            "rspec",
            "cases",
            ["spec/a_spec.rb", "spec/b_spec.rb::B b"],
            "rspec spec/a_spec.rb spec/b_spec.rb",
        ),
        (
            "minitest",
            "rake test",
            "files",
            ["test/a.rb", "test/b.rb"],
            "rake test 'TEST={test/a.rb,test/b.rb}'",
        ),
        ("minitest", "rake test", "files", ["test/a{b}.rb"], "rake test"),
        ("minitest", "bin/rails test", "files", ["test/a.rb"], "bin/rails test test/a.rb"),
        ("minitest", "bin/rails test", "cases", ["A::test_b?"], r"bin/rails test '--name=/^(A#test_b\?)$/'"),
        ("phpunit", "phpunit", "select", ["testA"], "phpunit --filter testA"),
        ("phpunit", "phpunit", "select", ["tests/ATest.php"], "phpunit tests/ATest.php"),
        ("phpunit", "phpunit", "files", ["tests/ATest.php"], r"phpunit --filter '/(^|\\)ATest::/'"),
        ("phpunit", "phpunit", "cases", ["A.B::t with a/b"], r"phpunit --filter '/^A[.\\]B::t with a\/b$/'"),
        ("ctest", "cd b && ctest", "cases", ["a.b", "c::c"], r"cd b && ctest -R '^(a\.b|c)$'"),
        ("ctest", "ctest", "select", ["-L", "quick"], "ctest -L quick"),
        ("meson test", "meson test", "cases", ["x::x:s / a b", "c"], "meson test 'a b' c"),
        (
            "dotnet test",
            "dotnet test",
            "cases",
            ["N.C::M(x: 1)", "N.C::M(x: 2)"],
            "dotnet test --filter FullyQualifiedName=N.C.M",
        ),
        (
            "dotnet test",
            "dotnet test",
            "select",
            ["a|b,c"],
            r"dotnet test --filter 'FullyQualifiedName~a\|b%2Cc'",
        ),
        (
            "mix test",
            "mix test",
            "cases",
            ["test/a_test.exs::A.B::test it's"],
            """mix test test/a_test.exs --only 'test:test it'"'"'s'""",
        ),
        ("bats", "bats test", "files", ["test/a.bats"], "bats test/a.bats"),
        ("bats", "bats -t test", "cases", ["a.bats::x (y)"], r"bats --filter '^(x \(y\))$' -t test"),
        ("bats", "bats test", "select", ["adds"], "bats --filter adds test"),
    ],
)
def test_a_command_is_narrowed_in_the_words_of_its_runner(
    name: str, command: str, to: str, words: Sequence[str], narrowed: str
) -> None:
    assert getattr(RUNNERS[name], to)(command, words) == narrowed


@pytest.mark.parametrize(
    ("name", "command", "reported"),
    [
        ("cargo test", "cargo build && cargo test -q", "cargo build && cargo test --no-fail-fast -q"),
        ("cargo test", "cargo test --no-fail-fast", "cargo test --no-fail-fast"),
        ("cargo nextest", "cargo nextest run", "cargo nextest run --no-fail-fast"),
        ("maven", "mvn test", "mvn test"),
        ("minitest", "bundle exec rake test", "bundle exec rake test 'TESTOPTS=--verbose'"),
        ("minitest", "rake test 'TESTOPTS=-n x'", "rake test 'TESTOPTS=--verbose -n x'"),
        ("minitest", "bin/rails test a.rb", "bin/rails test a.rb --verbose"),
        (
            "phpunit",
            "php vendor/bin/phpunit a.php",
            "php vendor/bin/phpunit --log-junit '/o u/phpunit.xml' a.php",
        ),
        ("ctest", "cd b && ctest -R x", "cd b && ctest --output-junit '/o u/ctest.xml' -R x"),
        ("meson test", "meson test", "meson test"),
        ("dotnet test", "dotnet test", "dotnet test --logger trx --results-directory '/o u'"),
        ("mix test", "MIX_ENV=test mix test a.exs", "MIX_ENV=test mix test --trace --seed 1 a.exs"),
        ("mix test", "mix test --seed 7", "mix test --trace --seed 7"),
    ],
)
def test_a_command_is_changed_so_that_it_reports(name: str, command: str, reported: str) -> None:
    assert RUNNERS[name].reports[-1].command(command, Path("/o u")) == reported


@pytest.mark.parametrize("call", ["gradle", "./gradlew", "sh gradlew"])
def test_gradle_gets_its_script_whatever_starts_it(call: str) -> None:
    reported = RUNNERS["gradle"].reports[0].command(f"{call} --continue test", Path("/o"))
    assert f'{call} --init-script "${{TMPDIR:-/tmp}}/ci-agent-tests.gradle" --continue test' in reported


@pytest.mark.parametrize(
    ("files", "seeded"),
    [
        ({".rspec": "--order rand\n"}, True),
        ({"spec/spec_helper.rb": "c.order = :random\n"}, True),
        ({".rspec": ""}, False),
    ],
)
def test_rspec_gets_a_seed_only_where_it_shuffles_anyway(
    tmp_path: Path, files: dict[str, str], seeded: bool
) -> None:
    found = project(tmp_path, files)
    report = next(report for report in RUNNERS["rspec"].reports if report.here(found, "rspec"))
    options = report.environment(Path("/o u"))["SPEC_OPTS"]
    assert options.startswith("--format progress --format json --out '/o u/rspec.json'")
    assert ("--seed 1" in options) is seeded


def test_lines_are_measured_only_with_what_is_there(tmp_path: Path) -> None:
    found = project(
        tmp_path, {"A.csproj": 'Include="coverlet.collector"', "pom.xml": "<artifactId>jacoco-maven-plugin"}
    )

    def tools(name: str, command: str) -> list[str]:
        return [tool for tool, report in RUNNERS[name].coverage if report.here(found, command)]

    assert tools("dotnet test", "dotnet test") == ["coverlet"]
    assert tools("maven", "mvn test") == ["JaCoCo"]
    assert tools("gradle", "gradle test") == []
    _, lcov = RUNNERS["cargo test"].coverage[0]
    assert lcov.command("cargo test --workspace", Path("/o u")) == (
        "cargo llvm-cov --no-fail-fast --lcov --output-path '/o u/lcov.info' --workspace"
    )


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("go test", "go.work", "use (" * 40_000),
        ("go test", "go.work", "\n" * 200_000),
        ("maven", "pom.xml", "<module>" + " " * 190_000),
        ("ctest", "CMakeLists.txt", "\n" * 200_000),
        ("meson test", "meson.build", "project(\n" * 20_000),
        ("minitest", "Rakefile", "task " * 40_000),
        ("rspec", ".rspec", "order " * 33_000),
        ("make test", "Makefile", "test " * 40_000 + "\n"),
        ("make check", "Makefile", "a check" * 28_000),
        ("pytest", "test_a.py", "\n" * 200_000),
        ("pytest", "pyproject.toml", "\n" * 200_000),
        ("pytest", "tox.ini", "testpaths" + "\n" * 190_000),
        ("unittest", "test_a.py", "\n" * 200_000),
        ("unittest", "test_a.py", "import" + " " * 190_000),
        ("nox", "noxfile.py", "def test" + " " * 190_000),
        ("go test", "go.work", "use a=" + ";a=" * 66_000),
        ("node:test", "package.json", '{"scripts": {"test": "node' + " --test" * 28_000 + ';"}}'),
        ("npm test", "pnpm-workspace.yaml", "\n" * 200_000),
        ("npm test", "pnpm-workspace.yaml", "-" + " " * 199_000),
    ],
)
def test_manifests_made_to_be_slow_are_read_in_no_time(
    tmp_path: Path, name: str, file: str, text: str
) -> None:
    found = project(tmp_path, {file: text})
    runner = named(name)
    assert runner
    runner.sign(found)
    runner.covers(found, "a")
    assert runner.command(found)
    command = runner.command(found)
    made = [report.command(command, tmp_path) for report in runner.reports if report.here(found, "")]
    assert bool(made) is bool(runner.reports)


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "line",
    [
        "a=;" * 60_000,
        ";" * 190_000,
        "node" + " --test" * 27_000 + " (",
    ],
)
def test_lines_of_a_ci_made_to_be_slow_are_read_in_no_time(tmp_path: Path, line: str) -> None:
    signs = {
        "setup.py": "",
        "test_a.py": "import pytest\n",
        "package.json": '{"scripts": {"test": "node --test"}}',
    }
    found = project(tmp_path, {**signs, ".gitlab-ci.yml": f"test:\n  script:\n    - '{line}'\n"})
    assert choose(found.root, "", found.sandbox).runner == "pytest"


NARROWED = [
    (runner, to, narrow)
    for runner in RUNNERS.values()
    for to in ("select", "files", "cases", "related")
    if (narrow := getattr(runner, to)) is not None
]


@given(
    which=st.sampled_from(NARROWED),
    words=st.lists(
        st.text(st.sampled_from("Q/.:#-'\"$`;&|()<>\n \\{}[]*"), min_size=1).filter(
            lambda word: not word.isspace()
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_whatever_names_hold_a_shell_takes_it_for_words(
    which: tuple[Runner, str, object], words: list[str]
) -> None:
    runner, to, _ = which
    command = runner.command(Project(Path("/nonexistent"), sandbox(Path("/nonexistent"))))
    narrowed = getattr(runner, to)(command, words)
    reported = runner.reports[0].command(narrowed, Path("/o"))
    for line in (narrowed, reported):
        unquoted = "".join(_outside_of_quotes(line))
        assert not set("`\\") & set(unquoted)
        assert not re.search(r"[$;&|<>(]\s*Q", unquoted)


def _outside_of_quotes(line: str) -> list[str]:
    inside, outside = "", []
    for sign in line:
        if inside:
            inside = "" if sign == inside else inside
        elif sign in "'\"":
            inside = sign
        else:
            outside.append(sign)
    assert not inside
    return outside
