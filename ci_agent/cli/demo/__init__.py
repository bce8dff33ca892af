"""`ci-agent demo`: the main job, whole, on a small repository made for it.

Everything runs for real: the checkout, the tools, the tests, the commit, the merge request. Only the model is a
recording, unless `--live` is given, and the demo says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click


@click.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--live", is_flag=True, help="Use the real model instead of the recording; needs OPENAI_API_KEY."
)
@click.option("--model", metavar="NAME", help="The real model's name, with --live.")
@click.pass_obj
def demo(environment: Mapping[str, str], folder: Path | None, *, live: bool, model: str | None) -> int:
    """See the whole job on a small repository with a real bug.

    Makes the repository in FOLDER (default: a new folder under the system's temporary one), with an issue as
    a user would write it, and works on it like `ci-agent run`. Without --live no account, no key and no
    network are needed: a recorded session plays the model, everything else is real.
    """
    import tempfile

    from ci_agent.job.local import Request, work

    if model and not live:
        raise click.UsageError("--model goes with --live")
    place = folder.resolve() if folder else Path(tempfile.mkdtemp(prefix="ci-agent-demo-"))
    repository = _make_repository(place / "hourglass")
    flags: dict[str, object] = {
        "state_dir": str(place / "state"),
        "output_dir": str(place / "ci-agent-report"),
    }
    if not live:
        flags["model"] = f"replay:{_HERE / 'recording.jsonl'}"
        # The commands are ours, so they may run on machines that can't confine anything.
        environment = {"CI_AGENT_SANDBOX_ALLOW": "none", **environment}
    elif model:
        flags["model"] = model
    issue = place / "issue.md"
    issue.write_bytes((_HERE / "issue.md").read_bytes())
    _introduce(repository, live=live)
    done = work(Request(None, issue, str(repository), flags), environment)
    _show(place, done.platform.thread(done.task.issue), done.report, done.task.branch, live=live)
    return done.exit_code


_HERE = Path(__file__).parent


def _introduce(repository: Path, *, live: bool) -> None:
    click.secho("The main job of ci-agent, on a small repository with a real bug", bold=True)
    click.echo(f"Repository: {repository}")
    if live:
        click.echo("The model is the one that you have configured, and it costs what it costs.\n")
    else:
        click.echo(
            "The model is a RECORDING, answered step by step; checkout, tools, tests, commit and merge request\n"
            "are real. With a live model: OPENAI_API_KEY=… ci-agent demo --live\n"
        )


def _show(place: Path, thread: str, report: Path, branch: str, *, live: bool) -> None:
    request = report / "merge-request.md"
    click.secho("\nThe issue, as people see it", bold=True)
    click.echo(_indented(thread))
    if request.exists():
        click.secho("\nThe merge request", bold=True)
        click.echo(_indented(request.read_text(encoding="utf-8")))
    click.secho("\nLook around", bold=True)
    click.echo(f"  git -C {place / 'hourglass'} log --stat -1 {branch}")
    click.echo(f"  report: {report}")
    if not live:
        click.echo("  The model was a recording. Your own repository, with a live model:")
        click.echo('  OPENAI_API_KEY=… ci-agent run -r PATH -d "what is to be done"')


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())


def _make_repository(folder: Path) -> Path:
    """The demo's repository with its history: a working tool, then a test from a bug report that fails."""
    import shutil

    from ci_agent.errors import UsageError
    from ci_agent.workspace.git import git

    if folder.exists():
        raise UsageError(f"{folder} is there already; give the demo an empty folder")
    shutil.copytree(_HERE / "repository", folder, ignore=shutil.ignore_patterns("__pycache__"))
    git("init", "--quiet", "--template=", "--initial-branch=main", folder)
    _commit(folder, "Add up timesheets", "Robin Example <robin@example.org>", "2026-03-02T09:00:00Z")
    tests = folder / "tests" / "test_timesheet.py"
    end = '\n\nif __name__ == "__main__":'
    added = (_HERE / "failing_test.py").read_text(encoding="utf-8")
    text = tests.read_text(encoding="utf-8").replace(end, f"\n\n{added}{end}")
    tests.write_text(text, encoding="utf-8")
    _commit(
        folder,
        "Add the week of the wrong invoice as a test",
        "Dana Example <dana@example.org>",
        "2026-03-09T10:30:00Z",
    )
    return folder


def _commit(folder: Path, message: str, person: str, when: str) -> None:
    from ci_agent.workspace.git import git

    name, _, mail = person.rstrip(">").partition(" <")
    identity = {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": mail,
        "GIT_AUTHOR_DATE": when,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": mail,
        "GIT_COMMITTER_DATE": when,
    }
    git("-C", folder, "add", "--all")
    git("-C", folder, "commit", "--quiet", "-m", message, environment=identity)
