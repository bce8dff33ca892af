"""What each reader makes of what the real tools write. The tests behind most samples are the same few: `tabs`
passes, `blanks` fails and prints, `later` is skipped, `forged` is only printed.

Made with pytest 9, node 20 and 22, vitest, jest, jest-junit, mocha 11, ava, Go 1.26, go-junit-report 2,
gotestsum, cargo 1.95, CTest 3.25, bats 1.8, PHPUnit 9.6, surefire 3.2.5, RSpec 3.12, minitest 5.17 and Elixir
1.14, with stacks shortened and the folder of the project called `/srv/project`. Written by hand after their
documentation: gradle, mocha-junit-reporter, ExUnit's and minitest's reporters for JUnit, nextest, .NET.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_agent.journal.events import Case, Result
from ci_agent.verification import reading

REPORTS = Path(__file__).with_name("reports")


def sample(format: str, name: str) -> dict[str, Case]:  # noqa: A002
    found = reading.read(format, [REPORTS / name], lambda text: text.replace("/srv/project/", ""))
    return {case.id: case for case in found}


EXPECTED: dict[tuple[str, str], dict[Result, list[str]]] = {
    ("tap", "ava.tap"): {
        Result.PASSED: ["known", "tabs"],
        Result.FAILED: ["blanks"],
        Result.SKIPPED: ["later", "some day"],
    },
    ("tap", "bats-timing.tap"): {
        Result.PASSED: ["tabs", "tabs#2"],
        Result.FAILED: ["blanks # hash", "blanks # hash#2"],
        Result.SKIPPED: ["later", "later#2"],
    },
    ("tap", "bats.tap"): {
        Result.PASSED: ["tabs", "tabs#2"],
        Result.FAILED: ["blanks # hash", "blanks # hash#2"],
        Result.SKIPPED: ["later", "later#2"],
    },
    ("junit", "bats.xml"): {
        Result.PASSED: ["./a.bats::tabs", "./b.bats::tabs"],
        Result.FAILED: ["./a.bats::blanks # hash", "./b.bats::blanks # hash"],
        Result.SKIPPED: ["./a.bats::later", "./b.bats::later"],
    },
    ("junit", "ctest.xml"): {
        Result.PASSED: ["tabs"],
        Result.FAILED: ["blanks"],
        Result.SKIPPED: ["disabled", "missing", "skipped"],
    },
    ("trx", "dotnet.trx"): {
        Result.PASSED: ["App.Tests.OtherTest::Data (1)", "App.Tests.SlugTest::Tabs"],
        Result.FAILED: ["App.Tests.SlugTest::Rows(n: 2)"],
        Result.ERROR: ["App.Tests.OtherTest::Data (2)", "test run"],
        Result.SKIPPED: ["App.Tests.OtherTest::Later"],
    },
    ("exunit", "exunit.txt"): {
        Result.PASSED: [
            "test/app_test.exs::AppTest::doctest App.hello/0 (1)",
            "test/app_test.exs::AppTest::test greets",
            "test/app_test.exs::OtherTest::test greets",
        ],
        Result.FAILED: [
            "test/app_test.exs::AppTest::test deep blanks",
            "test/app_test.exs::AppTest::test deep boom",
        ],
        Result.ERROR: ["test/app_test.exs::SetupTest::test never"],
        Result.SKIPPED: [
            "test/app_test.exs::AppTest::test deep later",
            "test/app_test.exs::AppTest::test deep later 2",
        ],
    },
    ("junit", "exunit.xml"): {
        Result.PASSED: ["Elixir.AppTest::test greets"],
        Result.FAILED: ["Elixir.AppTest::test deep blanks"],
        Result.SKIPPED: ["Elixir.AppTest::test later"],
    },
    ("junit", "go-junit-report.xml"): {
        Result.PASSED: [
            "example.com/m/a::TestForged",
            "example.com/m/a::TestSub/ok",
            "example.com/m/a::TestTabs",
            "example.com/m/b::TestTabs",
        ],
        Result.FAILED: [
            "example.com/m/a::ExampleA",
            "example.com/m/a::TestSub",
            "example.com/m/a::TestSub/x_y",
            "example.com/m/b::TestPanic",
        ],
        Result.ERROR: ["example.com/m/bad::[build failed]"],
        Result.SKIPPED: ["example.com/m/a::TestSkip"],
    },
    ("go", "go.jsonl"): {
        Result.PASSED: [
            "example.com/m/a::TestSub/ok",
            "example.com/m/a::TestTabs",
            "example.com/m/b::TestTabs",
        ],
        Result.FAILED: [
            "example.com/m/a::ExampleA",
            "example.com/m/a::TestSub",
            "example.com/m/a::TestSub/x_y",
            "example.com/m/b::TestPanic",
        ],
        Result.ERROR: ["example.com/m/bad"],
        Result.SKIPPED: ["example.com/m/a::TestSkip"],
    },
    ("junit", "gotestsum.xml"): {
        Result.PASSED: [
            "example.com/m/a::TestSub/ok",
            "example.com/m/a::TestTabs",
            "example.com/m/b::TestTabs",
        ],
        Result.FAILED: [
            "example.com/m/a::ExampleA",
            "example.com/m/a::TestSub",
            "example.com/m/a::TestSub/x_y",
            "example.com/m/b::TestPanic",
            "example.com/m/bad::TestMain",
        ],
        Result.SKIPPED: ["example.com/m/a::TestSkip"],
    },
    ("junit", "gradle.xml"): {
        Result.PASSED: ["x.SlugTest::[1] java.lang.Object…", "x.SlugTest::tabs()"],
        Result.FAILED: ["x.SlugTest::blanks()"],
        Result.SKIPPED: ["x.SlugTest::later()"],
    },
    ("junit", "jest-junit.xml"): {
        Result.PASSED: ["slug adds 1", "slug adds 2", "slug deep tabs", "slug some day"],
        Result.FAILED: ["slug deep blanks", "top"],
        Result.SKIPPED: ["slug later"],
    },
    ("jest", "jest.json"): {
        Result.PASSED: ["a.test.js::slug::adds 1", "a.test.js::slug::adds 2", "a.test.js::slug::deep::tabs"],
        Result.FAILED: ["a.test.js::slug::deep::blanks", "a.test.js::top"],
        Result.ERROR: ["broken.test.js"],
        Result.SKIPPED: ["a.test.js::slug::later", "a.test.js::slug::some day"],
    },
    ("libtest", "libtest.txt"): {
        Result.PASSED: [
            "one (doc)::one/src/lib.rs - f",
            "one::tests/it.rs::same",
            "one::tests/other.rs::same",
            "one::tests::panics",
            "one::tests::tabs",
            "two::tests::tabs",
        ],
        Result.FAILED: [
            "one (doc)::one/src/lib.rs - g",
            "one::tests::blanks",
            "one::tests::panics_not",
            "one::tests::result",
        ],
        Result.SKIPPED: ["one::tests::later", "one::tests::later2"],
    },
    ("junit", "minitest-reporters.xml"): {
        Result.PASSED: ["SlugTest::test_tabs"],
        Result.FAILED: ["SlugTest::test_blanks"],
        Result.ERROR: ["SlugTest::test_boom"],
        Result.SKIPPED: ["SlugTest::test_later"],
    },
    ("minitest", "minitest.txt"): {
        Result.PASSED: ["SlugTest::test_tabs", "spec thing::test_0001_does = things"],
        Result.FAILED: ["SlugTest::test_blanks", "spec thing::deep::test_0001_x"],
        Result.ERROR: ["SlugTest::test_boom"],
        Result.SKIPPED: ["SlugTest::test_later"],
    },
    ("junit", "mocha-junit-reporter.xml"): {
        Result.PASSED: ["a.test.js::tabs::slug tabs"],
        Result.FAILED: ["a.test.js::blanks::slug blanks"],
    },
    ("junit", "mocha-xunit.xml"): {
        Result.PASSED: ["a.test.js::slug deep::tabs"],
        Result.FAILED: [
            "a.test.js::slug deep::blanks",
            'a.test.js::slug hooked::"before all" hook for "never"',
            "a.test.js::top",
        ],
        Result.SKIPPED: ["a.test.js::slug::later", "a.test.js::slug::some day"],
    },
    ("mocha", "mocha.json"): {
        Result.PASSED: ["a.test.js::slug deep::tabs"],
        Result.FAILED: [
            "a.test.js::slug deep::blanks",
            'a.test.js::slug hooked::"before all" hook for "never"',
            "a.test.js::top",
        ],
        Result.SKIPPED: ["a.test.js::slug::later", "a.test.js::slug::some day"],
    },
    ("tap", "mocha.tap"): {
        Result.PASSED: ["slug deep tabs"],
        Result.FAILED: ["slug deep blanks", 'slug hooked "before all" hook for "never"', "top"],
        Result.SKIPPED: ["slug later", "slug some day"],
    },
    ("nextest", "nextest.txt"): {
        Result.PASSED: ["one::it::same", "one::tests::tabs"],
        Result.FAILED: ["one::it::crash", "one::tests::blanks"],
    },
    ("junit", "nextest.xml"): {
        Result.PASSED: ["one::it::same", "one::tests::tabs"],
        Result.FAILED: ["one::tests::blanks"],
    },
    ("tap", "node-20.tap"): {
        Result.PASSED: ["other::same", "parent::child", "slug::deep::tabs", "slug::same"],
        Result.FAILED: ["broken.test.mjs", "parent::child 2", "slug::deep::blanks", "top # hash"],
        Result.SKIPPED: ["slug::later", "slug::some day"],
    },
    ("junit", "node-20.xml"): {
        Result.PASSED: ["other::same", "parent::child", "slug::deep::tabs", "slug::same"],
        Result.FAILED: ["broken.test.mjs", "parent::child 2", "slug::deep::blanks", "top # hash"],
        Result.SKIPPED: ["slug::later", "slug::some day"],
    },
    ("tap", "node-22.tap"): {
        Result.PASSED: ["other::same", "parent::child", "slug::deep::tabs", "slug::same"],
        Result.FAILED: ["broken.test.mjs", "parent::child 2", "slug::deep::blanks", "top # hash"],
        Result.SKIPPED: ["slug::later", "slug::some day"],
    },
    ("junit", "node-22.xml"): {
        Result.PASSED: ["other::same", "parent::child", "slug::deep::tabs", "slug::same"],
        Result.FAILED: ["broken.test.mjs", "parent::child 2", "slug::deep::blanks", "top # hash"],
        Result.SKIPPED: ["slug::later", "slug::some day"],
    },
    ("junit", "phpunit.xml"): {
        Result.PASSED: [
            'App.Tests.SlugTest::testRows with data set "one"',
            "App.Tests.SlugTest::testRows with data set #0",
            "App.Tests.SlugTest::testTabs",
        ],
        Result.FAILED: ["App.Tests.SlugTest::testBlanks", 'App.Tests.SlugTest::testRows with data set "two"'],
        Result.ERROR: ["App.Tests.SlugTest::testBoom", "App.Tests.SlugTest::testRisky"],
        Result.SKIPPED: ["App.Tests.SlugTest::testLater"],
    },
    ("junit", "pytest.xml"): {
        Result.PASSED: ["tests/test_a.py::TestX::test_rows[1]"],
        Result.FAILED: ["tests/test_a.py::TestX::test_rows[2]"],
        Result.ERROR: ["tests/test_a.py::test_error", "tests/test_bad.py"],
        Result.SKIPPED: ["tests/test_a.py::test_later"],
    },
    ("rspec", "rspec-load-error.json"): {
        Result.ERROR: ["errors outside of examples"],
    },
    ("rspec", "rspec.json"): {
        Result.PASSED: [
            "a_spec.rb::slug adds",
            "a_spec.rb::slug deep tabs",
            "a_spec.rb::slug is expected to eq 1",
        ],
        Result.FAILED: ["a_spec.rb::slug adds#2", "a_spec.rb::slug deep blanks"],
        Result.SKIPPED: ["a_spec.rb::slug later", "a_spec.rb::slug pending"],
    },
    ("junit", "surefire.xml"): {
        Result.PASSED: ["x.SlugTest::flaky", "x.SlugTest::flaky2"],
        Result.FAILED: ["x.SlugTest::blanks", "x.SlugTest::rows(String)[2]"],
        Result.ERROR: ["x.SlugTest::boom"],
    },
    ("tap", "vitest-flat.tap"): {
        Result.PASSED: [
            "a.test.mjs > slug > adds 1",
            "a.test.mjs > slug > adds 2",
            "a.test.mjs > slug > deep > tabs",
        ],
        Result.FAILED: ["a.test.mjs > slug > deep > blanks", "a.test.mjs > top", "broken.test.mjs"],
        Result.SKIPPED: ["a.test.mjs > slug > later", "a.test.mjs > slug > some day"],
    },
    ("jest", "vitest.json"): {
        Result.PASSED: [
            "a.test.mjs::slug::adds 1",
            "a.test.mjs::slug::adds 2",
            "a.test.mjs::slug::deep::tabs",
        ],
        Result.FAILED: ["a.test.mjs::slug::deep::blanks", "a.test.mjs::top"],
        Result.ERROR: ["broken.test.mjs"],
        Result.SKIPPED: ["a.test.mjs::slug::later", "a.test.mjs::slug::some day"],
    },
    ("tap", "vitest.tap"): {
        Result.PASSED: [
            "a.test.mjs::slug::adds 1",
            "a.test.mjs::slug::adds 2",
            "a.test.mjs::slug::deep::tabs",
        ],
        Result.FAILED: ["a.test.mjs::slug::deep::blanks", "a.test.mjs::top", "broken.test.mjs"],
        Result.SKIPPED: ["a.test.mjs::slug::later", "a.test.mjs::slug::some day"],
    },
    ("junit", "vitest.xml"): {
        Result.PASSED: [
            "a.test.mjs::slug > adds 1",
            "a.test.mjs::slug > adds 2",
            "a.test.mjs::slug > deep > tabs",
        ],
        Result.FAILED: ["a.test.mjs::slug > deep > blanks", "a.test.mjs::top", "broken.test.mjs"],
        Result.SKIPPED: ["a.test.mjs::slug > later", "a.test.mjs::slug > some day"],
    },
}


@pytest.mark.parametrize(("format", "name"), EXPECTED)
def test_a_sample_gives_its_cases(format: str, name: str) -> None:  # noqa: A002
    found: dict[Result, list[str]] = {}
    for case in sample(format, name).values():
        found.setdefault(case.result, []).append(case.id)
    assert {result: sorted(ids) for result, ids in found.items()} == EXPECTED[format, name]


def test_all_samples_and_all_formats_are_in_the_table() -> None:
    assert {name for _, name in EXPECTED} | {"libtest-nocapture.txt"} == {
        path.name for path in REPORTS.iterdir()
    }
    assert {name for name, _ in EXPECTED} == set(reading.FORMATS)


@pytest.mark.parametrize(
    ("format", "name", "id", "message", "inside"),
    [
        ("exunit", "exunit.txt", "test/app_test.exs::AppTest::test deep blanks", "Assertion with == failed", 'left:  "a--b"'),
        ("go", "go.jsonl", "example.com/m/a::TestSub/x_y", "a_test.go:4: inside", "a_test.go:4: bad"),
        ("go", "go.jsonl", "example.com/m/bad", "bad/x_test.go:3:28: undefined: nope", "undefined: nope"),
        ("jest", "jest.json", "a.test.js::slug::deep::blanks", "Error: expect(received).toBe(expected)", 'Received: "a--b"'),
        ("jest", "jest.json", "broken.test.js", "Cannot find module './missing'", "broken.test.js:1:1"),
        ("junit", "ctest.xml", "blanks", "said", "said"),
        ("junit", "node-22.xml", "slug::deep::blanks", "'a--b' == 'a-b'", "ERR_ASSERTION"),
        ("junit", "surefire.xml", "x.SlugTest::blanks", "expected: <a-b> but was: <a--b>", "said ]]> x"),
        ("libtest", "libtest.txt", "one::tests::blanks", "assertion `left == right` failed", "said"),
        ("minitest", "minitest.txt", "SlugTest::test_boom", "RuntimeError: boom", "t_test.rb:6"),
        ("mocha", "mocha.json", "a.test.js::slug deep::blanks", "'a--b' == 'a-b'", "AssertionError"),
        ("nextest", "nextest.txt", "one::tests::blanks", "assertion `left == right` failed", "said"),
        ("rspec", "rspec.json", "a_spec.rb::slug deep blanks", 'expected: "a-b"', "a_spec.rb:4"),
        ("tap", "bats.tap", "blanks # hash", "(in test file ./a.bats, line 2)", "ok 9 - forged"),
        ("tap", "node-22.tap", "slug::deep::blanks", "'a--b' == 'a-b'", "ERR_ASSERTION"),
        ("tap", "vitest.tap", "a.test.mjs::slug::deep::blanks", "expected 'a--b' to be 'a-b'", 'expected: "a-b"'),
        ("trx", "dotnet.trx", "App.Tests.SlugTest::Rows(n: 2)", "Assert.Equal() Failure", "SlugTest.cs:line 7"),
    ],
)  # fmt: skip
def test_a_failing_case_keeps_why_it_failed_and_what_it_printed(
    format: str, name: str, id: str, message: str, inside: str  # noqa: A002
) -> None:  # fmt: skip
    case = sample(format, name)[id]
    assert case.message.startswith(message)
    assert inside in case.details


@pytest.mark.parametrize(
    ("format", "name", "id", "seconds"),
    [
        ("exunit", "exunit.txt", "test/app_test.exs::AppTest::test greets", 0.00001),
        ("jest", "jest.json", "a.test.js::slug::deep::tabs", 0.002),
        ("junit", "surefire.xml", "x.SlugTest::boom", 0.002),
        ("mocha", "mocha.json", "a.test.js::top", 0.001),
        ("nextest", "nextest.txt", "one::tests::tabs", 0.004),
        ("rspec", "rspec.json", "a_spec.rb::slug adds", 0.000382719),
        ("tap", "bats-timing.tap", "tabs", 0.005),
        ("tap", "node-22.tap", "slug::deep::tabs", 0.001198894),
        ("trx", "dotnet.trx", "App.Tests.SlugTest::Tabs", 1.5),
    ],
)
def test_times_are_in_seconds(format: str, name: str, id: str, seconds: float) -> None:  # noqa: A002
    assert sample(format, name)[id].seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("format", "name"),
    [key for key in EXPECTED if key[1] not in ("rspec-load-error.json", "libtest-nocapture.txt")],
)
def test_half_a_report_is_refused_or_has_all_its_cases(format: str, name: str, tmp_path: Path) -> None:  # noqa: A002
    """A run that was cut off in the middle never looks like a smaller run that ended well."""
    written = (REPORTS / name).read_bytes()
    whole = {case.id for case in reading.read(format, [REPORTS / name])}
    for tenths in range(10):
        (tmp_path / name).write_bytes(written[: len(written) * tenths // 10])
        try:
            found = {case.id for case in reading.read(format, [tmp_path / name])}
        except reading.ReportError:
            continue
        assert found == whole


@pytest.mark.parametrize(("format", "name"), EXPECTED)
def test_bytes_that_are_no_text_are_read_all_the_same(format: str, name: str, tmp_path: Path) -> None:  # noqa: A002
    """`a--b`, which failing tests print in most samples, becomes what no text has."""
    (tmp_path / name).write_bytes((REPORTS / name).read_bytes().replace(b"a--b", b"a\xff\xfe-b"))
    before, after = (
        sample(format, name),
        reading.read(format, [tmp_path / name], lambda text: text.replace("/srv/project/", "")),
    )
    assert {case.id: case.result for case in after} == {case.id: case.result for case in before.values()}
    assert all("\ufffd" in case.details for case in after if "a--b" in before[case.id].details)
