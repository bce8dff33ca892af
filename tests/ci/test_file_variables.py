"""GitLab's variables of the type file, as the runner writes them: for everybody."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ci_agent.ci.file_variables import Withdrawn, withdraw


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "widget.tmp").mkdir()
    return tmp_path / "widget"


def runner(project: Path, *names: str, **more: str) -> dict[str, str]:
    """The environment of a job with such variables."""
    found = {"CI_PROJECT_DIR": str(project)} | more
    for name in names:
        place = Path(f"{project}.tmp", name)
        place.write_text(f"CANARY of {name}")
        place.chmod(0o666)
        found[name] = str(place)
    return found


def mode(path: str | Path) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


def test_what_nobody_needs_is_gone(project: Path) -> None:
    environment = runner(project, "KUBECONFIG", "GOOGLE_KEY", "TRIGGER_PAYLOAD")
    found = withdraw(environment, [], project / "private")
    assert found == Withdrawn(removed=("KUBECONFIG", "GOOGLE_KEY", "TRIGGER_PAYLOAD"))
    assert list(Path(f"{project}.tmp").iterdir()) == []


def test_what_commands_may_have_stays_but_not_for_writing(project: Path) -> None:
    environment = runner(project, "NPM_CONFIG", "SSL_CERT_FILE", "OTHER")
    found = withdraw(environment, ["NPM_CONFIG"], project / "private")
    assert found.readable == (Path(environment["NPM_CONFIG"]), Path(environment["SSL_CERT_FILE"]))
    assert [mode(place) for place in found.readable] == [0o644, 0o644]
    assert found.removed == ("OTHER",)


@pytest.mark.parametrize("form", ["{path}", "$DEPLOY_KEY", "${{DEPLOY_KEY}}"])
def test_a_key_that_our_git_needs_moves_to_a_place_of_ours(project: Path, form: str) -> None:
    environment = runner(project, "DEPLOY_KEY", "KNOWN")
    command = (
        f"ssh -i {form.format(path=environment['DEPLOY_KEY'])} -o UserKnownHostsFile={environment['KNOWN']}"
    )
    found = withdraw(environment | {"GIT_SSH_COMMAND": command}, [], project / "private")
    after = {**environment, **found.changed}
    assert Path(after["DEPLOY_KEY"]) == project / "private" / "DEPLOY_KEY"
    assert Path(after["DEPLOY_KEY"]).read_text() == "CANARY of DEPLOY_KEY"
    assert (mode(after["DEPLOY_KEY"]), mode(project / "private")) == (0o600, 0o700)
    assert str(project) + ".tmp" not in after["GIT_SSH_COMMAND"]
    assert after["KNOWN"] in after["GIT_SSH_COMMAND"]
    assert not Path(environment["DEPLOY_KEY"]).exists()


def test_nothing_else_is_touched(project: Path, tmp_path: Path) -> None:
    environment = runner(project, "LINK", "CI_SERVER_TLS_CA_FILE", "RENAMED")
    mine = tmp_path / "mine"
    mine.write_text("mine")
    Path(environment["LINK"]).unlink()
    Path(environment["LINK"]).symlink_to(mine)
    environment |= {
        "MINE": str(mine),
        "ANOTHER": environment.pop("RENAMED"),
        "MISSING": f"{project}.tmp/MISSING",
    }
    before = sorted(tmp_path.rglob("*"))
    assert withdraw(environment, [], project / "private") == Withdrawn()
    assert withdraw({**environment, "CI_PROJECT_DIR": ""}, [], project / "private") == Withdrawn()
    assert sorted(tmp_path.rglob("*")) == before


def test_what_can_not_be_taken_away_is_named(project: Path) -> None:
    environment = runner(project, "DEPLOY_KEY") | {"GIT_SSH_COMMAND": "ssh -i $DEPLOY_KEY"}
    (project.parent / "private").touch()  # in the way of the folder
    assert withdraw(environment, [], project.parent / "private").left == ("DEPLOY_KEY",)
