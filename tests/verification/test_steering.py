"""Which files of a change decide how tests are run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.verification.steering import is_apart, steers


def says(path: str, before: bytes | None, after: bytes | None, command: str = "pytest") -> bool:
    return steers(path, [command], lambda: before, lambda: after)


@pytest.mark.parametrize(
    "path",
    [
        *(
            "pytest.ini",
            "api/tox.ini",
            "noxfile.py",
            ".coveragerc",
            "sitecustomize.py",
            "jest.config.ts",
            ".mocharc.json",
        ),
        *(
            "web/vitest.config.mjs",
            "phpunit.xml.dist",
            ".config/nextest.toml",
            "pytest.py",
            "pytest/__init__.py",
        ),
        *("unittest/case.py", "coverage/__main__.py"),
    ],
)
def test_settings_of_runners_and_modules_in_their_place_do(path: str) -> None:
    assert says(path, None, b"x")


@pytest.mark.parametrize(
    "path", ["README.md", "src/pytest.py", "docs/tox.ini.md", "tests/test_a.py", "my_pytest.ini"]
)
def test_other_files_do_not(path: str) -> None:
    assert not says(path, None, b"x")


def test_make_does_where_it_is_called() -> None:
    assert says("Makefile", b"a", b"b", "make test")
    assert not says("Makefile", b"a", b"b", "python -m pytest")


@pytest.mark.parametrize(
    ("path", "before", "after", "does"),
    [
        ("pyproject.toml", b"[project]\nversion='1'\n", b"[project]\nversion='2'\n", False),
        ("pyproject.toml", b"", b"[tool.pytest.ini_options]\naddopts='-p x'\n", True),
        ("pyproject.toml", b"[tool.hatch.version]\na=1\n", b"[tool.hatch.version]\na=2\n", False),
        ("pyproject.toml", b"", b"[tool.hatch.envs.hatch-test]\nscripts.run='true'\n", True),
        ("pyproject.toml", None, b"[tool.coverage.run]\nomit=['x']\n", True),
        ("pyproject.toml", b"[project]\n", b"[project\n", True),
        ("setup.cfg", b"[metadata]\nversion=1\n", b"[metadata]\nversion=2\n", False),
        ("setup.cfg", b"[metadata]\nversion=1\n", b"[tool:pytest]\naddopts=-x\n", True),
        ("web/package.json", b'{"version": "1"}', b'{"version": "2"}', False),
        ("package.json", b'{"scripts": {"test": "jest"}}', b'{"scripts": {"test": "true"}}', True),
        ("package.json", b'{"scripts": {"build": "a"}}', b'{"scripts": {"build": "b"}}', False),
        ("package.json", b"{}", b'{"jest": {"setupFiles": ["./x"]}}', True),
        ("package.json", b"{}", b"[1]", True),
    ],
)
def test_of_manifests_only_what_decides_it_counts(
    path: str, before: bytes | None, after: bytes | None, does: bool
) -> None:
    assert says(path, before, after) is does


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        *[
            (path, True)
            for path in (
                "README.md",
                "docs/a.rst",
                "LICENSE",
                "doc/pic.SVG",
                "CHANGES",
                "readme",
                ".github/workflows/a.yml",
            )
        ],
        *[
            (path, False)
            for path in ("a.py", "requirements.txt", "CMakeLists.txt", "docs/conf.py", "README.py")
        ],
    ],
)
def test_files_that_have_no_say_are_known_by_their_names(path: str, is_one: bool) -> None:
    assert is_apart(path) is is_one


@given(st.sampled_from(["pyproject.toml", "package.json", "setup.cfg"]), st.binary())
def test_any_content_is_the_same_as_itself_and_never_an_error(path: str, content: bytes) -> None:
    assert not says(path, content, content)
    assert isinstance(says(path, None, content), bool)
