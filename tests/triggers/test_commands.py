"""The commands people write in comments, in all the ways people write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.triggers import Command, Kind, Verb
from ci_agent.triggers.commands import HINT, LIST, OPTIONS, asked, kept, mentioned, parse, replied, wrong


def problem(text: str) -> str:
    found = parse(text)
    assert found is not None
    assert found.verb is Verb.UNKNOWN
    return found.problem


# --- where a command stands -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "/agent retry",
        "  /agent retry",
        "Thanks!\n\n/agent retry",
        "Thanks!\r\n/agent retry\r\n",
        "Thanks!\r/agent retry",
        "/AGENT Retry",
        "/agent: retry!",
        "/agent, `retry`.",
        "/agent:retry",
        "/agent  \t retry",
        "/agent\u00a0retry",
        "\u200b/agent\u200b retry\u200b",
        "\ufeff/agent retry",
        "> what you said\n/agent retry",
        "```\ncode\n```\n/agent retry",
        "~~~\n```\n~~~\n/agent retry",
        "````\n```\n````\n/agent retry",
        "```not a fence``` but code\n/agent retry",
        "<!-- a template's words -->\n/agent retry",
        "<!-- /agent run -->/agent retry",
        "Write `<!--` before it\n/agent retry",
        "so: <!-- open for good\n\n/agent retry",
        "/agent retry\u0020\u0020",
    ],
)
def test_a_command_at_the_start_of_a_line_is_found(text: str) -> None:
    assert parse(text) == Command(Verb.RETRY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "agent retry",
        "please /agent retry",
        "- /agent retry",
        "`/agent retry`",
        "/agents retry",
        "/agent-retry",
        "/agent/retry",
        "/agent.md says",
        "> /agent retry",
        "   > /agent retry",
        "    /agent retry",
        "\t/agent retry",
        "```\n/agent retry\n```",
        "```sh\n/agent retry",
        "~~~~\n/agent retry\n~~~\n/agent retry",
        "```\n    ```\n/agent retry",
        "``` ```\n```\n/agent retry",
        "<!-- /agent retry -->",
        "<!--\n/agent retry\n-->",
        "<!--\n\n/agent retry",
        "so: <!--\n/agent retry\n-->",
        "@shop-bot retry",
    ],
)
def test_elsewhere_the_words_are_no_command(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("account", "text", "command"),
    [
        ("shop-bot", "@shop-bot retry", Command(Verb.RETRY)),
        ("shop-bot", "@Shop-Bot: retry with care", Command(Verb.RETRY, "with care")),
        ("shop-bot[bot]", "@shop-bot stop", Command(Verb.STOP)),
        ("shop-bot[bot]", "@shop-bot[bot] stop", Command(Verb.STOP)),
        ("shop-bot", "/agent retry", Command(Verb.RETRY)),
        ("shop-bot", "@shop-bot what is this?", None),
        ("shop-bot", "@shop-bots retry", None),
        ("shop-bot", "> @shop-bot retry", None),
        ("shop-bot", "@shop-bot", None),
    ],
)
def test_a_command_to_our_account_counts_as_one(account: str, text: str, command: Command | None) -> None:
    assert parse(text, account) == command


# --- the words behind it ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/agent help", Command(Verb.HELP)),
        ("/agent help me please", Command(Verb.HELP)),
        ("/agent run", Command(Verb.RUN)),
        ("/agent run the parser only", Command(Verb.RUN, "the parser only")),
        ("/agent stop it now", Command(Verb.STOP)),
        ("/agent status?", Command(Verb.STATUS)),
        (
            "/agent answer Yes, both.\n\nBut not the third.",
            Command(Verb.ANSWER, "Yes, both.\n\nBut not the third."),
        ),
        ("/agent answer\nYes", Command(Verb.ANSWER, "Yes")),
        ("/agent answer --force is right", Command(Verb.ANSWER, "--force is right")),
        ("/agent approve", Command(Verb.APPROVE)),
        ("/agent reject", Command(Verb.REJECT)),
        ("/agent reject too much", Command(Verb.REJECT, "too much")),
    ],
)
def test_each_command_takes_its_words(text: str, command: Command) -> None:
    assert parse(text) == command


def test_a_hint_goes_on_to_the_end_with_all_that_people_see() -> None:
    text = (
        "/agent retry It says:\n"
        "```\n"
        "Traceback <!-- as it is -->\n"
        "/agent run\n"
        "```\n"
        "> /agent stop\n"
        "\n"
        "    indented\n"
        "and <!-- hidden --> `<!-- code -->`\n"
        "<!--\nhidden\n-->\n"
    )
    assert parse(text) == Command(
        Verb.RETRY,
        "It says:\n```\nTraceback <!-- as it is -->\n/agent run\n```\n> /agent stop\n\n    indented\n"
        "and  `<!-- code -->`",
    )


def test_a_hint_that_begins_with_code_keeps_its_indentation() -> None:
    assert parse("/agent retry\n\n    x = 1\n    y = 2") == Command(Verb.RETRY, "    x = 1\n    y = 2")


def test_the_first_command_counts_and_ends_where_the_next_begins() -> None:
    assert parse("/agent retry one\ntwo\n/agent stop\nthree") == Command(Verb.RETRY, "one\ntwo")
    assert parse("/agent retry one\n@shop-bot stop", "shop-bot") == Command(Verb.RETRY, "one")


def test_a_hint_that_is_too_long_is_cut_and_says_so() -> None:
    found = parse("/agent run " + "x" * (HINT + 1))
    assert found is not None
    assert found.text == "x" * HINT + "\n[cut here, after 20,000 characters]"
    assert kept("x" * HINT) == "x" * HINT


# --- options ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/agent run --model gpt-5", Command(Verb.RUN, model="gpt-5")),
        ("/agent run --model=openai/gpt-5:free hint", Command(Verb.RUN, "hint", model="openai/gpt-5:free")),
        ("/agent retry --budget 2", Command(Verb.RETRY, budget=2.0)),
        ("/agent retry --budget=1.50", Command(Verb.RETRY, budget=1.5)),
        ("/agent retry --budget $.5", Command(Verb.RETRY, budget=0.5)),
        ("/agent retry --budget 10000$", Command(Verb.RETRY, budget=10_000.0)),
        ("/agent retry --base `release/1.x`", Command(Verb.RETRY, base="release/1.x")),
        ("/agent retry --base \u201cmain\u201d, please", Command(Verb.RETRY, "please", base="main")),
        (
            "/agent run --Model a --budget = 3 --base b use --model nowhere",
            Command(Verb.RUN, "use --model nowhere", "a", 3.0, "b"),
        ),
        ("/agent run \u2014model gpt-5 \u2013budget 2", Command(Verb.RUN, model="gpt-5", budget=2.0)),
        ("/agent run \u2014 and be quick", Command(Verb.RUN, "\u2014 and be quick")),
        ("/agent run -v is broken", Command(Verb.RUN, "-v is broken")),
        ("/agent run\n--verbose is broken", Command(Verb.RUN, "--verbose is broken")),
        ("/agent run\n\n---\nsee above", Command(Verb.RUN, "---\nsee above")),
    ],
)
def test_options_stand_directly_behind_the_verb(text: str, command: Command) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/agent run --model", "`--model` wants a value"),
        ("/agent run --budget\n5", "`--budget` wants a value"),
        ("/agent run \u2014base", "`--base` wants a value"),
        ("/agent run --fast please", "`--fast` is no option"),
        ("/agent run --model replay:/etc/passwd", "`--model replay:/etc/passwd` names no model"),
        ("/agent run --model REPLAY:x", "`--model REPLAY:x` names no model"),
        ("/agent run --model --budget 2", "`--model --budget` names no model"),
        ("/agent run --model $(id)", "`--model $(id)` names no model"),
        ("/agent run --budget 0", "`--budget 0` is not between 0 and 10,000 dollars"),
        ("/agent run --budget 10001", "`--budget 10001` is not between 0 and 10,000 dollars"),
        ("/agent run --budget -1", "`--budget -1` is no amount in dollars, such as `1.50`"),
        ("/agent run --budget 1,50", "`--budget 1,50` is no amount in dollars, such as `1.50`"),
        ("/agent run --budget 1e3", "`--budget 1e3` is no amount in dollars, such as `1.50`"),
        ("/agent run --budget nan", "`--budget nan` is no amount in dollars, such as `1.50`"),
        ("/agent run --budget \u0663", "`--budget \u0663` is no amount in dollars, such as `1.50`"),
        ("/agent run --budget $", "`--budget $` is no amount in dollars, such as `1.50`"),
        ("/agent run --base --force", "`--base --force` is no name of a branch"),
        ("/agent run --base a..b", "`--base a..b` is no name of a branch"),
        ("/agent run --base a\x01b", "`--base ab` is no name of a branch"),
        ("/agent run --base " + "b" * 300, "`--base " + "b" * 39 + "…` is no name of a branch"),
        ("/agent stop --budget 2", "`/agent stop` takes no options"),
        ("/agent approve --model gpt-5", "`/agent approve` takes no options"),
        ("/agent answer", "`/agent answer` wants the answer behind it"),
        ("/agent answer <!-- yes -->", "`/agent answer` wants the answer behind it"),
        ("/agent", "`/agent` alone says nothing"),
        ("/agent...\n", "`/agent` alone says nothing"),
        ("/agent rerty the thing", "there is no command `rerty`; did you mean `/agent retry`?"),
        ("/agent stauts", "there is no command `stauts`; did you mean `/agent status`?"),
        ("/agent unknown", "there is no command `unknown`"),
        ("/agent please retry", "there is no command `please`"),
        ("/agent @everyone`x`", "there is no command `@everyonex`"),
        ("/agent \x01", "there is no command `?`"),
    ],
)
def test_what_cant_be_understood_says_why(text: str, said: str) -> None:
    assert problem(text) == said


def test_what_is_wrong_with_options_is_known_for_commands_from_elsewhere() -> None:
    assert wrong(Command(Verb.RUN)) == ""
    assert wrong(Command(Verb.RUN, model="m", budget=0.01, base="main")) == ""
    assert (
        wrong(Command(Verb.RUN, budget=float("nan"))) == "`--budget nan` is not between 0 and 10,000 dollars"
    )


# --- mentions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("@shop-bot", ""),
        ("@shop-bot please fix it", "please fix it"),
        ("Can you do it, @Shop-Bot.", "Can you do it, ."),
        ("It fails:\n```\nboom @shop-bot\n```\n@shop-bot fix", "It fails:\n```\nboom @shop-bot\n```\n fix"),
    ],
)
def test_a_mention_asks_for_work_with_the_words_around_it(text: str, hint: str) -> None:
    assert asked(text, "shop-bot") == (Kind.MENTION, Command(Verb.RUN, hint))


@pytest.mark.parametrize(
    "text",
    [
        "shop-bot",
        "mail@shop-bot",
        "@shop-bots",
        "@shop-bot-two",
        "@shop-bot.two",
        "@shop-bot/team",
        "@@shop-bot",
        "`@shop-bot`",
        "> @shop-bot",
        "```\n@shop-bot\n```",
        "<!-- @shop-bot -->",
    ],
)
def test_elsewhere_the_name_is_no_mention(text: str) -> None:
    assert asked(text, "shop-bot") is None
    assert asked("@shop-bot", None) is None


def test_a_command_goes_before_a_mention() -> None:
    assert asked("@shop-bot, see below\n/agent status", "shop-bot") == (Kind.COMMAND, Command(Verb.STATUS))


def test_an_app_is_mentioned_with_or_without_the_end_of_its_name() -> None:
    assert mentioned("@shop-bot look", "shop-bot[bot]") == "look"
    assert mentioned("@shop-bot[bot] look", "shop-bot[bot]") == "look"


# --- whatever people write --------------------------------------------------------------------------------

pieces = st.lists(
    st.sampled_from(
        [
            *(
                "/agent",
                "@shop-bot",
                " ",
                "\n",
                "\r\n",
                "retry",
                "run",
                "answer",
                "--model",
                "--budget",
                "=",
                "1",
            ),
            *("```", "~~~", "`", "<!--", "-->", ">", "    ", "\u200b", "text", "\x00", "\ud800", "\u2028"),
        ]
    )
    | st.text(max_size=5),
    max_size=40,
).map("".join)


@given(pieces)
def test_no_text_breaks_anything_and_what_is_said_of_it_is_one_short_line(text: str) -> None:
    found = asked(text, "shop-bot")
    if found is None:
        return
    command = found[1]
    assert (command.verb is Verb.UNKNOWN) == bool(command.problem)
    assert len(command.problem) < 150
    assert "\n" not in command.problem
    assert command.text in (kept(command.text), "")
    assert not wrong(command)


@given(pieces, st.sampled_from(["```\n{}\n```", "~~~\n{}\n~~~"]))
def test_nothing_in_a_code_block_is_a_command(text: str, block: str) -> None:
    inside = text.replace("`", "").replace("~", "")
    assert asked(block.format(inside), "shop-bot") is None


@given(st.text(st.characters(codec="utf-8"), max_size=100), st.sampled_from(["> ", "    ", "\t"]))
def test_nothing_quoted_is_a_command(text: str, before: str) -> None:
    quoted = "".join(f"{before}{line}\n" for line in text.replace("\r", "\n").split("\n"))
    assert asked(quoted + before + "/agent run", "shop-bot") is None


@given(st.sampled_from([Verb.RUN, Verb.RETRY]), st.text("abc \n.,", max_size=60))
def test_a_plain_hint_arrives_as_it_was_written(verb: Verb, hint: str) -> None:
    found = parse(f"/agent {verb} so:\n{hint}")
    assert found == Command(verb, f"so:\n{hint}".rstrip())


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "<!--",
            "-->",
            "x <!--\n",
            "<!-- -->",
            "`",
            "```\n",
            "~",
            "> ",
            "@shop-bot",
            "/agent",
            " ",
            "\t",
            "\n",
        ),
        *(
            "--model ",
            "\u200b",
            "/agent run --budget",
            "a",
            "/agent run\n",
            "@",
            "\u2014",
            "[cut",
            "=",
            "\n ",
            "`<!--",
        ),
    ],
)
@pytest.mark.timeout(20)  # what takes time by the square of its length takes minutes
def test_a_megabyte_of_anything_is_read(piece: str) -> None:
    text = (piece * (1_000_000 // len(piece) + 1))[:1_000_000]
    for before in ("", "/agent run ", "/agent run --model ", "/agent "):
        asked(before + text, "shop-bot")


def test_every_verb_is_in_the_list_with_what_it_does() -> None:
    verbs = [entry.usage.split()[1] for entry in LIST]
    assert sorted(verbs) == sorted(str(verb) for verb in Verb if verb is not Verb.UNKNOWN)
    for entry in LIST:
        found = parse(entry.usage)
        assert found is not None
        assert str(found.verb) == entry.usage.split()[1]
    for option in OPTIONS:
        value = {"USD": "1.50", "NAME": "gpt-5", "BRANCH": "main"}
        name, *kind = option.usage.split()
        assert parse(" ".join(["/agent run", name, *(value[each] for each in kind)])) != Command(Verb.RUN)


def test_fresh_takes_no_value() -> None:
    assert parse("/agent retry --fresh") == Command(Verb.RETRY, fresh=True)
    assert parse("/agent retry --fresh --budget 2 Mind the tabs") == Command(
        Verb.RETRY, "Mind the tabs", budget=2.0, fresh=True
    )
    assert parse("/agent retry \u2014fresh") == Command(Verb.RETRY, fresh=True)
    for option in ("--fresh=yes", "--fresher"):
        found = parse(f"/agent retry {option}")
        assert found is not None
        assert found.verb is Verb.UNKNOWN


# --- plain replies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("2", "2"),
        ("The second one.\r\n\r\n    tabs too\r\n", "The second one.\n\n    tabs too"),
        ("> 1. Yes\n> 2. No\n\nThe second.", "> 1. Yes\n> 2. No\n\nThe second."),
        ("<!-- a template's words -->Both<!-- or not -->", "Both"),
        ("```\n> as it is printed\n```", "```\n> as it is printed\n```"),
        ("\U0001f44d", "\U0001f44d"),
        ("Do it as in `/agent run`, please", "Do it as in `/agent run`, please"),
        ("@lee knows: the first", "@lee knows: the first"),
    ],
)
def test_where_an_issue_waits_any_other_comment_is_the_answer(text: str, reply: str) -> None:
    assert asked(text, "shop-bot", waiting=True) == (Kind.REPLY, Command(Verb.ANSWER, reply))
    assert asked(text, "shop-bot") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t\n",
        "\u200b\ufeff",
        "> Should tabs count?",
        "> Should tabs count?\n   > Or not?\n\n",
        "<!-- nothing that is seen -->",
        "<!--\n\nopen for good",
        "<!-- x -->\n> Should tabs count?",
    ],
)
def test_who_says_nothing_of_their_own_has_not_answered(text: str) -> None:
    assert asked(text, waiting=True) is None


def test_what_is_said_to_our_account_where_an_issue_waits_is_the_answer() -> None:
    assert asked("@shop-bot the second", "shop-bot", waiting=True) == (
        Kind.MENTION,
        Command(Verb.ANSWER, "the second"),
    )
    assert asked("@shop-bot", "shop-bot", waiting=True) == (Kind.MENTION, Command(Verb.RUN))


def test_a_reply_is_no_longer_than_a_hint() -> None:
    assert len(replied("x" * 2 * HINT)) == len(kept("x" * 2 * HINT))


@given(st.text())
def test_a_command_stays_what_it_is_where_an_issue_waits(text: str) -> None:
    for words in (text, f"/agent {text}", f"{text}\n/agent retry {text}"):
        command = parse(words)
        if command is not None:
            assert asked(words, waiting=True) == (Kind.COMMAND, command)


@given(st.text())
def test_whatever_is_only_quoted_or_hidden_is_no_answer(text: str) -> None:
    lines = text.replace("\r", "\n").split("\n")
    assert asked("\n".join(f"> {line}" for line in lines), waiting=True) is None
    assert asked(f"<!-- {text.replace('-->', '')}", waiting=True) is None


@given(st.text())
def test_a_reply_has_words_that_are_seen_and_an_end(text: str) -> None:
    reply = replied(text)
    assert reply == reply.rstrip()
    assert len(reply) < HINT + 100
    assert asked(text, waiting=True) is None or parse(text) or reply
