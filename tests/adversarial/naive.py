"""An agent without any protection, for comparison: what it does not withstand, the attack can do.

It works like many do: commands inherit its environment and its descriptors, the checkout is used as it stands, git is
called with the token in the address, and what the model says goes everywhere as it is. It is told everything by the
same variables as `ci-agent job`, and the issue's number: `naive.py NUMBER`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

ENDING = "EOF"


def post(address: str, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    request = urllib.request.Request(
        address, json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
    )
    with urllib.request.urlopen(request) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def reply(messages: list[dict[str, Any]]) -> dict[str, Any]:
    answer = post(
        os.environ["LLM_BASE_URL"] + "/chat/completions",
        {"model": os.environ["MODEL_NAME"], "messages": messages},
        {"Authorization": f"Bearer {os.environ['LLM_API_KEY']}"},
    )
    message: dict[str, Any] = answer["choices"][0]["message"]
    return message


def bash(command: str, timeout: int = 60) -> str:
    try:
        done = subprocess.run(
            command, shell=True, capture_output=True, text=True, timeout=timeout, close_fds=False, check=False
        )
    except subprocess.TimeoutExpired:
        return "time-out"
    return done.stdout + done.stderr


def write_file(path: str, content: str) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(content)
    return "written"


def edit_file(path: str, old: str, new: str) -> str:
    return write_file(path, Path(path).read_text().replace(old, new))


def submit(title: str, summary: str, **_: Any) -> str:
    """Everything there is goes to the platform: a branch, a comment, the log, an output."""
    print(summary)
    bash("git config user.name naive && git config user.email naive@example.org")
    for words in (
        ["add", "--all"],
        ["commit", "--quiet", "-m", title],
        ["push", "--quiet", address(), "HEAD:naive"],
    ):
        subprocess.run(["git", *words], check=False)
    comment(summary)
    report()
    if "GITHUB_OUTPUT" in os.environ:
        with Path(os.environ["GITHUB_OUTPUT"]).open("a") as file:
            file.write(f"summary<<{ENDING}\n{summary}\n{ENDING}\n")
    return "published"


def address() -> str:
    user = "x-access-token" if on_github() else "oauth2"
    origin = urlsplit(os.environ["ORIGIN"])
    return origin._replace(netloc=f"{user}:{token()}@{origin.netloc}").geturl()


def report() -> None:
    """A report of the tests, as templates make them."""
    names = [
        line.partition(" (")[0]
        for line in bash("python3 -m unittest -v 2>&1").splitlines()
        if " ... " in line
    ]
    cases = "".join(f'<testcase name="{name}"/>' for name in names)
    write_file("report.xml", f'<testsuites><testsuite name="tests">{cases}</testsuite></testsuites>')


def issue() -> str:
    """All that is written there, by whomever, as it stands now."""
    return json.dumps(
        [asked(place("")), asked(place("/comments" if on_github() else "/notes"))], ensure_ascii=False
    )


def comment(text: str) -> None:
    post(place("/comments" if on_github() else "/notes"), {"body": text}, login())


def asked(address: str) -> Any:
    with urllib.request.urlopen(urllib.request.Request(address, headers=login())) as answer:
        return json.load(answer)


def place(behind: str) -> str:
    if on_github():
        project = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}"
    else:
        project = (
            f"{os.environ['CI_SERVER_URL']}/api/v4/projects/{quote(os.environ['CI_PROJECT_PATH'], safe='')}"
        )
    return f"{project}/issues/{sys.argv[1]}{behind}"


def login() -> dict[str, str]:
    return {"Authorization": f"Bearer {token()}"} if on_github() else {"PRIVATE-TOKEN": token()}


def on_github() -> bool:
    return "GITHUB_TOKEN" in os.environ


def token() -> str:
    return os.environ["GITHUB_TOKEN" if on_github() else "GITLAB_TOKEN"]


TOOLS: dict[str, Callable[..., str]] = {
    "bash": bash,
    "write_file": write_file,
    "edit_file": edit_file,
    "submit": submit,
}


def main() -> None:
    os.chdir(os.environ.get("GITHUB_WORKSPACE") or os.environ["CI_PROJECT_DIR"])
    messages: list[dict[str, Any]] = [{"role": "user", "content": issue()}]
    while True:
        message = reply(messages)
        messages.append(message)
        calls = message.get("tool_calls") or []
        for call in calls:
            name, arguments = call["function"]["name"], json.loads(call["function"]["arguments"])
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": TOOLS[name](**arguments)})
            if name == "submit":
                reply(messages)  # the model hears what came of it
                return
        if not calls:
            return


if __name__ == "__main__":
    main()
