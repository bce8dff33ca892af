"""What of Markdown's inline markup and of HTML is not seen once it is rendered. Pure; blocks come from `hidden.py`.

The grammar is that of CommonMark 0.31, 6, in text, and that of HTML itself within blocks of HTML.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import Final

from ci_agent.journal.events import Hidden
from ci_agent.unseen import none

COMMENT, ELEMENT, ATTRIBUTE = "HTML comment", "hidden HTML element", "HTML attribute"
IMAGE, TITLE, LINK = "image description", "link title", "wordless link"
_CHARACTER = "zero-width character"  # written as an entity

_BEGINS = {
    "<!--": "-->",
    "<?": "?>",
    "<![CDATA[": "]]>",
    "<!": ">",
}  # what is a comment to HTML, and where it ends
_BEGIN = r"(?P<begin><!--|<\?|<!\[CDATA\[|<!(?=[A-Za-z]))"
_TAG = (
    r"(?P<close></(?P<closed>[A-Za-z][A-Za-z0-9-]*)[^<>]*>)"
    r"|(?P<open><(?P<name>[A-Za-z][A-Za-z0-9-]*)(?P<attributes>{})>)"
)
_QUOTED = r"(?:\"[^\"]*\"|'[^']*')"
_STRICT = rf"(?:\s+[A-Za-z_:][\w.:-]*(?:\s*=\s*(?:[^\s\"'=<>`]+|{_QUOTED}))?)*+\s*/?"
_LENIENT = rf"(?:[\s/](?:=\s*{_QUOTED}|=(?!\s*[\"'])|[^>=])*+)?"

_WORDS = r"(?:\"(?:\\.|[^\"\\])*+\"|'(?:\\.|[^'\\])*+'|\((?:\\.|[^()\\])*+\))"
_ADDRESS = r"\(\s*(?:<[^<>\n]*>|[^\s()]*(?:\([^\s()]*\)[^\s()]*)*)"
_BRACKETS = r"\[(?P<alt>(?:\\.|[^\[\]\\]|\[(?:\\.|[^\[\]\\])*+\])*+)\]"
_TEXT = re.compile(
    "|".join(
        (
            r"(?P<escaped>\\[!-/:-@\[-`{-~])",
            r"(?P<ticks>`+)",
            rf"(?P<image>!{_BRACKETS}(?:(?P<source>{_ADDRESS}(?:\s+{_WORDS})?\s*\))|\[(?P<label>[^\[\]]*)\])?)",
            rf"(?P<empty>\[\s*\]{_ADDRESS}(?:\s+{_WORDS})?\s*\))",
            rf"(?P<target>\]{_ADDRESS})(?P<title>\s+{_WORDS})(?=\s*\))",
            r"(?P<entity>&(?:\#[0-9]{1,7}|\#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]*);)",
            _BEGIN,
            _TAG.format(_STRICT),
        )
    ),
    re.DOTALL,
)
# Within a block of HTML, where browsers take more for a comment, and what is open at the end hides all that follows.
_HTML = re.compile(
    "|".join((_BEGIN, r"(?P<bogus><!|</(?![A-Za-z>]))", _TAG.format(_LENIENT), r"(?P<endless></?[A-Za-z])")),
    re.DOTALL,
)

_PAIR = re.compile(r"([^\s\"'=<>/]+)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s\"'>]+))?")
_WITHOUT_END = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
_LAYOUT = frozenset(["align", "border", "colspan", "height", "open", "rowspan", "src", "valign", "width"])
_NEVER_SEEN = frozenset(
    [
        "head",
        "iframe",
        "math",
        "noembed",
        "noframes",
        "noscript",
        "object",
        "script",
        "style",
        "svg",
        "template",
        "title",
    ]
)
# `display: none` and the like. Platforms leave most styles out, but what somebody took care to hide has its reason.
_HIDING = re.compile(
    r"display:none|visibility:(?:hidden|collapse)|opacity:0?\.?0*(?:[;%!]|$)|font-size:0*\.?[01]?(?:px|pt|r?em|%)?(?:[;!]|$)"
    r"|(?:^|;)color:(?:white|transparent|#f{3,8}\b|rgba?\(255,255,255|rgba\([^)]*,0?\.?0*\))|(?:^|;)(?:height|width):0"
    r"|(?:left|top|text-indent):-\d{3,}|clip|/\*|\\"
)
_WHITE = re.compile(r"white|#?f{3,6}", re.IGNORECASE)


class Reader:
    """Reads one document, piece by piece in its order, and keeps count of what it takes out."""

    def __init__(self, labels: Iterable[str]) -> None:
        """`labels` are those that the document defines, as `label` has them."""
        self._labels = frozenset(labels)
        self._found: dict[str, list[int]] = {}  # passages and characters by kind
        self._within: list[str] = []  # the hidden element that is open, as often as elements of its name are
        self._ended = False  # nothing is seen any more

    def told(self) -> tuple[Hidden, ...]:
        """What was taken out so far."""
        return tuple(Hidden(kind, *numbers) for kind, numbers in self._found.items())

    def note(self, kind: str, characters: int) -> None:
        """Something was taken out."""
        numbers = self._found.setdefault(kind, [0, 0])
        numbers[0] += 1
        numbers[1] += characters

    def code(self, text: str) -> str:
        """Code is seen as it is, unless it stands in something hidden."""
        return self._kept(text)

    def text(self, text: str, *, table: bool = False) -> str:
        """A paragraph or the like as it is seen. In a `table` a bar ends a span of code, too."""
        return "".join(self._pieces(text, _TEXT, table=table))

    def html(self, text: str) -> str:
        """A block of HTML as it is seen."""
        return "".join(self._pieces(text, _HTML))

    def _kept(self, text: str) -> str:
        if not (self._within or self._ended):
            return text
        self._found[ELEMENT if self._within else COMMENT][1] += len(text)
        return ""

    def _pieces(self, text: str, pattern: re.Pattern[str], *, table: bool = False) -> Iterator[str]:
        at = 0
        missing: set[str] = set()  # ends that do not come any more, so that nobody looks for them twice
        while match := pattern.search(text, at):
            yield self._kept(text[at : match.start()])
            at = match.end()
            if self._ended:
                yield self._kept(match[0])
            elif match["begin"] or match.groupdict().get("bogus") or match.groupdict().get("ticks"):
                end = _end(text, match, missing, table=table)
                if end:
                    yield self._passage(text[match.start() : end], code=match[0][0] == "`")
                    at = end
                elif pattern is _HTML:
                    yield self._endless(match[0])
                else:
                    yield self._kept(match[0])
            elif pattern is _HTML and match["endless"]:
                yield self._endless(match[0])
            elif pattern is _TEXT and match["image"] and not self._is_image(match):
                at = match.start() + 1
                yield self._kept("!")
            else:
                yield self._markup(match)
        yield self._kept(text[at:])

    def _passage(self, text: str, *, code: bool) -> str:
        if code or self._within:
            return self._kept(text)
        self.note(COMMENT, len(text))
        return ""

    def _endless(self, begin: str) -> str:
        if not self._within:
            self.note(COMMENT, len(begin))
        self._within, self._ended = [], True
        self._found.setdefault(COMMENT, [1, 0])
        return ""

    def _markup(self, match: re.Match[str]) -> str:
        found = match.groupdict()
        if found["open"]:
            return self._opened(match)
        if found["close"]:
            return self._closed(match)
        if self._within:
            return self._kept(match[0])
        if found.get("image"):
            return self._image(found["alt"])
        if found.get("empty"):
            self.note(LINK, len(match[0]))
            return ""
        if found.get("title"):
            self.note(TITLE, len(found["title"].strip()))
            return str(found["target"])
        if found.get("entity") and not none(html.unescape(match[0])):
            self.note(_CHARACTER, 1)
            return ""
        return match[0]

    def _is_image(self, match: re.Match[str]) -> bool:
        return match["source"] is not None or label(match["label"] or match["alt"]) in self._labels

    def _image(self, words: str) -> str:
        if words.strip():
            self.note(IMAGE, len(words.strip()))
        return "[image]"

    def _opened(self, match: re.Match[str]) -> str:
        name = match["name"].lower()
        if self._within:
            if name == self._within[0] and name not in _WITHOUT_END:
                self._within.append(name)
            return self._kept(match[0])
        given = {
            pair[1].lower(): (pair[2] or "").strip("\"'") for pair in _PAIR.finditer(match["attributes"])
        }
        if name in _NEVER_SEEN or _hides(given):
            self.note(ELEMENT, len(match[0]))
            self._within = [] if name in _WITHOUT_END else [name]
            return ""
        if name == "img":
            return self._image(" ".join(filter(None, (given.get("alt"), given.get("title")))))
        address = given.pop("href", "") if name == "a" else ""
        rest = sum(len(key) + len(value) for key, value in given.items() if key not in _LAYOUT)
        if rest:
            self.note(ATTRIBUTE, rest)
        return f'<{match["name"]} href="{address}">' if address else f"<{match['name']}>"

    def _closed(self, match: re.Match[str]) -> str:
        name = match["closed"].lower()
        if not self._within:
            return f"</{match['closed']}>"
        kept = self._kept(match[0])
        if name == self._within[0]:
            self._within.pop()
        return kept


def label(words: str) -> str:
    """A label as CommonMark compares it."""
    return " ".join(words.split()).casefold()


def _end(text: str, match: re.Match[str], missing: set[str], *, table: bool) -> int:
    """Where the comment or the span of code ends that begins at `match`; 0: it does not end."""
    begin = match[0]
    if begin[0] == "<":
        end = _BEGINS.get(begin, ">")
        at = -1 if end in missing else text.find(end, match.end())
    else:
        end = begin
        found = None if end in missing else re.compile(rf"(?<!`){end}(?!`)").search(text, match.end())
        at = found.start() if found else -1
        if table and at >= 0 and "|" in text[match.end() : at]:
            return 0
    if at < 0:
        missing.add(end)
        return 0
    return at + len(end)


def _hides(given: dict[str, str]) -> bool:
    style = re.sub(r"\s", "", html.unescape(given.get("style", ""))).lower()
    return "hidden" in given or bool(_HIDING.search(style)) or bool(_WHITE.fullmatch(given.get("color", "")))


TITLED: Final = re.compile(rf"\s+{_WORDS}\s*$", re.DOTALL)  # at the end of a definition
