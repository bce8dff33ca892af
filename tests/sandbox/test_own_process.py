"""What other processes of the same user learn about ours: nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.looking import RIGHTLESS, look

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is Linux that shows these things")

SECRET = "sk-CANARY-0123456789abcdef"
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "LLM_API_KEY": SECRET,
    "DEPLOY_PASSWORD": f"{SECRET}-of-the-job",
    "LANG": "C.UTF-8",
    "TZ": "Asia/Kolkata",
    "EMPTY": "",
    "LONG": "x" * 100_000,
}
CLOSING = "from ci_agent.sandbox.own_process import enclose\nholds = enclose({'LLM_API_KEY'})\n"
ENCLOSED = CLOSING + "print(holds, flush=True)\n"
OPEN = "print('open', flush=True)\n"


@contextmanager
def running(program: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program, until it said its first line, and then until the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"{RIGHTLESS}\n{program}\nimport sys\nsys.stdin.read()"],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        yield process, process.stdout.readline().strip()
        process.communicate("")
    assert process.returncode == 0


def test_nobody_reads_what_it_was_started_with() -> None:
    with running(OPEN) as (process, _):
        assert SECRET.encode() in (look(process.pid, "environ") or b"")
    with running(ENCLOSED) as (process, holds):
        assert holds == "True"
        assert look(process.pid, "environ") is None


@pytest.mark.parametrize("what", ["mem", "fd", "environ", "auxv"])
def test_nobody_looks_inside(what: str) -> None:
    with running(OPEN) as (process, _):
        assert look(process.pid, what) is not None
    with running(ENCLOSED) as (process, _):
        assert look(process.pid, what) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look all the same")
def test_the_block_of_variables_itself_is_empty() -> None:
    with running(ENCLOSED) as (process, _):
        assert Path(f"/proc/{process.pid}/environ").read_bytes().strip(b"\0") == b""


def test_its_memory_would_have_told() -> None:
    with running(OPEN) as (process, _):
        assert SECRET.encode() in (look(process.pid, "mem") or b"")


def test_what_is_not_secret_is_there_for_everything_inside_as_before() -> None:
    report = """
import ctypes, json, os, subprocess, time
getenv = ctypes.CDLL(None).getenv
getenv.restype = ctypes.c_char_p
time.tzset()
print(json.dumps({
    "python": dict(os.environ),
    "c": {name: (getenv(name.encode()) or b"-").decode() for name in ("TZ", "LLM_API_KEY", "LONG")},
    "child": dict(line.split("=", 1) for line in subprocess.check_output(["env"], text=True).splitlines()),
    "zone": time.strftime("%z", time.localtime(0)),
    "core": __import__("resource").getrlimit(4),
}), flush=True)
"""
    with running(CLOSING + report) as (_, said):
        found = json.loads(said)
    kept = {name: value for name, value in ENVIRONMENT.items() if name != "LLM_API_KEY"}
    assert kept.items() <= found["python"].items()
    assert kept.items() <= found["child"].items()
    assert not [place for place in ("python", "child") if "LLM_API_KEY" in found[place]]
    assert found["c"] == {"TZ": "Asia/Kolkata", "LLM_API_KEY": "-", "LONG": "x" * 100_000}
    assert found["zone"] == "+0530"
    assert found["core"] == [0, 0]
