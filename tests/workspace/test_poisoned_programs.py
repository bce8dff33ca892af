"""Programs that a command names in the repository it finds in its checkout: git would run them.

Each poison has a control: plain git in that place takes it. So no case passes because the attack is mistyped.
"""

from __future__ import annotations

import os
import pty
import subprocess

import pytest

from ci_agent.workspace import Room
from tests.workspace.poison import Place

pytestmark = pytest.mark.slow  # a repository and some programs for each

_HOOKS = "for hook in post-index-change pre-commit post-checkout reference-transaction pre-push; do cp $EVIL {}/$hook; done"
_FILTERED = "echo '* {}' > .gitattributes; echo 2 > a"
_OTHER = "git checkout -qb other; echo 3 > a; git commit -qam 3; git checkout -q work; echo 4 > a; git commit -qam 4"
# By name: what a command plants, and what plain git is asked then.
PROGRAMS = {
    "hooks": (f"mkdir -p .git/hooks; {_HOOKS.format('.git/hooks')}; echo 2 > a", "git add -A"),
    "core.hooksPath": (
        f"mkdir $OUTSIDE/hooks; {_HOOKS.format('$OUTSIDE/hooks')}; git config core.hooksPath $OUTSIDE/hooks; echo 2 > a",
        "git add -A",
    ),
    "core.fsmonitor": ("git config core.fsmonitor $EVIL; echo 2 > a", "git status"),
    "filter.clean": (f"git config filter.x.clean $EVIL; {_FILTERED.format('filter=x')}", "git add -A"),
    "filter.smudge": (
        f"git config filter.x.smudge $EVIL; {_FILTERED.format('filter=x')}",
        "rm a; git checkout a",
    ),
    "filter.process": (f"git config filter.x.process $EVIL; {_FILTERED.format('filter=x')}", "git add -A"),
    "core.attributesFile": (
        (
            "git config filter.x.clean $EVIL; echo '* filter=x' > $OUTSIDE/at; git config core.attributesFile $OUTSIDE/at; "
            "echo 2 > a"
        ),
        "git add -A",
    ),
    "info/attributes": (
        "git config filter.x.clean $EVIL; echo '* filter=x' > .git/info/attributes; echo 2 > a",
        "git add -A",
    ),
    "diff.textconv": (f"git config diff.x.textconv $EVIL; {_FILTERED.format('diff=x')}", "git diff"),
    "diff.external": ("git config diff.external $EVIL; echo 2 > a", "git diff"),
    "diff.command": (f"git config diff.x.command $EVIL; {_FILTERED.format('diff=x')}", "git diff"),
    "merge.driver": (
        f"git config merge.x.driver $EVIL; echo '* merge=x' > .gitattributes; git add -A; git commit -qm x; {_OTHER}",
        "git merge other",
    ),
    "include.path": (
        (
            "git config filter.x.clean $EVIL; mv .git/config $OUTSIDE/config; git init -q; git config include.path "
            f"$OUTSIDE/config; {_FILTERED.format('filter=x')}"
        ),
        "git add -A",
    ),
    "config.worktree": (
        "git config extensions.worktreeConfig true; git config --worktree filter.x.clean $EVIL; "
        + _FILTERED.format("filter=x"),
        "git add -A",
    ),
    "commondir": (
        (
            "cp -r .git $OUTSIDE/common; git config -f $OUTSIDE/common/config filter.x.clean $EVIL; "
            f"echo $OUTSIDE/common > .git/commondir; {_FILTERED.format('filter=x')}"
        ),
        "git add -A",
    ),
    ".git as a file": (
        (
            "mv .git $OUTSIDE/git; git -C $OUTSIDE --git-dir git config filter.x.clean $EVIL; "
            f"echo gitdir: $OUTSIDE/git > .git; {_FILTERED.format('filter=x')}"
        ),
        "git add -A",
    ),
    ".git as a link": (
        (
            "mv .git $OUTSIDE/git; git -C $OUTSIDE --git-dir git config filter.x.clean $EVIL; "
            f"ln -s $OUTSIDE/git .git; {_FILTERED.format('filter=x')}"
        ),
        "git add -A",
    ),
    "core.editor": ("git config core.editor $EVIL; echo 2 > a", "git commit -a"),
    "gpg.program": (
        "git config gpg.program $EVIL; git config commit.gpgSign true; echo 2 > a",
        "git commit -qam x",
    ),
    "core.sshCommand": ("git config core.sshCommand $EVIL", "git ls-remote ssh://host/path"),
    "core.askPass": ("git config core.askPass $EVIL", "git ls-remote $URL"),
    "credential.helper": ("git config credential.helper $EVIL", "git ls-remote $URL"),
    "core.alternateRefsCommand": (
        "git config core.alternateRefsCommand $EVIL; git init -q $OUTSIDE/r; git -C $OUTSIDE/r commit -q --allow-empty -m x",
        "git fetch $OUTSIDE/r",
    ),
    "remote.uploadpack": (
        "git config remote.origin.uploadpack $EVIL; git config remote.origin.url $OUTSIDE",
        "git fetch origin",
    ),
    "promisor remote": (
        (
            "git config core.repositoryFormatVersion 1; git config extensions.partialClone p; git config remote.p.promisor "
            "true; git config remote.p.url $OUTSIDE; git config remote.p.uploadpack $EVIL"
        ),
        "git cat-file -p 1111111111111111111111111111111111111111",
    ),
    "ext::": ("git config protocol.ext.allow always", 'git ls-remote "ext::$EVIL"'),
    "alias": ("git config alias.st !$EVIL", "git st"),
}
# What makes a repository of its own within the checkout a trap: git starts itself in there. A file of another size
# would be changed without a look at its content.
_TRAP = (
    "git clone -q $LIBRARY {0}; cd {0}; git config filter.x.clean $EVIL; "
    "echo '* filter=x' > .gitattributes; printf 2 > lib.py"
)
PROGRAMS |= {
    "filter of a repository in place of a file": (f"rm a; {_TRAP.format('a')}", "git add -A; git status"),
    "filter of a submodule of the base": (_TRAP.format("vendor"), "git add -A"),
    "monitor of a submodule of the base": (
        "git clone -q $LIBRARY vendor; cd vendor; git config core.fsmonitor $EVIL",
        "git add -A",
    ),
    "filter of a submodule, its .git elsewhere": (
        f"{_TRAP.format('vendor')}; mv .git $OUTSIDE/sub; echo gitdir: $OUTSIDE/sub > .git",
        "git add -A",
    ),
    "filter of a new submodule": (
        f"({_TRAP.format('new')}); git -c protocol.file.allow=always submodule --quiet add ./new new",
        "git status",
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_a_command_planted_is_run_by_plain_git_and_not_by_us(name: str, place: Place) -> None:
    plant, plain = PROGRAMS[name]
    place.command(plant)
    place.fired()  # by the planting itself
    planted = place.project.folder / "planted"
    subprocess.run(["cp", "-a", place.root, planted], check=True)
    place.command(plain, check=False)
    assert place.fired(), "the control: plain git does not run it"
    subprocess.run(["rm", "-rf", place.root], check=True)
    planted.rename(place.root)
    place.harness()
    assert not place.fired()


def test_a_pager_is_run_by_plain_git_on_a_terminal_and_not_by_us(place: Place) -> None:
    place.command("git config core.pager $EVIL; git config pager.diff $EVIL; echo 2 > a")
    main, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    for name in ("PAGER", "GIT_PAGER"):
        environment.pop(name, None)
    subprocess.run(
        ["git", "log"], cwd=place.root, env=environment, stdin=terminal, stdout=terminal, check=False
    )
    os.close(terminal)
    os.close(main)
    assert place.fired()
    place.harness()
    assert not place.fired()


def test_nothing_that_tests_leave_in_a_room_is_run_when_it_is_used_again(place: Place) -> None:
    workspace = place.workspace
    room = Room(workspace.control, place.project.folder / "room")
    base = str(workspace.start)
    room.lay_out(base, base)
    place.command(
        f"cd {room.root}; git config core.fsmonitor $EVIL; git config filter.x.smudge $EVIL; "
        f"mkdir .git/hooks; {_HOOKS.format('.git/hooks')}; {_FILTERED.format('filter=x')}; ({_TRAP.format('vendor')})"
    )
    place.fired()
    place.command(f"cd {room.root}; rm d/file; git checkout d/file", check=False)
    assert place.fired()
    room.put(base)
    room.lay_out(base, base)
    assert not place.fired()
