"""Which files and folders an issue speaks of: by path, by file name, or by the words of its identifiers. Pure text."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from ci_agent.agent.kinds import DULL, GENERIC, SHARES, SOURCE

_MOST_TEXT = 40_000  # characters of an issue that are looked at
_FEW = 2  # more files of one plain word than that tell none of them
_COMMON = 5  # more files of one name than that: naming it tells none of them
_PATH, _TITLE, _STEM = 100.0, 60.0, 30.0  # how sure a hit is
_ENOUGH = 9.0  # as sure as two rare words that a file's name shares with the issue
_DULL_SHARE = 0.3  # and before what there is many of
_BESIDE_SHARE = 0.8  # the source comes before what stands beside it
_SHORTEST = 4  # letters of a word that tells something

_MENTION = re.compile(r"[\w@+.-]+(?:(?:/|\\|::)[\w@+.-]+)*")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\n")
# What is written as a name: between backticks, with a dot or underscore inside, in camel case, called.
_IDENTIFIER = re.compile(r"`[^`\n]{3,80}`|\b\w+(?:[._]\w+)+|\b[A-Za-z]*[a-z][A-Z]\w*|\b\w{4,}(?=\()")
_SEVERAL_WORDS = re.compile(r"\w[_-]\w|[a-z][A-Z]")
_IMAGE = re.compile(r"\.(png|jpe?g|gif|svg|ico|webp|pdf|woff2?|ttf)$", re.IGNORECASE)
_TEST = re.compile(r"^test_|tests?\.|\.spec\.|_spec\.")


def named(files: Sequence[str], text: str, most: int = 10) -> list[str]:
    """At most `most` of `files` (paths with `/`), or of their folders (with a `/` at the end): those first that `text`
    most surely means."""
    text = text[:_MOST_TEXT]
    mentions = {re.sub(r"\\|::", "/", mention).strip(".-/") for mention in _MENTION.findall(text)}
    of_title: dict[str, list[str]] = defaultdict(list)
    for path in files:
        of_title[path.rpartition("/")[2]].append(path)
    titles = {title: paths for title, paths in of_title.items() if len(paths) <= _COMMON}
    coded = {word for found in _IDENTIFIER.findall(text) for word in re.findall(r"\w+", found)}
    own = {path.partition("/")[0] for path in files if "/" in path}  # the project's own name tells nothing
    by_stem = _by_stem(titles, mentions - own, coded - own)
    scores = Counter(_by_words(titles, text)) | Counter(by_stem)  # the higher of both
    scores |= Counter(dict.fromkeys(titles.keys() & mentions, _TITLE))
    found = Counter({path: score for title, score in scores.items() for path in titles[title]})
    folders = {path.rpartition("/")[0] for path in files} - {""}
    found |= Counter(dict.fromkeys(_by_folder(folders, mentions), _TITLE))
    found |= Counter(dict.fromkeys(_by_path(of_title, mentions), _PATH))
    weighed = ((path, score * _share(path)) for path, score in found.items() if not _IMAGE.search(path))
    sure = {path: score for path, score in weighed if score >= _ENOUGH}
    return sorted(sure, key=lambda path: (-sure[path], path.count("/"), path))[:most]


def _share(path: str) -> float:
    *folders, title = path.lower().split("/")
    shares = [SHARES.get(folder, 1.0) for folder in folders]
    beside = sum(share < 1 for share in shares) + bool(_TEST.search(title))
    beside += bool(title) and title[title.rfind(".") :] not in SOURCE
    return float(_BESIDE_SHARE**beside) * (_DULL_SHARE if min(shares, default=1.0) <= DULL else 1)


def _by_path(of_title: Mapping[str, Sequence[str]], mentions: Iterable[str]) -> list[str]:
    """The files whose path, or its end, is mentioned, with its suffix or without: `shop/cart`, `shop/cart.php`."""
    ends = _by_last(mentions)
    found = []
    for title, paths in of_title.items():
        stem = title.rpartition(".")[0]
        found += [path for path in paths if title in ends and f"/{path}".endswith(ends[title])]
        found += [
            path for path in paths if stem in ends and f"/{path}".rpartition(".")[0].endswith(ends[stem])
        ]
    return found


def _by_folder(folders: Iterable[str], mentions: Iterable[str]) -> list[str]:
    """The folders that are mentioned by path, or by a name of several words, each with a `/` at its end."""
    ends = _by_last(mentions)
    names = {_folded(mention) for mention in mentions if _SEVERAL_WORDS.search(mention)} - GENERIC
    found = defaultdict(list)
    for folder in folders:
        last = folder.rpartition("/")[2]
        if _folded(last) in names or f"/{folder}".endswith(ends.get(last, ())):
            found[_folded(last)].append(f"{folder}/")
    return [folder for alike in found.values() if len(alike) <= _COMMON for folder in alike]


def _by_last(mentions: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The mentions that are paths, by the last name in them: looking one up is cheaper than trying all."""
    ends: dict[str, tuple[str, ...]] = {}
    for mention in mentions:
        if "/" in mention:
            last = mention.rpartition("/")[2]
            ends[last] = (*ends.get(last, ()), f"/{mention}")
    return ends


def _by_stem(
    titles: Mapping[str, Sequence[str]], mentions: Iterable[str], coded: Collection[str]
) -> dict[str, float]:
    """The titles whose name without suffix is mentioned, or is a part of it: `shop.cart` means `cart.py`. One word in
    small letters means less: it has to be written as code, and several files may be called so by chance."""
    parts = {part for mention in mentions for part in mention.rpartition("/")[2].split(".")}
    folded = {_folded(part) for part in parts if len(part) >= _SHORTEST} - GENERIC
    classes = {part for part in parts if part[:1].isupper()}
    found = {}
    for title in titles:
        stem = title.partition(".")[0]
        if _folded(stem) in folded or (len(stem) > 1 and stem in classes):
            found[title] = _folded(stem)
    counts = Counter(stem for title, stem in found.items() for _ in titles[title])
    plain = {stem for title, stem in found.items() if title.partition(".")[0] == stem}
    return {
        title: _STEM
        for title, stem in found.items()
        if (counts[stem] <= _FEW and stem in coded if stem in plain else counts[stem] <= _COMMON)
    }


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _by_words(titles: Collection[str], text: str) -> dict[str, float]:
    """The titles that share words with identifiers of the text; a word counts the more the rarer it is."""
    known = {word.lower() for found in _IDENTIFIER.findall(text) for word in _WORD.findall(found)}
    known = {word for word in known if len(word) >= _SHORTEST} - GENERIC
    forms = {form: word for word in known for form in (word, word.capitalize(), word.upper())}
    shared: dict[str, set[str]] = defaultdict(set)
    ordered = iter(titles)
    title = ""
    # One call for all of them, since there may be 100,000.
    joined = "".join("\n" + title.replace("\n", " ") for title in titles)
    for word in _WORD.findall(joined) if known else ():
        if word == "\n":
            title = next(ordered)
        elif word in forms:
            shared[title].add(forms[word])
    alike = Counter(frozenset(words) for words in shared.values())
    counts = Counter(word for words in shared.values() for word in words)
    rarity = {word: math.log(len(titles) / count) for word, count in counts.items()}
    return {
        title: sum(rarity[word] for word in words)
        for title, words in shared.items()
        if len(words) > 1 and alike[frozenset(words)] <= _COMMON
    }
