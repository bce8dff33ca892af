"""In which language an issue is written, as far as that can be told cheaply and honestly. Pure.

Scripts tell by the blocks of Unicode, languages in Latin script by their most frequent small words. English, and what
can't be told, is None.
"""

from __future__ import annotations

import re
from collections import Counter

_MOST_TEXT = 20_000  # characters that are looked at
_FEWEST_LETTERS = 12  # of prose; fewer tell nothing
_SHARE = 0.2  # of the letters: identifiers and program names are Latin in every language
_KANA = 0.05  # of the characters of these scripts; Chinese has none
_FEWEST_WORDS = 4  # small words of a language, and
_AHEAD = 1.5  # times as many as of any other

# Code, quoted output and addresses are in no language.
_NO_PROSE = re.compile(
    r"^ {0,3}(```+|~~~+).*?(?:^ {0,3}\1|\Z)|^(?: {4}|\t)[^\n]*|`[^`\n]*`|<[^<>\n]*>|\bhttps?://\S+",
    re.MULTILINE | re.DOTALL,
)
_THE_ISSUES = "the language of the issue"
# Cyrillic, Arabic and Devanagari stand for several languages each.
_SCRIPTS = [
    (name, re.compile(f"[{block}]"))
    for name, block in (
        ("Japanese", "\u3040-\u30ff"),  # kana; Japanese has Han characters too
        ("Chinese", "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"),
        ("Korean", "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"),
        ("Greek", "\u0370-\u03ff"),
        ("Hebrew", "\u0590-\u05ff"),
        ("Thai", "\u0e00-\u0e7f"),
        (_THE_ISSUES, "\u0400-\u052f"),
        (_THE_ISSUES, "\u0600-\u06ff\u0750-\u077f"),
        (_THE_ISSUES, "\u0900-\u097f"),
    )
]
# The small words of a language that the others listed do not have, so that relatives can be told apart.
_SMALL_WORDS = {
    name: frozenset(words.split())
    for name, words in (
        (None, "the and is of to that it with for this not when are be from should if was but has"),
        (
            "German",
            "der die das und ist nicht ein eine wird werden mit auf für den dem sich auch wenn bei aber oder nach",
        ),
        (
            "French",
            "le les des est une et dans qui pour pas sur avec au ce cette lorsque mais ne du sont je nous être",
        ),
        (
            "Spanish",
            "el los las es y en por se para cuando como pero más está un una del hay esto esta este muy sin",
        ),
        (
            "Portuguese",
            "o os as é uma em com não do da para quando ao mas mais está um isso pelo pela foi são na no",
        ),
        (
            "Italian",
            "il gli è che per con non della quando come ma più sono di questo questa nel viene dei alla anche",
        ),
    )
}


def language(text: str) -> str | None:
    """What the text is written in, as an English sentence names it (`German`, `the language of the issue`); None for
    English and where it can't be told."""
    prose = _NO_PROSE.sub(" ", text[:_MOST_TEXT])
    letters = sum(map(str.isalpha, prose))
    counts = [len(block.findall(prose)) for _, block in _SCRIPTS]
    if letters >= _FEWEST_LETTERS and sum(counts) >= letters * _SHARE:
        kana = counts[0]
        most = counts.index(max(counts))
        return _SCRIPTS[0 if kana >= sum(counts) * _KANA else most][0]
    return _by_small_words(prose)


def _by_small_words(prose: str) -> str | None:
    words = Counter(re.findall(r"[^\W\d_]+", prose.lower()))
    counts = Counter({name: sum(words[word] for word in small) for name, small in _SMALL_WORDS.items()})
    (first, most), (_, second) = counts.most_common(2)
    return first if most >= _FEWEST_WORDS and most >= second * _AHEAD else None
