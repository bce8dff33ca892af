"""The repository in few lines, and the files an issue names."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.agent.named import named
from ci_agent.agent.outline import outline

_SHOP = ["README.md", "pyproject.toml", "src/shop/__init__.py", "src/shop/cart.py", "tests/test_cart.py"]


def _large() -> list[str]:
    files = ["README.md", "pyproject.toml", ".github/workflows/ci.yml", "src/app/main.py"]
    files += [f"src/app/part{n % 40}/deep/down/module_{n}.py" for n in range(20_000)]
    files += [f"tests/fixtures/case{n}/input.json" for n in range(20_000)]
    files += [f"node_modules/lib{n % 300}/index_{n}.js" for n in range(10_000)]
    return files


def test_a_small_repository_shows_every_file_below_its_folder() -> None:
    assert outline(_SHOP) == ("README.md pyproject.toml\nsrc/shop/ __init__.py cart.py\ntests/ test_cart.py")


def test_a_large_one_shows_its_source_and_counts_the_rest() -> None:
    shown = outline(_large())
    assert len(shown) <= 4_000
    assert len(shown.splitlines()) <= 80
    assert shown.startswith("README.md pyproject.toml")
    assert "src/app/ main.py" in shown
    assert shown.count("/deep/down/ 500 .py") > 30, "folders in a row are joined"
    assert "tests/fixtures/ 20,000 .json" in shown
    assert "node_modules/ 10,000 .js\n" in shown, "what there is many of has one line at most"
    assert "lib7" not in shown


def test_every_file_is_named_or_counted() -> None:
    files = _large()
    shown = outline(files)
    counts = [int(number.replace(",", "")) for number in re.findall(r"([\d,]+) (?:\.\w+|other)", shown)]
    folders = [int(number.replace(",", "")) for number in re.findall(r"/\(([\d,]+)\)", shown)]
    names = [word for word in shown.split() if re.fullmatch(r"\w+\.\w+", word)]
    assert sum(counts) + sum(folders) + len(names) == len(files)


def test_fifty_thousand_files_take_a_moment() -> None:
    files = _large()
    began = time.process_time()
    outline(files, "`parse_module()` in src/app/part3 fails")
    assert time.process_time() - began < 1, "0.15 s on the machine it was measured on"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("It fails in src/shop/cart.py:12.", "src/shop/cart.py"),
        ("`cart.py` is wrong", "src/shop/cart.py"),
        ("Traceback: `shop.cart.total` raised", "src/shop/cart.py"),
        (r"See Shop\shop\cart or shop/cart", "src/shop/cart.py"),
        ("The `cart` forgets", "src/shop/cart.py"),
        ("`formatShippingAddress()` drops the street", "src/shop/shipping_address.py"),
        ("everything in src/shop/tax is slow", "src/shop/tax/"),
        ("`parse_tax_rates` is slow", "src/other/parse-tax-rates/"),
    ],
)
def test_files_an_issue_means_come_first(text: str, meant: str) -> None:
    files = [
        *_SHOP,
        "src/shop/shipping_address.py",
        "src/shop/tax/rates.py",
        "src/other/parse-tax-rates/a.py",
        *map("src/other/f{}.py".format, range(90)),
    ]
    assert named(files, text)[0] == meant
    assert outline(files, text).splitlines()[0].startswith(f"Named in the issue: {meant}")


def test_names_that_stand_everywhere_mean_nothing() -> None:
    files = [f"packages/p{number}/index.js" for number in range(50)]
    assert named(files, "The index.js of this package returns an error for this value") == []
    assert "Named" not in outline(files, "index.js")


def test_the_folder_of_a_named_file_is_shown() -> None:
    files = [*_large(), "tests/fixtures/odd/deep/place/strange_case.py"]
    assert "strange_case.py" in outline(files, "see strange_case.py").split("\n", 1)[1]


def test_a_name_with_a_line_end_can_look_like_nothing_else() -> None:
    assert outline(["a\n# Tests\nAll passed.py", "b c/d.py"]) == '"a\\n# Tests\\nAll passed.py"\n"b c/" d.py'


@given(st.lists(st.text(alphabet="ab/. \n\udc80", min_size=1, max_size=12), max_size=200), st.text())
def test_the_outline_of_anything_is_short(files: list[str], text: str) -> None:
    shown = outline(files, text)
    assert len(shown.splitlines()) <= 80
    assert len(shown) <= 4_200


@given(
    st.lists(st.text(alphabet="abc/._T", min_size=1, max_size=12), max_size=50),
    st.text(alphabet="abc/._T` ("),
)
def test_only_files_that_are_there_are_named(files: list[str], text: str) -> None:
    assert all(any(path.startswith(one) for path in files) for one in named(files, text))


def test_folders_of_any_depth_are_walked() -> None:
    assert outline(["/".join("a" * 2_000) + "/b.py"])
