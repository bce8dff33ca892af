"""What we ship for CIs, and the YAML in our documents."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "action.yml"
PLAIN = ROOT / "templates/.gitlab-ci.yml"
COMPONENT = ROOT / "templates/ci-agent/template.yml"
EXAMPLES = ROOT / "docs/examples"


class _Loader(yaml.SafeLoader):
    """YAML as the CIs read it: `on` is a word, and GitLab has `!reference`."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool"]
    for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), list("tf"))


def _reference(loader: yaml.SafeLoader, node: yaml.SequenceNode) -> tuple[str, ...]:
    return ("!reference", *loader.construct_sequence(node))


_Loader.add_constructor("!reference", _reference)


def load(text: str) -> Any:
    return yaml.load(text, _Loader)


def load_all(text: str) -> list[Any]:
    return list(yaml.load_all(text, _Loader))


def examples() -> dict[str, str]:
    """Each YAML example in our documents: the files, and the blocks in pages, which have to be whole files."""
    found = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in sorted(EXAMPLES.glob("*.yml"))
    }
    for page in sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]):
        blocks = re.findall(
            r"^```ya?ml\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        )
        found |= {f"{page.relative_to(ROOT)}, block {number}": text for number, text in enumerate(blocks, 1)}
    return found


def is_workflow(text: str) -> bool:
    content = load(text)
    return isinstance(content, dict) and "on" in content and "jobs" in content


def is_gitlab(text: str) -> bool:
    content = load(text)
    return isinstance(content, dict) and bool({"include", "stages"} & content.keys())
