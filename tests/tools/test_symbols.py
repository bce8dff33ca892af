"""Reading one definition by its name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.tools import World
from ci_agent.tools.symbols import Symbol, find, symbols
from tests.tools.conftest import Do

_PYTHON = """\
import os


class Shop:
    @property
    def total(self):
        return 1

    def add(self, item):
        def check():
            return item

        return check()


async def add(a, b):
    return a + b
"""
_JAVASCRIPT = """\
export class Cart {
    constructor() {
        this.items = [];
    }
}

export default function total(
    cart,
) {
    return cart.items.length;
}

const half = (n) => {
    return n / 2;
};
const one = () => 1;
last();
"""
_GO = (
    "func (s *Server) Run(\n\tport int,\n) error {\n\treturn nil\n}\n\ntype Server struct {\n\tPort int\n}\n"
)
_RUBY = "class A\n  def self.run(x)\n    x\n  end\n\n  def stop\n  end\nend\n"
_RUST = "impl Parser {\n    pub fn next(&mut self) -> u8\n    {\n        1\n    }\n}\n"
_C = "static int\nmain(int argc)\n{\n    return 0;\n}\n\nint f(void) {\n    return 1;\n}\n"


@pytest.mark.parametrize(
    ("name", "text", "symbol", "lines"),
    [
        ("a.py", _PYTHON, "Shop.add", (9, 13)),
        ("a.py", _PYTHON, "total", (5, 7)),
        ("a.py", _PYTHON, "Shop::total", (5, 7)),
        ("a.py", _PYTHON, "check()", (10, 11)),
        ("a.py", _PYTHON, "Shop", (4, 13)),
        ("a.js", _JAVASCRIPT, "Cart", (1, 5)),
        ("a.js", _JAVASCRIPT, "total", (7, 11)),
        ("a.js", _JAVASCRIPT, "half", (13, 15)),
        ("a.js", _JAVASCRIPT, "one", (16, 16)),
        ("a.go", _GO, "Run", (1, 5)),
        ("a.go", _GO, "Server", (7, 9)),
        ("a.rb", _RUBY, "A.run", (2, 4)),
        ("a.rb", _RUBY, "A#stop", (6, 7)),
        ("a.rs", _RUST, "Parser.next", (2, 5)),
        ("a.c", _C, "f", (7, 9)),
    ],
)
def test_a_definition_has_a_first_and_a_last_line(
    name: str, text: str, symbol: str, lines: tuple[int, int]
) -> None:
    [found] = find(symbols(name, text), symbol)
    assert (found.first, found.last) == lines


def test_one_definition_is_shown_as_it_stands(do: Do, world: World) -> None:
    (world.root / "a.py").write_text(_PYTHON)
    assert do("read_file", path="a.py", symbol="Shop.total").text == (
        "    @property\n    def total(self):\n        return 1\n[lines 5 to 7 of 17]"
    )


def test_others_of_the_name_are_told(do: Do, world: World) -> None:
    (world.root / "a.py").write_text(_PYTHON)
    text = do("read_file", path="a.py", symbol="add").text
    assert text.startswith("    def add(self, item):")
    assert text.endswith("\n[also: add at lines 16 to 17]")


def test_of_what_is_not_there_the_nearest_is_told(do: Do, world: World) -> None:
    (world.root / "a.py").write_text(_PYTHON)
    answer = do("read_file", path="a.py", symbol="Shop.totals")
    assert not answer.ok
    assert answer.text == "a.py has no definition of Shop.totals. It defines, for instance, Shop.total."
    (world.root / "a.txt").write_text("text\n")
    assert "Use search" in do("read_file", path="a.txt", symbol="x").text


@given(st.sampled_from(["a.py", "a.js", "a.go", "a.c", "a.rb", "a.md", "a"]), st.text(max_size=300))
def test_any_text_has_definitions_inside_of_it(name: str, text: str) -> None:
    count = text.count("\n") + 1
    for symbol in symbols(name, text):
        assert isinstance(symbol, Symbol)
        assert 1 <= symbol.first <= symbol.last <= count
