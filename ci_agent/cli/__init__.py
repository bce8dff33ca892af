"""The command line: thin. Parse, build the parts, run, map the outcome to an exit code.

Only click is imported here and at the top of the commands' modules, so that `--help` and `--version` answer
at once; everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping

import click

from ci_agent import __version__
from ci_agent.cli.config import config
from ci_agent.cli.demo import demo
from ci_agent.cli.job import job, poll, publish
from ci_agent.cli.log import log
from ci_agent.cli.models import models
from ci_agent.cli.replay import replay
from ci_agent.cli.run import run
from ci_agent.cli.sessions import sessions
from ci_agent.cli.setup import doctor, init
from ci_agent.cli.verify import verify
from ci_agent.errors import CiAgentError, Interrupted

FAULT = 70  # EX_SOFTWARE of sysexits.h


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ci-agent")
@click.pass_context
def cli(context: click.Context) -> None:
    """Turns issues into tested merge requests.

    The model proposes, the harness proves: ci-agent lets a language model work on an issue in a copy of the
    repository, runs the project's own tests before and after, and hands you a branch, a merge request text
    and a test report. Your own checkout is never touched.

    \b
    Exit codes:
      0    done: the change is on its branch, and no test is newly broken
      1    the task failed; what there is of it is saved
      2    the call, the repository or the configuration is not one to work with
      3    a key or token is missing, wrong or lacks a right
      4    a limit was hit: steps, time, money or tokens
      5    suspended: a person has to answer a question, or to approve something
      70   a fault of ci-agent itself
      130  interrupted (SIGINT); 143: terminated (SIGTERM)
    """
    from ci_agent.config import NOT_INHERITED
    from ci_agent.sandbox.own_process import enclose

    context.obj = dict(os.environ)  # for the settings; from here on the process itself goes without its keys
    enclose(NOT_INHERITED)


for command in (run, verify, log, replay, job, publish, poll, sessions, init, doctor, demo, config, models):
    cli.add_command(command)


def _masked(text: str, environment: Mapping[str, str]) -> str:
    """The text without the secrets of the environment: in a CI, anybody may read what is written here."""
    from ci_agent.guard import Guard, of_environment

    return Guard(of_environment(environment)).masked(text)


def main() -> None:
    """The entry point of `ci-agent`: runs the command line and exits."""
    environment = dict(os.environ)
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("ci-agent: interrupted", err=True)
        code = 130
    except Interrupted as signal:
        click.echo("ci-agent: interrupted", err=True)
        code = 128 + signal.signal
    except CiAgentError as error:
        from ci_agent.reporting.text import clean

        click.echo(f"ci-agent: {_masked(clean(str(error)), environment)}", err=True)
        code = error.exit_code
    except Exception:  # noqa: BLE001 - or Python would end with 1, which here means that the task failed
        click.echo(_masked(traceback.format_exc(), environment), err=True, nl=False)
        click.echo(
            "ci-agent: this is a fault of ci-agent itself; please report it with the lines above", err=True
        )
        code = FAULT
    sys.exit(code if isinstance(code, int) else 0)
