"""What a workflow file says of a job's time, whoever wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.ci.workflow import timeout_minutes

_EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.mark.parametrize(
    "name", ["github-issues.yml", "github-app.yml", "github-schedule.yml", "github-split.yml"]
)
def test_our_examples_say_how_long_the_work_may_take(name: str) -> None:
    assert timeout_minutes((_EXAMPLES / name).read_bytes(), "work") == 75


@pytest.mark.parametrize(
    ("lines", "minutes"),
    [
        ("{runs-on: x, timeout-minutes: 20}", 20),
        ("{runs-on: x, timeout-minutes: 7.5}", 7.5),
        ("{runs-on: x}", 360),
        ("{runs-on: x, timeout-minutes: 50400}", 50400),
        ("{runs-on: x, timeout-minutes: 50401}", None),
        ("{runs-on: x, timeout-minutes: 0}", None),
        ("{runs-on: x, timeout-minutes: -5}", None),
        ("{runs-on: x, timeout-minutes: true}", None),
        ("{runs-on: x, timeout-minutes: .inf}", None),
        ("{runs-on: x, timeout-minutes: .nan}", None),
        ("{runs-on: x, timeout-minutes: 1e400}", None),
        ("{runs-on: x, timeout-minutes: 1:15}", None),
        ("{runs-on: x, timeout-minutes: 010}", None),
        ('{runs-on: x, timeout-minutes: "75"}', None),
        ("{runs-on: x, timeout-minutes: [75]}", None),
        ("{runs-on: x, timeout-minutes: }", None),
        ("{runs-on: x, timeout-minutes: '${{ fromJSON(vars.MINUTES) }}'}", None),
        ("{runs-on: x, timeout-minutes: 5, timeout-minutes: 90}", None),
        ("{uses: ./.github/workflows/other.yml}", None),
        ("{uses: ./.github/workflows/other.yml, timeout-minutes: 5}", None),
        ("[20]", None),
        ("20", None),
    ],
)
def test_only_a_plain_number_counts(lines: str, minutes: float | None) -> None:
    assert timeout_minutes(f"on: push\njobs:\n  work: {lines}\n".encode(), "work") == minutes


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"jobs:",
        b"jobs: []",
        b"jobs: {other: {runs-on: x}}",
        b"jobs: {work: &w {timeout-minutes: 5}, other: *w}",
        b"jobs: {work: {timeout-minutes: 5}}\n---\njobs: {}",
        b"jobs: {work: {timeout-minutes: 5}, other: {uses: ./.github/workflows/other.yml}}",
        b"a: " + b"[" * 5_000,
        b"jobs: {work: {timeout-minutes: 5}}\n" + b"#" * 300_000,
        b"\n".join(b"k%d: v" % number for number in range(5_000)) + b"\njobs: {work: {timeout-minutes: 5}}",
    ],
    ids=range(11),
)
def test_what_is_strange_says_nothing(content: bytes) -> None:
    assert timeout_minutes(content, "work") is None


_WORDS = [
    "jobs",
    "work",
    "timeout-minutes",
    "uses",
    "75",
    "${{ x }}",
    ":",
    "- ",
    "{",
    "}",
    "&a",
    "*a",
    "\n",
    "  ",
    "'",
    "!!",
]


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from(_WORDS), max_size=30).map(lambda words: "".join(words).encode())
)
def test_no_file_breaks_it(content: bytes) -> None:
    found = timeout_minutes(content, "work")
    assert found is None or 0 < found <= 50_400


@given(st.integers(1, 50_400), st.sampled_from(["75", "${{ inputs.minutes }}", "", "[1]"]))
def test_the_time_is_that_of_our_job_and_of_no_other_one(minutes: int, other: str) -> None:
    file = f"jobs:\n  other:\n    timeout-minutes: {other}\n  work:\n    timeout-minutes: {minutes}\n    steps: []\n"
    assert timeout_minutes(file.encode(), "work") == minutes
