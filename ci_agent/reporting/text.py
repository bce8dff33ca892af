"""Makes text from strangers and models harmless where it is shown: in Markdown, in plain text, on terminals.

The one place for it. No result holds a control or invisible character, words that close an issue, or words that
switch the CI off. What is made as Markdown holds no HTML, no link, no mention, no reference to an issue and no
line that GitLab would take for a quick action either; `plain` says what it leaves standing. Platforms read some
of these from the raw text, before or beside Markdown, so escaping for Markdown alone would not do: GitLab looks
for `/command` at line starts and for `Closes #12` even inside code.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from ci_agent.unseen import LINE_ENDS, plainly_seen

LINES = 10  # of a text of several, where each becomes code

# ECMA-48: control sequences, operating system commands (titles, hyperlinks), and two-byte escapes.
_TERMINAL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|\x1b[@-Z\\^_]|\x9b[0-?]*[ -/]*[@-~]"
)

_SURROGATE = re.compile("[\ud800-\udfff]")

# "Closes", "fixed:", "Resolving issue": words that close the issue named behind them. They are those of
# GitHub's documentation and GitLab's default `issue_closing_pattern`.
_CLOSES = (
    r"\b(?i:clos(?:e[sd]?|ing)|fix(?:e[sd]|ing)?|resolv(?:e[sd]?|ing)|implement(?:s|ed|ing)?)"
    r"\s*+:?\s*+(?i:issues?\s*+:?\s*+)?+"
)

# The words with what is closed, generously: for text that can be cut in two there without any loss.
_CLOSING = re.compile(rf"({_CLOSES})(?=[^\s`]*(?:[#!&]\d|://|[A-Za-z0-9_]-\d|\[[A-Za-z_]+:))")

# The same, exactly: `#12`, `group/project#3`, an address, `GH-12`, `[issue:12]`, or the key of an issue in
# another tracker, as far as it is not one of the names that only look like a key.
_CLOSED = re.compile(
    rf"({_CLOSES}[(\[{{<]*)"
    r"((?:[\w./-]*+[#!&]|(?i:(?:epic|issue|work_item):)[\w./-]*|(?i:g[hl])-"
    r"|(?!(?:UTF|SHA|ISO|RFC|PEP|CVE)-)[A-Z][A-Z0-9_]+-)\d\w*|(?i:https?)://[^\s<>]*[^\s<>.,;:!?)\]}])"
)

# `@dana` behind anything but a letter, a digit or `_`: that is what GitLab's `User.reference_pattern` takes, whose
# names may begin with a dot. `dana@example.org` and `checkout@v4` are none. Ruby's `\w` is ASCII's.
_MENTION = re.compile(r"(?<![A-Za-z0-9_])@(?=\.?\w)")

# What switches the project's CI off: GitHub's documentation ("Skipping workflow runs"), the `SKIP_PATTERN` of
# GitLab's source, which takes `_` and `-` for the blank as well, and Azure's documentation of its CI triggers.
_SKIPS = re.compile(
    r"\[(\s*(?:(?:skip|no)[\s_-]+{ci}|{ci}[\s_-]+skip)\s*)\]|(?<=\*\*\*)(no_ci)(?=\*\*\*)".format(
        ci="(?:ci|actions|azurepipelines|azpipelines|azp)"
    ),
    re.IGNORECASE,
)
# The stars that are left around one that is broken already.
_STARS = re.compile(r"(?<!\*)\*++(?=\(no_ci\))|(?<=\(no_ci\))\*+", re.IGNORECASE)
_SKIP_TRAILER = re.compile(r"(skip-checks\s*+):(?=\s*+true)", re.IGNORECASE)

# Words that platforms turn into something: mentions and addresses, references, trackers' keys, links.
_LIVE = re.compile(r"@\.?\w|[#!&]\d|://|\bwww\.|\b[A-Z][A-Z0-9_]+-\d")
_BEFORE, _AFTER = "([{<\"'\u201c\u2018", ")]}>\"'\u201d\u2019.,;:!?"  # punctuation around a word
_LEFT_OUT = "# left out: a command that reads as an order to close an issue or to switch the CI off"
_CODE_SPAN = re.compile(r"(`[^`\n]+`)")
_SPECIAL = re.compile(r"[\\`*\[\]$|~]|(?<![^\W_])_|_(?![^\W_])")
_LIST_ITEM = re.compile(r"([-*+•]|\d{1,3}[.)])\s+")
_FENCE = re.compile(r"\s*(?:```|~~~)")

# Names that the platforms give: letters, digits and a few signs. `[bot]` is no part of a mention, and `@all`
# tells everybody on GitLab.
_LOGIN = re.compile(r"(?!all$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}", re.IGNORECASE)
_WEB = re.compile(r"https?://[^\s<>()\[\]]+")


def clean(text: str) -> str:
    """`text` with plain newlines and without what can't be seen: controls, terminal sequences, marks."""
    text = _TERMINAL.sub("", LINE_ENDS.sub("\n", text))
    return _SURROGATE.sub("\ufffd", plainly_seen(text))


