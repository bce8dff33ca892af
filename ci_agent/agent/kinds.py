"""What the names of files and folders say. Data only."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Suffixes of what people write and issues are about.
SOURCE = frozenset(
    f".{suffix}"
    for suffix in _words(
        "py pyi pyx rs go js jsx ts tsx mjs cjs mts cts vue svelte astro java kt kts scala groovy clj cs fs vb c h cc cpp "
        "cxx hh hpp hxx m mm swift rb php pl pm lua r jl ex exs erl hrl hs ml mli elm dart zig nim sol sh bash ps1 sql "
        "proto graphql tf css scss sass less html jsp erb twig liquid"
    )
)

DULL = 0.01  # what there is many of, and nobody edits by hand
# What a source file below a folder of that name is worth to somebody who looks for the code of an issue, against 1.
SHARES = (
    dict.fromkeys(_words("test tests spec specs __tests__ testing e2e integration-tests"), 0.3)
    | dict.fromkeys(
        _words(
            "doc docs documentation website example examples sample samples demo demos bench benches benchmark benchmarks"
        ),
        0.1,
    )
    | dict.fromkeys(
        _words(
            "node_modules vendor _vendor vendored third_party third-party thirdparty external dist build target "
            "bower_components fixtures fixture __fixtures__ testdata test-data test_data cassettes snapshots "
            "__snapshots__ snapshot baselines locale locales i18n l10n translations migrations generated __generated__ "
            "gen assets images img fonts icons .yarn"
        ),
        DULL,
    )
)

# Names without suffix: what a project is and how it is built, and where its code begins.
MANIFESTS = _words(
    "readme pyproject setup package cargo go pom build settings gemfile composer makefile cmakelists tox noxfile "
    "dockerfile contributing agents claude changelog changes"
)
ENTRIES = _words("main index app cli __main__ lib mod server core api conftest")

# Names without suffix that stand in every other repository, and words that stand in every other issue.
GENERIC = _words(
    "index main init test tests readme license changelog contributing config utils util helpers helper common base "
    "types setup package default input output example examples name value data file files error errors type class "
    "function method return returns none true false null self this with from import when that should code rule rules "
    "case line lines list string object result expected actual version python java node http https github"
)
