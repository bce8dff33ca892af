"""What every setting must have, and the page made from them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ci_agent.config import SETTINGS, Source, load
from ci_agent.config.document import example, page
from ci_agent.config.values import fit

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_of_the_documentation_is_up_to_date() -> None:
    assert DOCUMENT.read_text("utf-8") == page(), (
        "docs/configuration.md is not what the definitions say; run\n"
        "  python -m ci_agent.config > docs/configuration.md"
    )


def test_the_command_that_brings_the_page_up_to_date_prints_it() -> None:
    printed = subprocess.run([sys.executable, "-m", "ci_agent.config"], capture_output=True, check=True)
    assert printed.stdout.decode() == page()


def test_the_example_of_the_page_loads_and_holds_every_key_of_the_file() -> None:
    loaded = load(file=("example", example().encode()), environment={}, flags={}, trusted=True)
    from_file = {key for key, origin in loaded.origins.items() if origin.source is Source.FILE}
    assert from_file == {setting.key for setting in SETTINGS if not setting.not_in_file}
    assert example() in page()


def test_names_flags_and_variables_are_used_once() -> None:
    variables = [name for setting in SETTINGS for name in setting.variables]
    flags = [setting.flag for setting in SETTINGS if setting.flag]
    assert len(set(variables)) == len(variables)
    assert len(set(flags)) == len(flags)


def test_every_default_is_a_value_that_would_be_accepted() -> None:
    for setting in SETTINGS:
        for source in (Source.FILE, Source.ENVIRONMENT, Source.FLAG):
            assert fit(setting, setting.default, source) == setting.default, setting.key


def test_every_secret_is_kept_out_of_the_file() -> None:
    secrets = [setting for setting in SETTINGS if setting.secret]
    keys = [
        "model.api_key",
        "anthropic.api_key",
        "github.token",
        "gitlab.token",
        "bundle.key",
        "checkpoint.key",
    ]
    assert [setting.key for setting in secrets] == keys
    assert all(setting.not_in_file for setting in secrets)


def test_every_setting_is_in_the_page_with_all_its_names() -> None:
    text = page()
    for setting in SETTINGS:
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{setting.key}` |")]
        assert all(f"`{name}`" in row for name in setting.variables)
        assert setting.doc.endswith(".")
        assert setting.flag in row
