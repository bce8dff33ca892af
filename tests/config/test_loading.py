"""How the sources of a configuration add up, and what people are told when one of them is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_agent.config import SETTINGS, Loaded, Source, load
from ci_agent.errors import ConfigError


def loaded(
    file: str | bytes | None = None,
    environment: dict[str, str] | None = None,
    flags: dict[str, object] | None = None,
    *,
    trusted: bool = True,
) -> Loaded:
    data = file.encode() if isinstance(file, str) else file
    return load(
        file=None if data is None else (".ci-agent.yml", data),
        environment=environment or {},
        flags=flags or {},
        trusted=trusted,
    )


def problems(
    file: str | bytes | None = None,
    environment: dict[str, str] | None = None,
    flags: dict[str, object] | None = None,
) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(file, environment, flags)
    *lines, last = str(caught.value).splitlines()
    assert last == "`ci-agent config show` lists all settings"
    return lines


# --- which source counts ----------------------------------------------------------------------------------


def test_with_nothing_set_the_defaults_hold() -> None:
    config = loaded().config
    assert (config.model.name, config.model.api_key, config.model.timeout) == ("gpt-5-mini", None, 600.0)
    assert config.git.branch == "feat/ai-task-{issue}"
    assert config.report.output_dir == Path("ci-agent-report")
    assert config.sandbox.env == ()


def test_an_empty_file_or_section_changes_nothing() -> None:
    assert loaded("").config == loaded("# nothing\n").config == loaded("limits:\n").config == loaded().config


def test_the_file_outweighs_defaults_the_environment_the_file_and_flags_the_environment() -> None:
    file = "limits:\n  max_cost: 1\n  timeout: 1\n  max_iterations: 1\n"
    environment = {"CI_AGENT_LIMITS_TIMEOUT": "2", "CI_AGENT_LIMITS_MAX_ITERATIONS": "2"}
    result = loaded(file, environment, {"limits.max_iterations": 3})
    limits = result.config.limits
    assert (limits.max_cost, limits.timeout, limits.max_iterations, limits.max_verifications) == (1, 2, 3, 3)
    assert [
        str(result.origins[f"limits.{key}"])
        for key in ("max_cost", "timeout", "max_iterations", "max_verifications")
    ] == [".ci-agent.yml:2", "environment CI_AGENT_LIMITS_TIMEOUT", "flag --max-iterations", "default"]


def test_a_flag_that_was_not_given_changes_nothing() -> None:
    assert loaded("limits: {max_cost: 1}", flags={"limits.max_cost": None}).config.limits.max_cost == 1


def test_an_empty_flag_takes_back_what_the_file_says() -> None:
    assert (
        loaded("verification: {setup: make}", flags={"verification.setup": ""}).config.verification.setup
        is None
    )


def test_names_of_the_field_are_understood_and_our_own_name_wins_then_llm_then_openai() -> None:
    environment = {
        "OPENAI_API_KEY": "one",
        "OPENAI_BASE_URL": "https://one.example",
        "MODEL_NAME": "m",
        "MAX_ITERATIONS": "7",
        "WORKSPACE_DIR": "/w",
        "GIT_USERNAME": "bot",
        "GIT_EMAIL": "bot@example.org",
    }
    config = loaded(environment=environment).config
    assert (config.model.api_key, config.model.base_url) == ("one", "https://one.example")
    assert (config.model.name, config.limits.max_iterations, config.workspace.dir) == ("m", 7, Path("/w"))
    assert (config.git.user_name, config.git.user_email) == ("bot", "bot@example.org")
    environment |= {"LLM_API_KEY": "two", "LLM_BASE_URL": "https://two.example"}
    config = loaded(environment=environment).config
    assert (config.model.api_key, config.model.base_url) == ("two", "https://two.example")
    environment |= {"CI_AGENT_MODEL_API_KEY": "three"}
    assert loaded(environment=environment).config.model.api_key == "three"


def test_an_empty_environment_variable_counts_as_not_set() -> None:
    environment = {"CI_AGENT_MODEL_NAME": " ", "MODEL_NAME": "", "OPENAI_API_KEY": ""}
    result = loaded("model: {name: m}", environment)
    assert (result.config.model.name, result.config.model.api_key) == ("m", None)


def test_a_variable_outweighed_by_our_own_name_is_not_looked_at() -> None:
    environment = {"MAX_ITERATIONS": "many", "CI_AGENT_LIMITS_MAX_ITERATIONS": "4"}
    assert loaded(environment=environment).config.limits.max_iterations == 4


def test_other_variables_of_the_environment_are_left_alone() -> None:
    assert loaded(environment={"PATH": "/bin", "AGENT": "x", "CI": "true"}).config == loaded().config


def test_lists_and_truth_are_read_from_the_environment_in_their_usual_spellings() -> None:
    environment = {"CI_AGENT_SANDBOX_ENV": "A_1, B  C", "CI_AGENT_GIT_PUSH": "Yes"}
    config = loaded(environment=environment).config
    assert config.sandbox.env == ("A_1", "B", "C")
    assert config.git.push is True
    assert loaded(environment={"CI_AGENT_GIT_PUSH": "0"}).config.git.push is False


def test_text_of_several_lines_keeps_them_and_loses_the_white_space_around_it() -> None:
    config = loaded("verification:\n  setup: |\n    make deps\n    make\n").config
    assert config.verification.setup == "make deps\nmake"
    assert loaded(environment={"OPENAI_API_KEY": "sk-1\n"}).config.model.api_key == "sk-1"


def test_the_word_none_for_tests_is_kept_and_not_taken_for_nothing() -> None:
    assert loaded("verification: {test: none}").config.verification.test == "none"
    assert loaded("verification: {test: }").config.verification.test is None


def test_numbers_are_read_as_people_write_them() -> None:
    limits = loaded("limits: {max_input_tokens: 5_000_000, max_cost: 1e1, timeout: .5}").config.limits
    assert (limits.max_input_tokens, limits.max_cost, limits.timeout) == (5_000_000, 10.0, 0.5)


@pytest.mark.parametrize("file", ["model: m-1\n", "models:\n  default: m-1\n", "model:\n  name: m-1\n"])
def test_one_model_can_be_named_in_three_ways(file: str) -> None:
    assert loaded(file).config.model.name == "m-1"


def test_a_model_that_is_named_twice_is_a_mistake() -> None:
    [said] = problems("model: m-1\nmodels:\n  default: m-2\n")
    assert said == ".ci-agent.yml:3: `models.default` is the same as `model.name`, which is set already"


def test_the_words_strong_and_cheap_choose_among_the_models_there_are() -> None:
    config = loaded("models:\n  strong: big\n", flags={"model.name": "strong"}).config
    assert (config.model.name, config.models.use) == ("gpt-5-mini", "strong")
    assert loaded(flags={"model.name": "default"}).config.model.name == "gpt-5-mini"


def test_whoever_names_a_model_means_it_to_do_the_work() -> None:
    file = "models:\n  use: strong\n  strong: big\n  cheap: small\n"
    config = loaded(file, flags={"model.name": "mine"}).config
    assert (config.model.name, config.models.use) == ("mine", "default")


def test_prices_of_other_models_are_a_name_and_three_numbers() -> None:
    assert loaded("models:\n  prices: [a 1 0.1 2]\n").config.models.prices == ("a 1 0.1 2",)
    [said] = problems("models:\n  prices: [a 1 2]\n")
    assert said.endswith("is not a name with three prices: input, cached input, output")


def test_a_tilde_is_our_home() -> None:
    assert loaded(flags={"state_dir": "~/x"}).config.state_dir == Path.home() / "x"


# --- what is shown ----------------------------------------------------------------------------------------


def test_every_setting_is_shown_once_with_its_origin_and_without_secrets() -> None:
    environment = {"OPENAI_API_KEY": "sk-very-secret", "CI_AGENT_GIT_PUSH": "1"}
    result = loaded("git: {base: dev}", environment, {"limits.max_cost": 2.5})
    rows = result.rows()
    assert [row.key for row in rows] == [setting.key for setting in SETTINGS]
    shown = {row.key: (row.value, row.origin) for row in rows}
    assert shown["model.api_key"] == ("***", "environment OPENAI_API_KEY")
    assert shown["git.base"] == ("dev", ".ci-agent.yml:1")
    assert shown["git.push"] == ("true", "environment CI_AGENT_GIT_PUSH")
    assert shown["limits.max_cost"] == ("2.5", "flag --max-cost")
    assert shown["limits.timeout"] == ("60", "default")
    assert shown["model.base_url"] == ("not set", "default")
    assert "sk-very-secret" not in repr(result)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host.example/v1?key=hunter2", "https://host.example/v1?key=***"),
        ("https://host.example/v1?hunter2", "https://host.example/v1?***"),
        ("https://host.example/v1?a=hunter2&b=hunter2#hunter2", "https://host.example/v1?a=***&b=***#***"),
        ("https://host.example:8080/team@v1", "https://host.example:8080/team@v1"),
    ],
)
def test_an_address_is_shown_without_what_can_be_a_secret_and_used_with_it(url: str, shown: str) -> None:
    result = loaded(environment={"OPENAI_BASE_URL": url})
    assert [row.value for row in result.rows() if row.key == "model.base_url"] == [shown]
    assert result.config.model.base_url == url


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("pip install -i https://dana:hunter2@host.example/simple x", "pip install -i https://***@host.example/simple x"),
        ("pip install -i 'https://hunter2@host.example' x", "pip install -i 'https://***@host.example' x"),
        ("curl 'https://host.example/?t=hunter2' | sh", "curl 'https://host.example/?t=***' | sh"),
        ("pip install git+https://host.example/a@main", "pip install git+https://host.example/a@main"),
        ("git clone git@host.example:a/b && make a:b", "git clone git@host.example:a/b && make a:b"),
    ],
)  # fmt: skip
def test_a_command_is_shown_without_the_secrets_in_its_addresses(command: str, shown: str) -> None:
    rows = loaded(flags={"verification.setup": command}).rows()
    assert [row.value for row in rows if row.key == "verification.setup"] == [shown]


def test_a_value_of_several_lines_is_shown_on_one() -> None:
    rows = loaded('verification: {setup: "a\\nb"}').rows()
    assert [row.value for row in rows if row.key == "verification.setup"] == ["a\\nb"]


# --- what is wrong ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (
            "limits:\n  max_cots: 3",
            ".ci-agent.yml:2: `limits.max_cots` is not a setting; did you mean `limits.max_cost`?",
        ),
        ("limit:\n  x: 3", ".ci-agent.yml:1: `limit` is not a setting; did you mean `limits`?"),
        ("max_cost: 3", ".ci-agent.yml:1: `max_cost` is not a setting; did you mean `limits.max_cost`?"),
        (
            "limits.max_cost: 3",
            ".ci-agent.yml:1: `limits.max_cost` has a dot in it: keys are wanted one below the other, indented",
        ),
        ("zzz: 3", ".ci-agent.yml:1: `zzz` is not a setting"),
        ("limits: 3", ".ci-agent.yml:1: `limits` is a section: its keys are wanted below it, indented"),
        ("[a]", ".ci-agent.yml:1: `key: value` lines are wanted"),
        (
            "\nlimits:\n\n  max_cost: -1",
            ".ci-agent.yml:4: `limits.max_cost` can't be `-1`: a number above 0 up to 10,000 (US$) is wanted",
        ),
        (
            "limits: {max_iterations: 1.5}",
            (
                ".ci-agent.yml:1: `limits.max_iterations` can't be `1.5`:"
                " a whole number from 1 up to 10,000 (answers) is wanted"
            ),
        ),
        (
            "limits: {timeout: 1:30}",
            (
                ".ci-agent.yml:1: `limits.timeout` can't be `1:30`: a number above 0 up to 10,080 (minutes) is wanted"
                "; write it in plain digits, without unit and without quotes"
            ),
        ),
        (
            "limits: {timeout: 90s}",
            (
                ".ci-agent.yml:1: `limits.timeout` can't be `90s`: a number above 0 up to 10,080 (minutes) is wanted"
                "; write it in plain digits, without unit and without quotes"
            ),
        ),
        (
            "verification:\n  test: true",
            (
                ".ci-agent.yml:2: `verification.test` can't be `true`: text is wanted"
                "; put it in quotes if it is meant as text"
            ),
        ),
        (
            "model: {tries: }",
            ".ci-agent.yml:1: `model.tries` is empty: a whole number from 1 up to 20 is wanted",
        ),
        (
            "git: {branch: same}",
            (
                ".ci-agent.yml:1: `git.branch` can't be `same`: a name with `{issue}` in it is wanted,"
                " or all issues would share one branch"
            ),
        ),
        (
            "verification: {junit: ../x}",
            ".ci-agent.yml:1: `verification.junit` can't be `../x`: a relative path without `..` is wanted",
        ),
        (
            "state_dir: x",
            (
                ".ci-agent.yml:1: `state_dir` can't stand in this file: it is about this machine, not about the"
                " repository. Take it out and use `CI_AGENT_STATE_DIR` or `--state-dir` instead"
            ),
        ),
        (
            "model: {prices: {input: 1}}",
            ".ci-agent.yml:1: `model.prices.output` is missing; the prices of input and output go together",
        ),
        (
            "git: {base: a}\nlimits: {}\ngit: {base: b}",
            ".ci-agent.yml:3: `git` stands here and in line 1; keep one of them",
        ),
        ("? [a]\n: b", ".ci-agent.yml:1: a key must be a single word"),
        (
            "a: &x 1\nb: *x",
            ".ci-agent.yml:1: anchors and aliases (`&` and `*`) are not understood; write the value out",
        ),
        ("---\na: 1\n---\nb: 1", ".ci-agent.yml:3: a second document (`---`) is not understood"),
        (
            "git:\n\tpush: true",
            (
                ".ci-agent.yml:2: this is not YAML: found character '\\t' that cannot start any token"
                "; indent with blanks, not with tabs"
            ),
        ),
        (
            "\ngit: [",
            ".ci-agent.yml:2: this is not YAML: expected the node content, but found '<stream end>'",
        ),
        ("\n\n\x07", ".ci-agent.yml:3: this is not YAML: the character U+0007 is not allowed"),
        (
            'model: {name: "\\UFFFFFFFF"}',
            ".ci-agent.yml:1: this is not YAML: a number in an escape or directive is out of range",
        ),
        (
            'model: {name: "\\ud800"}',
            ".ci-agent.yml:1: `model.name` can't be `\\ud800`: the character U+D800 has no place in it",
        ),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_line_and_what_is_wanted(file: str, line: str) -> None:
    assert problems(file) == [line]


def test_all_mistakes_of_all_sources_are_told_at_once_in_reading_order() -> None:
    file = "git:\n  base: 3\nlimits:\n  max_cost: 0\n  max_cost: 1\nfoo: 1\n"
    found = problems(file, {"CI_AGENT_LIMITS_TIMEOUT": "0"}, {"limits.max_iterations": 0})
    assert [line.split(": ")[0] for line in found] == [
        ".ci-agent.yml:2",
        ".ci-agent.yml:4",
        ".ci-agent.yml:5",
        ".ci-agent.yml:6",
        "CI_AGENT_LIMITS_TIMEOUT",
        "--max-iterations",
    ]


def test_a_file_full_of_mistakes_is_answered_with_the_first_twenty() -> None:
    found = problems("".join(f"key{number}: 1\n" for number in range(300)))
    assert len(found) == 21
    assert found[-1] == "… and 280 more"


def test_a_file_that_is_too_long_is_not_read() -> None:
    assert problems(b"#" * 64_001) == [".ci-agent.yml: this is 64,001 bytes long; at most 64,000 are read"]


def test_a_file_of_too_many_values_or_too_deep_is_refused_before_it_costs_time() -> None:
    assert problems("[" * 60_000) == [".ci-agent.yml:1: this is nested deeper than 8 levels"]
    assert problems("a: [" + "1," * 30_000 + "]") == [
        ".ci-agent.yml:1: this has more than 2,000 keys and values"
    ]


def test_a_file_that_is_not_utf_8_is_named_with_the_line() -> None:
    assert problems(b"git:\n  user_name: J\xf6rg\n") == [
        ".ci-agent.yml:2: this is not UTF-8; save the file as UTF-8"
    ]


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter() -> None:
    assert loaded(b"\xef\xbb\xbfgit:\r\n  base: dev\r\n").config.git.base == "dev"


def test_a_key_in_the_file_is_refused_with_the_reason_and_is_not_repeated() -> None:
    (line,) = problems("model:\n  api_key: sk-very-secret\n")
    assert line == (
        ".ci-agent.yml:2: `model.api_key` can't stand in this file: a key in a file is a key in the history of"
        " the repository, for everyone who can read it. Take it out and use `OPENAI_API_KEY` or `LLM_API_KEY` or"
        " `CI_AGENT_MODEL_API_KEY` instead"
    )


def test_a_key_that_can_not_be_sent_is_refused_without_being_shown() -> None:
    (line,) = problems(environment={"LLM_API_KEY": "sk-very secret"})
    assert line.startswith("LLM_API_KEY: `model.api_key` can't be used as it is")
    assert "very" not in line


def test_a_repository_can_not_choose_where_the_key_is_sent() -> None:
    (line,) = problems("model: {base_url: 'https://evil.example'}")
    assert "your key is sent there" in line


@pytest.mark.parametrize(
    ("file", "why", "ways"),
    [
        ("sandbox: {env: [GITHUB_TOKEN]}", "may be a secret of your job", "`CI_AGENT_SANDBOX_ENV`"),
        ("sandbox: {env: []}", "may be a secret of your job", "`CI_AGENT_SANDBOX_ENV`"),
        ("git: {push: true}", "with your rights", "`CI_AGENT_GIT_PUSH` or `--push`"),
        ("git: {push: false}", "with your rights", "`CI_AGENT_GIT_PUSH` or `--push`"),
        (
            "report: {output_dir: keep}",
            "about this machine",
            "`CI_AGENT_REPORT_OUTPUT_DIR` or `--output-dir`",
        ),
    ],
)
def test_a_repository_has_no_say_in_what_is_the_persons_own(file: str, why: str, ways: str) -> None:
    (line,) = problems(file)
    assert line.startswith(".ci-agent.yml:1: `")
    assert "can't stand in this file" in line
    assert why in line
    assert line.endswith(f"Take it out and use {ways} instead")


@pytest.mark.parametrize(
    ("key", "value", "default"),
    [
        ("allow", "none", "secrets"),
        ("network", "open", "allowlist"),
        ("hosts", "[evil.example]", ()),
        ("readable", "[/root]", ()),
        ("writable", "[~/.config]", ()),
    ],
)
def test_a_file_that_may_be_a_strangers_opens_nothing(key: str, value: str, default: object) -> None:
    file = f"limits:\n  max_cost: 1\nsandbox:\n  {key}: {value}\n"
    strangers, platforms = loaded(file, trusted=False), loaded(file)
    assert getattr(strangers.config.sandbox, key) == default
    assert strangers.config.limits.max_cost == 1
    words = value.strip("[]")
    (notice,) = strangers.notices
    assert notice == (
        f".ci-agent.yml:4 asks for `sandbox.{key}: {words}`. That counts only in a CI job; if you want it on this "
        f"machine, set CI_AGENT_SANDBOX_{key.upper()}={words}"
    )
    assert getattr(platforms.config.sandbox, key) != default
    assert platforms.notices == ()
    mine = loaded(file, {f"CI_AGENT_SANDBOX_{key.upper()}": words}, trusted=False)
    assert mine.config.sandbox == platforms.config.sandbox
    assert mine.notices == ()


def test_a_strangers_file_may_be_stricter_and_wrong_all_the_same() -> None:
    strict = loaded('sandbox:\n  allow: full\n  network: "off"\n  readable: []\n', trusted=False)
    assert (strict.config.sandbox.allow, strict.config.sandbox.network) == ("full", "off")
    assert strict.notices == ()
    with pytest.raises(ConfigError, match=r"sandbox\.readable"):
        loaded("sandbox:\n  readable: [relative]\n", trusted=False)


@pytest.mark.parametrize("name", ["GITHUB_ENV", "GITHUB_OUTPUT", "ACTIONS_RUNTIME_TOKEN", "GITLAB_ENV"])
def test_nobody_can_have_the_job_steered_by_commands(name: str) -> None:
    (line,) = problems(environment={"CI_AGENT_SANDBOX_ENV": f"PATH, {name}"})
    assert f"by {name} a command could steer the rest of the CI job" in line


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "LLM_API_KEY", "CI_AGENT_MODEL_API_KEY"])
def test_nobody_can_have_the_key_handed_to_commands(name: str) -> None:
    (line,) = problems(environment={"CI_AGENT_SANDBOX_ENV": f"PATH, {name}"})
    assert f"{name} is a key, and keys never reach a command" in line


@pytest.mark.parametrize("value", ["maybe", "2", "tru"])
def test_a_variable_that_is_neither_true_nor_false_is_named(value: str) -> None:
    (line,) = problems(environment={"CI_AGENT_GIT_PUSH": value})
    assert line == f"CI_AGENT_GIT_PUSH: `git.push` can't be `{value}`: true or false is wanted"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://user:hunter2@host.example", "without user and password"),
        ("https://user:hunter2/x@host.example", "an address is wanted"),
        ("https://user:x hunter2@host.example", "an address is wanted"),
        ("https://user:x'hunter2@host.example", "without user and password"),
        ("user:hunter2@host.example", "an address is wanted"),
        ("ftp://host.example/v1?key=hunter2", "an address is wanted"),
        ("ftp://host.example", "an address is wanted"),
        ("host.example", "an address is wanted"),
        ("http://[::1", "an address is wanted"),
        ("http://host:port", "an address is wanted"),
        ("http://", "an address is wanted"),
    ],
)
def test_an_address_that_can_not_be_used_is_refused_and_its_password_not_shown(url: str, why: str) -> None:
    (line,) = problems(environment={"OPENAI_BASE_URL": url})
    assert line.startswith("OPENAI_BASE_URL: `model.base_url` can't be")
    assert why in line
    assert "hunter2" not in line


def test_an_unknown_variable_with_our_prefix_is_named_with_the_nearest() -> None:
    assert problems(environment={"CI_AGENT_LIMIT_MAX_COST": "3"}) == [
        "CI_AGENT_LIMIT_MAX_COST: there is no such setting; did you mean `CI_AGENT_LIMITS_MAX_COST`?"
    ]


@pytest.mark.parametrize("value", ["x", "1 2", "0x10", "1:30", "inf", "nan", "\u0661", "9" * 5000])
def test_a_variable_that_is_no_number_is_named(value: str) -> None:
    (line,) = problems(environment={"MAX_ITERATIONS": value})
    assert line.startswith("MAX_ITERATIONS: `limits.max_iterations` can't be `")
    assert "a whole number from 1 up to 10,000" in line
    assert len(line) < 300


@pytest.mark.parametrize(
    "branch",
    ["-x", "a b", "a..b", "a.lock", "/a", "a/", "a//b", ".a", "a~1", "HEAD", "a@{1}", "a\\b", "{x}", "a."],
)
def test_a_branch_name_that_git_refuses_is_refused_first(branch: str) -> None:
    (line,) = problems(flags={"git.branch": branch})
    assert line.startswith(f"--branch: `git.branch` can't be `{branch}`")


def test_on_the_command_line_a_branch_may_be_named_for_this_one_run() -> None:
    assert loaded(flags={"git.branch": "fix/slugs"}).config.git.branch == "fix/slugs"


def test_on_the_command_line_the_report_may_go_anywhere() -> None:
    assert loaded(flags={"report.output_dir": "/tmp/x"}).config.report.output_dir == Path("/tmp/x")


def test_what_would_break_a_git_identity_is_refused() -> None:
    (name,) = problems(environment={"GIT_USERNAME": "a <b"})
    (mail,) = problems(environment={"GIT_EMAIL": "nobody"})
    (lines,) = problems('git: {user_name: "a\\nb"}')
    assert "a name without `<` and `>` is wanted" in name
    assert "a mail address is wanted" in mail
    assert "U+000A has no place in it" in lines


def test_names_of_variables_that_can_not_exist_are_refused() -> None:
    (line,) = problems(environment={"CI_AGENT_SANDBOX_ENV": "A, B=1"})
    assert "'B=1' is not the name of an environment variable" in line


def test_a_flag_that_is_no_setting_is_a_defect_of_the_caller() -> None:
    with pytest.raises(KeyError):
        loaded(flags={"no.such": 1})


def test_sources_weigh_in_the_order_they_are_listed() -> None:
    assert list(Source) == [Source.DEFAULT, Source.FILE, Source.ENVIRONMENT, Source.FLAG]


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("sandbox:\n  network: off\n", "sandbox.network", "off"),
        ("verification:\n  coverage: off\n  policy: off\n", "verification.policy", "off"),
        ("verification:\n  coverage: on\n", "verification.coverage", "on"),
    ],
)
def test_words_that_yaml_takes_for_true_and_false_are_the_words_of_a_setting(
    text: str, key: str, value: str
) -> None:
    loaded = load(file=("f.yml", text.encode()), environment={}, flags={}, trusted=True)
    section, name = key.split(".")
    assert getattr(getattr(loaded.config, section), name) == value


def test_true_and_false_are_no_words_elsewhere() -> None:
    with pytest.raises(ConfigError, match=r"model\.name"):
        load(file=("f.yml", b"model:\n  name: off\n"), environment={}, flags={}, trusted=True)
