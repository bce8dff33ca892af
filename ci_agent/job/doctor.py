"""`ci-agent doctor`: whether everything is there that a job needs, each with the next step where it is not."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ci_agent import config
from ci_agent.ci import Job
from ci_agent.config import Config
from ci_agent.errors import AuthenticationError, CiAgentError, GitError
from ci_agent.job.forges import open_administration
from ci_agent.job.kit import KITS, left_in
from ci_agent.job.place import place_of, top_of
from ci_agent.platforms import Label
from ci_agent.platforms.administration import Check
from ci_agent.session.endings import END_LABELS, PLAN_FIRST, RUNNING, task_label
from ci_agent.workspace.git import OLDEST, git, text

if TYPE_CHECKING:
    from ci_agent.sandbox import Sandbox
    from ci_agent.sandbox.confinement import Confinement

_JOINING_GIT = (2, 38)  # `git merge-tree --write-tree`, with which work is put on top of somebody else's
_PATIENCE = 10  # seconds for the model's endpoint
_OPENAI = "https://api.openai.com/v1"
_OK = 200  # HTTP's number
_FILES = (".github/workflows/*.yml", ".github/workflows/*.yaml", ".gitlab-ci.yml")  # where a job may begin


def examine(
    environment: Mapping[str, str], folder: Path, platform: str | None, repository: str | None
) -> Iterator[Check]:
    """Every check, one after the other, of the checkout that `folder` is in. Raises nothing that a check can say:
    `UsageError` outside of a checkout."""
    folder = top_of(folder)
    try:
        loaded = _loaded(environment, folder)
    except CiAgentError as error:
        yield Check("configuration", False, str(error), "mend it, and see docs/configuration.md")
        return
    settings = loaded.config
    yield Check("configuration", True, "can be read")
    yield from (Check("configuration", None, notice) for notice in loaded.notices)
    yield _git()
    yield _model(settings)
    yield from _commands(settings, folder)
    yield from _placeholders(folder)
    try:
        job = place_of(environment, settings, folder, platform, repository)
    except CiAgentError as error:
        yield Check("platform", False, str(error))
        return
    yield Check("platform", True, f"{job.platform}, {job.repository}")
    try:
        administration = open_administration(job, settings)
    except AuthenticationError:
        kit = KITS[job.platform]
        yield Check("token", False, f"there is none in {kit.variable}", f"set it to {kit.token}")
        yield Check("the rest", None, f"the settings on {job.platform}: not looked at without a token")
        return
    yield from administration.checks(labels_of(settings))


def labels_of(settings: Config) -> Sequence[Label]:
    """All the labels that our jobs use."""
    ours = [task_label(settings.trigger.label), PLAN_FIRST, RUNNING, *END_LABELS.values()]
    return list(dict.fromkeys(ours))


def _loaded(environment: Mapping[str, str], folder: Path) -> config.Loaded:
    path = folder / config.FILE_NAME
    file = (config.FILE_NAME, path.read_bytes()) if path.is_file() else None
    return config.load(file=file, environment=environment, flags={})


def _git() -> Check:
    try:
        said = text(git("--version"))
    except GitError as error:
        return Check("git", False, str(error), "install git")
    match = re.search(r"(\d+)\.(\d+)", said)
    version = (int(match[1]), int(match[2])) if match else (0, 0)
    if version < OLDEST:
        return Check("git", False, said, "git {}.{} or newer".format(*OLDEST))
    note = f"before {_JOINING_GIT[0]}.{_JOINING_GIT[1]}, work goes to a branch of its own where somebody pushed meanwhile"
    return Check("git", True, said, note if version < _JOINING_GIT else "")


def _model(settings: Config) -> Check:
    """Whether the endpoint answers and takes the key. It costs nothing: no model is asked."""
    import requests

    model = settings.model
    if model.name.startswith("replay:"):
        return Check("model", True, f"a recording, {model.name.removeprefix('replay:')}")
    url = (model.base_url or _OPENAI).rstrip("/")
    if not model.api_key:
        return Check("model", False, "there is no key", f"set LLM_API_KEY to a key for {url}")
    headers = {"Authorization": f"Bearer {model.api_key}"}
    try:
        answer = requests.get(f"{url}/models", headers=headers, timeout=_PATIENCE, allow_redirects=False)
    except requests.RequestException as error:
        mine = "LLM_BASE_URL is right" if model.base_url else "OpenAI is meant: LLM_BASE_URL is not set"
        remedy = f"look whether {mine}, and whether this machine gets there"
        return Check("model", False, f"{url} can't be reached: {type(error).__name__}", remedy)
    if answer.status_code in (401, 403):
        return Check("model", False, f"{url} refuses the key ({answer.status_code})", "look at LLM_API_KEY")
    if answer.status_code != _OK:  # a redirect is no answer, either
        return Check(
            "model", None, f"{url} answers {answer.status_code}, and can't say whether it has {model.name}"
        )
    names = _names(answer.json)
    if names and model.name not in names:
        near = ", ".join(sorted(names)[:5])
        return Check("model", False, f"{url} has no model {model.name}", f"set MODEL_NAME; there is: {near}")
    return Check("model", True, f"{model.name} at {url}")


def _names(content: Callable[[], object]) -> set[str]:
    """The names in a list of models, as OpenAI's API has it; empty where it is another form."""
    try:
        found = content()
    except ValueError:
        return set()
    items = found.get("data") if isinstance(found, dict) else None
    return {str(item["id"]) for item in items or [] if isinstance(item, dict) and "id" in item}


def _placeholders(folder: Path) -> Iterator[Check]:
    """What the files of the checkout still have of the examples."""
    for path in sorted(path for pattern in _FILES for path in folder.glob(pattern)):
        left = left_in(path.read_text(encoding="utf-8", errors="replace"))
        if left:
            name = str(path.relative_to(folder))
            found = f"still says, as the example: {left}"
            yield Check(name, False, found, "put the place and version of your copy of ci-agent there")


def _commands(settings: Config, folder: Path) -> Iterator[Check]:
    """How commands are confined, and what runs the tests."""
    import tempfile

    from ci_agent.sandbox.confinement import Confinement

    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        with contextlib.closing(Confinement(settings.sandbox, place, [folder])) as confinement:
            yield _sandbox(confinement)
            yield _tests(settings, folder, confinement.sandbox(folder, place / "home", place / "tmp"))


def _sandbox(confinement: Confinement) -> Check:
    try:
        confinement.require()
    except CiAgentError as error:
        return Check("sandbox", False, str(error), "see docs/security.md, Levels")
    proof = confinement.proof
    open_to_all = f"; commands can reach {', '.join(proof.open)}" if proof.open else ""
    return Check(
        "sandbox", True, f"{proof.level} on this machine{open_to_all}; a runner's is in its job's log"
    )


def _tests(settings: Config, folder: Path, sandbox: Sandbox) -> Check:
    from ci_agent import verification

    given = settings.verification.test
    if given:
        return Check("tests", True, given if given != "none" else "none, as verification.test says")
    chosen = verification.choose(folder, "", sandbox)
    if chosen.command:
        return Check("tests", True, f"{chosen.command} ({chosen.why})")
    remedy = "set verification.test in .ci-agent.yml; without tests nothing can be verified"
    return Check("tests", False, "no test command was found", remedy)


def open_place(
    environment: Mapping[str, str], folder: Path, platform: str | None, repository: str | None
) -> tuple[Job, Config]:
    """The repository that is meant, and the settings. Raises `UsageError`."""
    settings = _loaded(environment, folder).config
    return place_of(environment, settings, folder, platform, repository), settings
