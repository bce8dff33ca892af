"""Every setting of ci-agent, once: its type, default, documentation, names and rules.

The checks, `ci-agent config show` and docs/configuration.md are made from these fields. Nothing is read
here. The docstring of a section is its introduction in the documentation.
"""
# ruff: noqa: RUF009 - `setting` is `dataclasses.field` with our description, no default shared by accident

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ci_agent.config import checks
from ci_agent.config.settings import Setting, Source, collect, setting
from ci_agent.config.variables import OF_CLIENTS, STEERING


def _none_that_are_withheld(value: tuple[str, ...], source: Source) -> str:
    if leaked := sorted(KEYS.intersection(value)):
        return f"{leaked[0]} is a key, and keys never reach a command"
    if steering := sorted(STEERING.intersection(value)):
        return f"by {steering[0]} a command could steer the rest of the CI job, so that none gets it"
    return checks.variable_names(value, source)


_ACTION = checks.one_of("refuse", "draft", "allow")


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSettings:
    """What the model costs. With none of these, prices are looked up by the model's name; set them for a
    model of your own, or a contract of your own. `input` and `output` go together."""

    input: float | None = setting(
        None, "Price of what the model reads.", unit="US$ per million tokens", minimum=0, example=0.25
    )
    cached_input: float | None = setting(
        None,
        "Price of what the model reads from the provider's cache. Not set: the price of `input`.",
        unit="US$ per million tokens",
        minimum=0,
        example=0.025,
    )
    output: float | None = setting(
        None, "Price of what the model writes.", unit="US$ per million tokens", minimum=0, example=2.0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """Which language model does the work, and how it is reached."""

    name: str = setting(
        "gpt-5-mini",
        "The model, by the name its endpoint knows it by. `anthropic:NAME` is one of Claude's API, `responses:NAME` "
        "one of OpenAI's Responses API, `replay:FILE` plays a recorded session. As a flag or an option also `strong` or "
        "`cheap`: the one that `models` has under this word. In the file it may be written `models.default` as well.",
        environment=("MODEL_NAME",),
        flag="--model",
    )
    api: str = setting(
        "chat",
        "What the endpoint speaks: `chat`, OpenAI's chat completions, as nearly all do; `responses`, its Responses API, "
        "for models that have only that. Other models than this one say it in their names: `responses:NAME`.",
        check=checks.one_of("chat", "responses"),
    )
    tool_calls: str = setting(
        "auto",
        "How the model calls tools: `native`, as the API has it; `text`, written into its answers, for endpoints that "
        "know no tools; `auto`, natively until the endpoint refuses that or the model's first answers hold no call.",
        check=checks.one_of("auto", "native", "text"),
    )
    reasoning_effort: str | None = setting(
        None,
        "How long the model thinks before it answers: `minimal`, `low`, `medium`, `high`, `xhigh` or `max`, as far as it "
        "knows them. Not set: the endpoint decides.",
        check=checks.one_of("minimal", "low", "medium", "high", "xhigh", "max"),
        example="medium",
    )
    context_tokens: int | None = setting(
        None,
        "How much the model can read at once. Not set: looked up by its name.",
        unit="tokens",
        minimum=4_000,
        maximum=100_000_000,
        example=200_000,
    )
    base_url: str | None = setting(
        None,
        "The endpoint: anything that speaks OpenAI's chat completions. Not set: OpenAI.",
        environment=("LLM_BASE_URL", "OPENAI_BASE_URL"),
        not_in_file="your key is sent there, so a repository must not choose it",
        example="https://llm.example.org/v1",
        check=checks.address,
    )
    api_key: str | None = setting(
        None,
        "The key for the endpoint. It is never shown and never given to a command.",
        environment=("LLM_API_KEY", "OPENAI_API_KEY"),
        secret=True,
        not_in_file="a key in a file is a key in the history of the repository, for everyone who can read it",
        check=checks.header_value,
    )
    timeout: float = setting(
        600.0,
        "How long one request may take. Models that think before they speak take minutes.",
        unit="seconds",
        above=0,
        maximum=3600,
    )
    tries: int = setting(
        8,
        "How often one request is tried before the model counts as unavailable. Only what may pass is tried "
        "again: lost connections, time-outs, full queues, errors of the server.",
        minimum=1,
        maximum=20,
    )
    retry_wait: float = setting(
        2.0,
        "How long to wait before a request is tried again. It doubles each time, up to a minute, with some chance "
        "in it; an endpoint that says how long to wait is obeyed instead, up to two minutes.",
        unit="seconds",
        above=0,
        maximum=60,
    )
    max_output_tokens: int | None = setting(
        None,
        "The longest single answer. Not set: the endpoint decides.",
        unit="tokens",
        minimum=1,
        maximum=10_000_000,
        example=16_000,
    )
    temperature: float | None = setting(
        None,
        "How freely the model chooses its words. Not set: the endpoint decides; some models refuse any other.",
        minimum=0,
        maximum=2,
        example=0.2,
    )
    prices: PriceSettings = field(default_factory=PriceSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsSettings:
    """Other models beside the one in `model`, and when they are used. None of them is needed: with one model, it
    does everything. They are reached as `model` is, or by what their prefix says."""

    use: str = setting(
        "auto",
        "Which one begins: `default`, `strong` or `cheap`; `auto`, by the issue's labels `ai-strong` and `ai-cheap`, "
        "else `cheap` for issues that look small, else `default`. `--model strong` sets it as well.",
        check=checks.one_of("auto", "default", "strong", "cheap"),
    )
    strong: str | None = setting(
        None,
        "A better and dearer one. It takes over where the work of the other one fails: its hand-in failed the tests "
        "twice, it went in circles, its answers could not be used, or it had changed nothing after 60 % of its steps.",
        example="gpt-5",
    )
    cheap: str | None = setting(
        None,
        "A cheaper one, for issues that look small: a short text that names one file at most and asks for words, a "
        "version or a link. What it fails at goes to the default one.",
        example="gpt-5-nano",
    )
    fallback: str | None = setting(
        None,
        "The one that takes over when the endpoint of another can't be reached, has failed three times in a row, refuses "
        "the key or says that the quota is used up.",
        example="anthropic:claude-sonnet-4-5",
    )
    prices: tuple[str, ...] = setting(
        (),
        "Prices of these models in US$ per million tokens, one model on each line: name, input, cached input, output. "
        "Not set: looked up by the name.",
        lines=True,
        example=("my-model 0.25 0.025 2",),
        check=checks.prices,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AnthropicSettings:
    """How models with the prefix `anthropic:` are reached. They need the extra `ci-agent[anthropic]`."""

    api_key: str | None = setting(
        None,
        "The key for Claude's API. It is never shown and never given to a command.",
        environment=("ANTHROPIC_API_KEY",),
        secret=True,
        not_in_file="a key in a file is a key in the history of the repository, for everyone who can read it",
        check=checks.header_value,
    )
    base_url: str | None = setting(
        None,
        "The endpoint: anything that speaks Anthropic's Messages API. Not set: Anthropic.",
        environment=("ANTHROPIC_BASE_URL",),
        not_in_file="your key is sent there, so a repository must not choose it",
        example="https://claude.example.org",
        check=checks.address,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """What one session may use, over all the jobs that work on it. The first limit that is reached ends the
    work; what is there by then is kept and shown."""

    max_iterations: int = setting(
        150,
        "Answers of the model. In public runs on SWE-bench Verified, 150 keep 99.7 % of what a model with small steps "
        "solves without a limit, 50 only 60 %; one that takes large steps is done within 50. What goes in circles is "
        "noticed long before, and money and time have limits of their own.",
        unit="answers",
        environment=("MAX_ITERATIONS",),
        flag="--max-iterations",
        minimum=1,
        maximum=10_000,
    )
    timeout: float = setting(
        60.0,
        "Wall time. Most tasks take minutes; the hour leaves room for slow tests and full queues and is the "
        "usual time-out of a CI job. Where the job ends sooner, the work ends 90 seconds before it, so that the last "
        "word is ours.",
        unit="minutes",
        flag="--timeout",
        above=0,
        maximum=10_080,
    )
    max_cost: float = setting(
        3.0,
        "Money spent on the model. A usual task costs from a few cents to a dollar, so 3 stops only what has "
        "gone astray. It counts where the price of the model is known; see `models.prices`.",
        unit="US$",
        flag="--max-cost",
        above=0,
        maximum=10_000,
    )
    max_input_tokens: int = setting(
        6_000_000,
        "Tokens the model reads, all answers taken together. This and the next one hold where the price of "
        "the model is not known and `max_cost` sees nothing: 150 answers over 40,000 tokens of context each, which is "
        "where compaction keeps it on average.",
        unit="tokens",
        minimum=1,
        maximum=10_000_000_000,
    )
    max_output_tokens: int = setting(
        150_000,
        "Tokens the model writes, thoughts included, all answers taken together: 150 answers of 1,000 each.",
        unit="tokens",
        minimum=1,
        maximum=1_000_000_000,
    )
    max_verifications: int = setting(
        3,
        "How often a hand-in of one model is tested. A first look at failing tests helps a model most, a second one a "
        "little; after that it seldom finds the way.",
        unit="runs",
        minimum=1,
        maximum=20,
    )
    max_concurrent: int = setting(
        2,
        "How many jobs work in the repository at a time; others wait for their turn and say so on their issue. Two merge "
        "requests at a time can still be read, and runners are left for people. Jobs that publish nothing (docs/split.md) "
        "are not counted.",
        unit="jobs",
        minimum=1,
        maximum=100,
    )
    queue_timeout: float = setting(
        20.0,
        "How long a job waits for its turn, at most half of the time that it has; what it waits counts for that. Then it ends, "
        "and leaves the issue and its label to the schedule. 0: it does not wait.",
        unit="minutes",
        minimum=0,
        maximum=1_440,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationSettings:
    """How the project is prepared and tested, before and after the work, and what is measured beside. The commands
    run in a shell at the root of the repository."""

    setup: str | None = setting(
        None,
        "Prepares a fresh checkout, for instance by installing what the tests need. It runs in the checkout the "
        "model works in, in that of the base, and anew for each hand-in, so that the tests see nothing but what will "
        "be in the commit. Not set: found out from the project's manifests, and only where something is missing. "
        "The word `none`: there is nothing to prepare.",
        flag="--setup",
        lines=True,
        example="pip install -e '.[test]'",
    )
    test: str | None = setting(
        None,
        "Runs the tests. Not set: found out from what lies in the repository. The word `none`: there are no "
        "tests, and nothing is claimed about them.",
        flag="--test",
        lines=True,
        example="pytest -q",
    )
    policy: str = setting(
        "full",
        "Which tests are run on a hand-in: `full`, all of them; `changed`, those that are reached from the changed "
        "files, as far as the project's test runner knows them; `off`, none, and nothing is claimed.",
        flag="--policy",
        check=checks.one_of("full", "changed", "off"),
    )
    final_full: bool = setting(
        True,
        "With the policy `changed`: whether a hand-in that holds is tested whole in the end. `false`: only the tests "
        "reached from the changed files are ever run, and the verdict says so.",
    )
    timeout: float = setting(
        15.0, "How long one run of the tests may take.", unit="minutes", above=0, maximum=1440
    )
    total_timeout: float = setting(
        45.0,
        "How long all runs of tests and checks of one session may take together. Where what is left does not "
        "suffice for all tests, only those reached from the changed files are run, and the verdict says so.",
        unit="minutes",
        above=0,
        maximum=10_080,
    )
    junit: str | None = setting(
        None,
        "Where the test command leaves its results as JUnit XML, as a pattern relative to the root of the "
        "repository. Not set: taken from the runners we know; from others only the exit code counts.",
        example="build/test-results/**/*.xml",
        check=checks.inside,
    )
    reruns: int = setting(
        3,
        "How often a test that fails on the result and not on the base is run again, alone, there and on the base, "
        "before it is called broken. 0: it is called broken at once.",
        unit="runs",
        minimum=0,
        maximum=10,
    )
    proof: bool = setting(
        True,
        "Whether the tests that a change adds or edits are run against the source of the base as well: they show "
        "something only if they fail there.",
    )
    coverage: str = setting(
        "auto",
        "Whether it is measured which of the changed lines the tests run, in a run of its own: `auto`, where the "
        "project has a tool for it and the tests take less than two minutes; `on`, whatever they take; `off`. Nothing "
        "is ever installed for it.",
        check=checks.one_of("auto", "on", "off"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """How commands are run that the model or the project's tests ask for. They get an environment built for
    them, not yours."""

    env: tuple[str, ...] = setting(
        (),
        "Environment variables that are passed on to commands: names with commas or blanks between them. Keys "
        "of the model are refused.",
        not_in_file="what is passed on may be a secret of your job, so a repository must not choose it",
        check=_none_that_are_withheld,
    )
    command_timeout: int = setting(
        120,
        "How long one command of the model may take where it names no time of its own.",
        unit="seconds",
        minimum=1,
        maximum=3600,
    )
    allow: str = setting(
        "secrets",
        "The weakest confinement with which commands are run: `full` (secrets, files and network are out of their "
        "reach), `secrets+files`, `secrets`, or `none`. What this machine can do is found by trying, at the beginning "
        "of each session; below this level nothing is run.",
        loosens=lambda level: level == "none",
        check=checks.one_of("full", "secrets+files", "secrets", "none"),
    )
    network: str = setting(
        "allowlist",
        "Where commands may connect to: `off`, nowhere but this machine; `setup-only`, the set-up as with `allowlist`, "
        "everything else as with `off`; `allowlist`, the package registries that this machine's package managers are "
        "configured for, and `sandbox.hosts`; `open`, anywhere.",
        loosens=lambda network: network == "open",
        check=checks.one_of("off", "setup-only", "allowlist", "open"),
    )
    hosts: tuple[str, ...] = setting(
        (),
        "Hosts that commands may reach beside the package registries, over HTTP and HTTPS: `files.example.org`, or "
        "`*.example.org` for all below it. No addresses of numbers.",
        loosens=bool,
        example=("files.example.org", "*.cdn.example.org"),
        check=checks.hosts,
    )
    services: tuple[str, ...] = setting(
        (),
        "Services of the job that tests need, such as databases, each as `name:port`: commands may connect to them "
        "directly. The name is looked up once, at the beginning; for commands it has to stand in `/etc/hosts`, as "
        "CIs mostly have it, or give the address, `10.0.0.5:5432`. Those on `127.0.0.1` need no entry.",
        loosens=bool,
        example=("postgres:5432",),
        check=checks.services,
    )
    readable: tuple[str, ...] = setting(
        (),
        "Files and folders that commands may read beside the workspace, the system and the toolchains.",
        loosens=bool,
        example=("/srv/testdata",),
        check=checks.places,
    )
    writable: tuple[str, ...] = setting(
        (),
        "Files and folders that commands may write to beside the workspace and their own HOME and TMPDIR. What one "
        "session leaves there, the next one finds.",
        loosens=bool,
        example=("/srv/cache",),
        check=checks.places,
    )
    processes: int = setting(
        4_096,
        "How many processes and threads one command may have at a time.",
        minimum=16,
        maximum=1_000_000,
    )
    memory: int | None = setting(
        None,
        "How much memory one command may use, with all its processes. Not set: nine tenths of what this machine or "
        "container has.",
        unit="megabytes",
        minimum=64,
        maximum=100_000_000,
        example=8_000,
    )
    file_size: int = setting(
        4_000,
        "The largest file a command may write.",
        unit="megabytes",
        minimum=1,
        maximum=100_000_000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerSettings:
    """What starts a job on a platform, and who may. The file's word counts only as the default branch has it."""

    label: str = setting(
        "ai-task", "The label that asks for the work. It counts when it is added.", check=checks.label
    )
    account: str | None = setting(
        None,
        "The name of the account whose token is used. Comments that mention it, and issues that are assigned to "
        "it, count as asked for. Not set: only labels and commands do.",
        example="shop-bot",
        check=checks.login,
    )
    permission: str = setting(
        "write",
        "What a person must be allowed in the repository to ask for work: `write` (GitLab: Developer), `maintain` "
        "(Maintainer) or `admin` (Owner).",
        check=checks.one_of("write", "maintain", "admin"),
    )
    bots: tuple[str, ...] = setting(
        (),
        "Bots that may ask as well, if they have the permission, by their numeric ids on the platform; names can be "
        "given away. All others are refused.",
        check=checks.numbers,
    )
    runs_per_day: int = setting(
        10,
        "How many jobs may work on one issue within 24 hours, those that went on with the last session included. It ends what goes "
        "round in circles.",
        unit="jobs",
        minimum=1,
        maximum=1000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSettings:
    """What the model is told beside the issue itself."""

    comments: str = setting(
        "writers",
        "Which comments: `writers`, those of people who may write to the repository; `all`, the others as well, "
        "quoted as data that asks for nothing; `none`.",
        check=checks.one_of("writers", "all", "none"),
    )
    compact_at: int = setting(
        60_000,
        "How long the conversation may grow before what is old in it is left out, and half of what the model can read "
        "at once in any case. Less often is dearer without a cache at the provider, more often with one: at 60,000 a "
        "session of 150 answers costs, by calculation, about 40 % less than one that only grows. 0: only when it must.",
        unit="tokens",
        minimum=0,
        maximum=100_000_000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubSettings:
    """How GitHub is reached. In a workflow all of it is known but the token, which has to be passed on."""

    token: str | None = setting(
        None,
        "The token: the workflow's own, or one of a GitHub App or a machine account; docs/tokens.md compares them.",
        environment=("GITHUB_TOKEN", "GH_TOKEN"),
        secret=True,
        not_in_file="a token in a file is a token in the history of the repository, for everyone who can read it",
        check=checks.header_value,
    )
    url: str | None = setting(
        None,
        "The address of the API. Not set: that of github.com.",
        environment=("GITHUB_API_URL",),
        not_in_file="the token is sent there, so a repository must not choose it",
        example="https://github.example.org/api/v3",
        check=checks.address,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLabSettings:
    """How GitLab is reached. In a pipeline all of it is known but the token, which is a CI/CD variable."""

    token: str | None = setting(
        None,
        "A project access token or the token of a bot's account, with the scopes `api` and `write_repository`; the "
        "job's own token can't read issues.",
        environment=("GITLAB_TOKEN",),
        secret=True,
        not_in_file="a token in a file is a token in the history of the repository, for everyone who can read it",
        check=checks.header_value,
    )
    url: str | None = setting(
        None,
        "The address of the server. Not set: gitlab.com.",
        environment=("CI_SERVER_URL",),
        not_in_file="the token is sent there, so a repository must not choose it",
        example="https://gitlab.example.org",
        check=checks.address,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSettings:
    """Where the work starts from and where it goes."""

    base: str | None = setting(
        None,
        "The branch the work starts from and goes back to. Not set: the one that is checked out. Where the file "
        "of that branch names another base, its other settings hold all the same.",
        flag="--base",
        example="main",
        check=checks.branch_name,
    )
    branch: str = setting(
        "feat/ai-task-{issue}",
        "The branch the work is done on; `{issue}` stands for the issue's number, and only on the command "
        "line may it be left out.",
        flag="--branch",
        check=checks.branch_of_issue,
    )
    user_name: str = setting(
        "ci-agent", "The name in our commits.", environment=("GIT_USERNAME",), check=checks.person_name
    )
    user_email: str = setting(
        "ci-agent@users.noreply.invalid",
        "The mail address in our commits. The default reaches nobody, by design.",
        environment=("GIT_EMAIL",),
        check=checks.mail,
    )
    push: bool = setting(
        False,
        "Push the branch to the remote it came from.",
        flag="--push",
        not_in_file="it is done with your rights, so a repository must not choose it",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """What a change may touch. Each rule is `refuse`: nothing is pushed, the report has the change as a patch; `draft`:
    it is pushed, but its merge request is a draft that names the files first; or `allow`. The rules hold for every
    push, however the session ended, and for what the session adds, not for what people pushed to its branch. The
    file's word counts only as the base branch has it."""

    ci: str = setting(
        "refuse",
        "Files that say what the CI runs: workflows, actions and pipelines of all usual systems, and what GitLab's "
        "pipeline includes from the repository. They run when they are pushed, before anybody has read them.",
        check=_ACTION,
    )
    owners: str = setting(
        "refuse", "`CODEOWNERS`, which says who has to review what, in all its places.", check=_ACTION
    )
    configuration: str = setting(
        "refuse", "ci-agent's own configuration: `.ci-agent.yml` and the folder `.ci-agent`.", check=_ACTION
    )
    submodules: str = setting(
        "refuse",
        "New or changed submodules and `.gitmodules`: they bring in code that no diff shows.",
        check=_ACTION,
    )
    links: str = setting(
        "refuse",
        "Symbolic links that lead out of the repository or into `.git`, also by way of other links.",
        check=_ACTION,
    )
    names: str = setting(
        "refuse",
        "Names that are `.git`, another folder or a link to file systems that don't tell upper from lower case or "
        "drop characters, and names with control characters.",
        check=_ACTION,
    )
    instructions: str = setting(
        "draft",
        "Files that other bots and agents obey, such as `AGENTS.md`, `CLAUDE.md`, `renovate.json` and "
        "`.github/dependabot.yml`. They take effect once they are merged, so a person should read them.",
        check=_ACTION,
    )
    large: str = setting(
        "draft", "Files above `max_file_size`, and binary ones above `max_binary_size`.", check=_ACTION
    )
    many: str = setting("draft", "Changes to more than `max_files` files.", check=_ACTION)
    max_file_size: float = setting(
        5.0, "The largest file that is usual in a change.", unit="megabytes", above=0, maximum=100_000
    )
    max_binary_size: float = setting(
        1.0, "The largest binary file that is usual in a change.", unit="megabytes", above=0, maximum=100_000
    )
    max_files: int = setting(
        300, "The most files that are usual in a change.", unit="files", minimum=1, maximum=1_000_000
    )
    pipeline: str | None = setting(
        None,
        "GitLab's pipeline file, where the project names another one than `.gitlab-ci.yml`. In a pipeline, GitLab says "
        "it.",
        environment=("CI_CONFIG_PATH",),
        example="ci/pipeline.yml",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalSettings:
    """What a person has to approve, with `/agent approve` or `/agent reject WHY`, before a job goes on, see
    docs/sessions.md. It needs sessions that are kept (`checkpoint`). The file's word counts only as the default branch has
    it."""

    needed: str = setting(
        "none",
        "`plan`: the model's plan with the files it means to touch, before it changes anything; the label `ai-plan-first` "
        "asks for that on one issue, whatever stands here. `push`: the finished change, before anything of it is pushed. "
        "`none`: nothing.",
        check=checks.one_of("none", "plan", "push"),
    )
    strict: bool = setting(
        False,
        "Whether a change that touches files outside of the approved plan needs another approval before it is pushed. Else "
        "they are named in the merge request.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleSettings:
    """The work on its way from the job that did it to the one that publishes it: `ci-agent job --no-publish` and
    `ci-agent publish`. Only their own environment counts, see docs/split.md."""

    key: str | None = setting(
        None,
        "The key with which the first job signs its bundle and the second one checks it: 32 characters or more that "
        "nobody can guess, such as those of `openssl rand -hex 32`.",
        secret=True,
        not_in_file="a key in a file is a key in the history of the repository, for everyone who can read it",
        check=checks.long_key,
    )
    max_size: float = setting(
        100.0,
        "The largest bundle that is made or taken.",
        unit="megabytes",
        above=0,
        maximum=2_000,
        not_in_file="both jobs have to agree on it",
    )
    max_age: float = setting(
        72.0,
        "How old a bundle may be when it is published: somebody may have to approve the second job first.",
        unit="hours",
        above=0,
        maximum=720,
        not_in_file="both jobs have to agree on it",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSettings:
    """Sessions of CI jobs as they are kept in git at the platform, see docs/sessions.md."""

    keep: bool = setting(
        True,
        "Whether sessions are kept. Whoever may read the repository may read them: the journal tells more than the merge "
        "request.",
    )
    key: str | None = setting(
        None,
        "The key with which checkpoints are signed: 32 characters or more that nobody can guess, such as those of "
        "`openssl rand -hex 32`. Not set: derived from the platform's token, or from the model's key where each job has "
        "a token of its own, as on GitHub.",
        secret=True,
        not_in_file="a key in a file is a key in the history of the repository, for everyone who can read it",
        check=checks.long_key,
    )
    retention: float = setting(
        90.0,
        "How long the checkpoint of a session that is over is kept; `ci-agent poll` deletes older ones.",
        unit="days",
        above=0,
        maximum=3_650,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AskSettings:
    """Questions that a session waits for an answer to. `ci-agent poll` looks after them."""

    remind_after: float = setting(
        3.0,
        "How long nobody answers until the person who asked for the work is reminded, once.",
        unit="days",
        above=0,
        maximum=365,
    )
    give_up_after: float = setting(
        14.0,
        "How long nobody answers until the session is ended, with what there is of the work as a draft.",
        unit="days",
        above=0,
        maximum=365,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LostSettings:
    """Sessions whose job is gone: the runner was lost, or the process killed."""

    go_on: bool = setting(
        True,
        "Whether the next schedule (`ci-agent poll`) goes on with such a session. Else it is ended, with what there is of the "
        "work as a draft.",
    )
    most: int = setting(
        3,
        "How many jobs of one session may be lost until it is ended all the same: it may be what they do that kills "
        "them.",
        minimum=1,
        maximum=100,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceSettings:
    """Where the work is done on this machine."""

    dir: Path | None = setting(
        None,
        "Where sessions and their checkouts are kept. Not set: `sessions` in the state folder.",
        environment=("WORKSPACE_DIR",),
        not_in_file="it is about this machine, not about the repository",
        example="/var/tmp/ci-agent",  # noqa: S108 - an example of a path, nothing is written there
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """What is left behind for people and for CI."""

    output_dir: Path = setting(
        Path("ci-agent-report"),
        "The folder of the report, relative to where ci-agent was called: a new or empty one, or the one of an "
        "earlier report, which is replaced.",
        flag="--output-dir",
        not_in_file="it is about this machine, not about the repository",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings of a run."""

    model: ModelSettings = field(default_factory=ModelSettings)
    models: ModelsSettings = field(default_factory=ModelsSettings)
    anthropic: AnthropicSettings = field(default_factory=AnthropicSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    verification: VerificationSettings = field(default_factory=VerificationSettings)
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)
    git: GitSettings = field(default_factory=GitSettings)
    policy: PolicySettings = field(default_factory=PolicySettings)
    approval: ApprovalSettings = field(default_factory=ApprovalSettings)
    trigger: TriggerSettings = field(default_factory=TriggerSettings)
    context: ContextSettings = field(default_factory=ContextSettings)
    github: GitHubSettings = field(default_factory=GitHubSettings)
    gitlab: GitLabSettings = field(default_factory=GitLabSettings)
    bundle: BundleSettings = field(default_factory=BundleSettings)
    checkpoint: CheckpointSettings = field(default_factory=CheckpointSettings)
    ask: AskSettings = field(default_factory=AskSettings)
    lost: LostSettings = field(default_factory=LostSettings)
    workspace: WorkspaceSettings = field(default_factory=WorkspaceSettings)
    report: ReportSettings = field(default_factory=ReportSettings)
    checks: tuple[str, ...] = setting(
        (),
        "Commands beside the tests, such as linters, type checks and builds: they are run before and after, and "
        "only what is new counts against the change. As an environment variable: one on each line.",
        lines=True,
        example=("ruff check .", "mypy"),
    )
    review: bool = setting(
        False,
        "Whether a hand-in that holds is read once more, with fresh eyes: a model that sees only the issue, the change "
        "and the tests' results names what is wrong with it, and the agent gets one chance to mend that. It is the "
        "strong model, where there is one.",
    )
    state_dir: Path | None = setting(
        None,
        "Where ci-agent keeps what outlives a run: sessions, and issues and merge requests of the `local` "
        "platform. Not set: the place your system has for that, such as `~/.local/state/ci-agent`.",
        flag="--state-dir",
        not_in_file="it is about this machine, not about the repository",
        example="/var/lib/ci-agent",
    )


SETTINGS: tuple[Setting, ...] = tuple(collect(Config))

# The variables of our own keys and tokens.
KEYS: Final = frozenset(name for item in SETTINGS if item.secret for name in item.variables)

# What is taken out of our own environment at the beginning, so that no child inherits it.
NOT_INHERITED: Final = KEYS | STEERING | OF_CLIENTS

# Variables with our prefix that are no settings: a CI's job is told by them what to do, or tells later jobs.
OF_THE_JOB: Final[dict[str, str]] = {
    "CI_AGENT_ISSUE": "GitLab: the issue to work on, in a pipeline started by hand or by API",
    "CI_AGENT_INTENT": "GitLab: what is to be done, in such a pipeline, without an issue",
    "CI_AGENT_POLL": "GitLab: `true` in a pipeline schedule that looks for the issues that wait",
    "CI_AGENT_TRIGGER": "GitLab: what the routing job hands to the job that works",
    "CI_AGENT_SPLIT": "GitLab: `true` where one job works and another one publishes, see docs/split.md",
    "CI_AGENT_STATUS": "GitLab: for later jobs, how the session ended",
    "CI_AGENT_BRANCH": "GitLab: for later jobs, the work branch",
    "CI_AGENT_MERGE_REQUEST_URL": "GitLab: for later jobs, the address of the merge request",
    "CI_AGENT_COST": "GitLab: for later jobs, the cost in US dollars; empty where not known",
    "CI_AGENT_PACKAGE": "GitLab: what pip installs to have `ci-agent`",
    "CI_AGENT_IMAGE": "GitLab: the image that the jobs run in",
    "CI_AGENT_TAGS": "GitLab: tags of the runner for the job that works, with commas between them",
    "CI_AGENT_TIMEOUT": "GitLab: how long the job that works may take, as GitLab writes it: `1h 10m`",
}