def cut(text: str, limit: int) -> str:
    """At most `limit` characters of `text`, the cut marked with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def one_line(text: str, limit: int = 200) -> str:
    """`text`, cleaned, on one line of at most `limit` characters. Runs of blanks stay: they may matter."""
    parts = (part.strip() for part in re.split(r"[\n\t]", clean(text)))
    return cut(" ".join(part for part in parts if part), limit)


def code(text: str, limit: int = 200) -> str:
    """Inline code that shows `text` as it is, backticks included."""
    return _spans(one_line(text, limit) or "(empty)")


def codes(text: str, limit: int = 200) -> str:
    """Inline code for each line of `text`, as several commands are written: on one line they would read as one."""
    lines = [line for line in clean(text).split("\n") if line.strip()]
    return ", ".join(code(line, limit) for line in lines[:LINES]) + (" …" if len(lines) > LINES else "")


def cell(text: str, limit: int = 200) -> str:
    """Inline code for a cell of a table.

    A bar splits cells even inside code, and parsers differ on backslashes before it, so text with a bar is
    written as HTML with all its punctuation as entities.
    """
    line = one_line(text, limit) or "(empty)"
    if "|" not in line:
        return _spans(line)
    return "<code>" + "".join(c if c.isalnum() or c in " ./" else f"&#{ord(c)};" for c in line) + "</code>"


def prose(text: str, limit: int = 500) -> str:
    """One line of inert Markdown that reads as `text`. Code in single backticks stays code."""
    line = _inline(one_line(text, limit))
    if line[:1] in {"/", "#", "+", "-", "=", ":"}:
        return "\\" + line
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", line)


def quote(text: str, *, lead: str = "", limit: int = 4000) -> str:
    """`text` as an inert block quote: paragraphs, lists and code lines stay, all else reads as written.

    `lead` is Markdown of ours that says whose words these are. At most `limit` characters are kept.
    """
    lines = list(_quoted_lines(cut(clean(text).strip(), limit), limit))
    if lead and lines and not _LIST_ITEM.match(lines[0]):
        lines[0] = f"{lead} {lines[0]}"
    elif lead:
        lines[:0] = [lead, ""]
    return "\n".join(f"> {line}".rstrip() for line in lines)


def mention(login: str) -> str:
    """A mention of the person with this name on the platform, who is told; empty where it can't be a name."""
    return f"@{login}" if _LOGIN.fullmatch(login) else ""


def link(name: str, url: str) -> str:
    """A link to `url`, `name` being Markdown; empty where it is no address of the web."""
    return f"[{name}]({url})" if _WEB.fullmatch(url) else ""


def shell_block(lines: list[str]) -> str:
    """A block of shell commands to copy, each of one or more lines. A leading slash is quoted in the shell's own way;
    one that platforms would act on, even in code, is left out."""
    commands = [_LEFT_OUT if _acts(text) else text for text in map(clean, lines)]
    body = [cut(line.rstrip(), 1000) for text in commands for line in text.strip("\n").split("\n")]
    body = [re.sub(r"^([> \t]*)/", r"\1\\/", line) for line in body]
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", "\n".join(body)))])
    return "\n".join([f"{fence}sh", *body, fence])


def plain(text: str) -> str:
    """`text`, cleaned, for places without Markdown: commit messages and titles. Changed is only what a platform
    would act on; code must read there as it was written, as far as it can.

    What a closing word would close stands in quotes: `Closes "#12"`. A reference without such a word stays:
    at most a platform notes it at the issue. A mention gets a blank after its sign, in backticks as well: the
    platforms know no code in these places, and GitLab tells people who are mentioned in a title. What would
    switch the CI off loses its brackets or stars: `(skip ci)`.
    """
    text = _CLOSED.sub(r'\1"\2"', clean(text))
    text = _STARS.sub("", _SKIPS.sub(lambda match: f"({match[1] or match[2]})", text))
    return _MENTION.sub("@ ", _SKIP_TRAILER.sub(r"\1 -", text))


def _acts(command: str) -> bool:
    """Whether a command closes an issue or switches the CI off where it is only shown."""
    return any(order.search(command) for order in (_CLOSING, _CLOSED, _SKIPS, _SKIP_TRAILER))


def _inline(line: str) -> str:
    parts: list[str] = []
    for part in _CODE_SPAN.split(line):
        if _CODE_SPAN.fullmatch(part):
            parts.append(_spans(part[1:-1]))
        else:
            parts.extend(_word(word) for word in re.split(r"(\s+)", part))
    return _apart(parts)


def _word(word: str) -> str:
    core = word.lstrip(_BEFORE).rstrip(_AFTER)
    if not core or not _LIVE.search(core):
        return _escaped(word)
    before, _, after = word.partition(core)
    return _apart([_escaped(before), _spans(core), _escaped(after)])


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", html.escape(text, quote=False))


def _spans(text: str) -> str:
    """`text` as inline code; as two, where one would hold words that close an issue or switch the CI off: a
    merge request's text becomes the message of a commit where merges are squashed."""
    text = _SKIPS.sub(lambda match: re.sub(r"\s+|(?=[_-])", "\0", match[0], count=1), text)
    pieces = _CLOSING.sub(lambda match: match[1].rstrip() + "\0", text).split("\0")
    return " ".join(_span(piece) for piece in pieces if piece.strip())


def _span(text: str) -> str:
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _apart(parts: list[str]) -> str:
    """The parts in a row, code spans that touch kept apart: joined backticks would read as one longer mark."""
    line = ""
    for part in parts:
        line += " " + part if line.endswith("`") and part.startswith("`") else part
    return line


def _quoted_lines(text: str, limit: int) -> Iterator[str]:
    in_code = False
    for line in text.split("\n"):
        item = _LIST_ITEM.match(line.strip())
        if _FENCE.match(line):
            in_code = not in_code
            yield ""
        elif in_code:
            indent = len(line) - len(line.lstrip())
            yield _spans("\u00a0" * indent + line.strip()) + "\\" if line.strip() else ""
        elif item:
            mark = item[1] if item[1][0].isdigit() else "-"
            yield f"{mark} {prose(line.strip()[item.end() :], limit)}"
        else:
            yield prose(line, limit)
