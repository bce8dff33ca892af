"""Private caches hold what the machine's have, change nothing of it, and no credential comes with them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.sandbox.caches import Caches, private_caches, used_by
from ci_agent.sandbox.farm import farm
from ci_agent.sandbox.settings import copied

_ALL = {"pip", "uv", "npm", "cargo", "go", "maven", "gradle", "nuget"}
_LARGE = "x" * 5_000


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


def files(home: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def caches(home: Path, used: set[str] = _ALL) -> Caches:
    return private_caches(home.parent / "private", {"HOME": str(home), "PATH": os.environ["PATH"]}, used)


def test_what_is_written_stays_in_the_private_one_and_what_was_there_is_found(home: Path) -> None:
    files(
        home,
        **{
            ".m2/repository/g/a/1/a-1.jar": _LARGE,
            ".m2/repository/g/a/1/_remote.repositories": "small",
            ".cargo/registry/cache/r/a.crate": _LARGE,
            ".cargo/registry/index/r/.cache/a/b": "index",
            ".cargo/registry/src/r/a-1/lib.rs": "fn",
            ".npm/_cacache/content-v2/x": _LARGE,
            ".npm/_cacache/index-v5/x": _LARGE,
            ".cache/pip/http-v2/a/b": _LARGE,
            ".gradle/wrapper/dists/gradle-8/hash/gradle-8/bin/gradle": "sh",
            ".gradle/caches/modules-2/x": "x",
        },
    )
    made = caches(home)
    where = made.environment
    jar = made.folder / "maven/repository/g/a/1/a-1.jar"
    assert jar.is_symlink()
    assert jar.read_text() == _LARGE
    mark = jar.with_name("_remote.repositories")
    mark.write_text("changed")
    assert (home / ".m2/repository/g/a/1/_remote.repositories").read_text() == "small"
    cargo = Path(where["CARGO_HOME"], "registry")
    assert (cargo / "cache/r/a.crate").read_text() == _LARGE
    assert (cargo / "index/r/.cache/a/b").read_text() == "index"
    assert (cargo / "src/r/a-1/lib.rs").read_text() == "fn"
    npm = Path(where["NPM_CONFIG_CACHE"], "_cacache")
    assert (npm / "content-v2/x").is_symlink()
    assert not (npm / "index-v5/x").is_symlink()
    assert Path(where["PIP_CACHE_DIR"], "http-v2/a/b").read_text() == _LARGE
    assert (
        Path(where["GRADLE_USER_HOME"], "wrapper/dists/gradle-8/hash/gradle-8/bin/gradle").read_text() == "sh"
    )
    assert where["GRADLE_RO_DEP_CACHE"] == str(home / ".gradle/caches")
    for link in (path for path in made.folder.rglob("*") if path.is_symlink()):
        target = link.resolve()
        assert any(target.is_relative_to(place) for place in made.readable), f"{link} leads to what is closed"


def test_a_program_that_is_not_used_gets_an_empty_cache(home: Path) -> None:
    files(home, **{".m2/repository/a.jar": _LARGE, ".cargo/registry/cache/r/a.crate": _LARGE})
    made = caches(home, set())
    assert Path(made.environment["CARGO_HOME"]).is_dir()
    assert not [path for path in made.folder.rglob("*") if path.is_symlink()]


def test_no_variable_leads_to_the_real_home_but_for_what_is_read_only(home: Path) -> None:
    files(home, **{".nuget/packages/x": "x", ".gradle/caches/modules-2/x": "x"})
    made = caches(home)
    elsewhere = {name for name, value in made.environment.items() if str(home) in value}
    assert elsewhere == {"NUGET_FALLBACK_PACKAGES", "GRADLE_RO_DEP_CACHE"}


def test_a_home_leads_to_mavens_place_once(home: Path, tmp_path: Path) -> None:
    made = caches(home)
    for _ in range(2):
        made.link_into(tmp_path)
    assert (tmp_path / ".m2").resolve() == (made.folder / "maven").resolve()


def test_packages_of_the_user_are_found_and_new_ones_are_put_elsewhere(home: Path) -> None:
    site = home / f".local/lib/python{'.'.join(map(str, sys.version_info[:2]))}/site-packages"
    files(site, **{"mine.py": "said = 'hello'"})
    made = caches(home)
    python = Path(os.path.realpath(sys.executable))
    asked = [str(python), "-c", "import mine, site; print(mine.said, site.getusersitepackages())"]
    said = subprocess.run(asked, env=dict(made.environment), capture_output=True, text=True, check=True)
    assert said.stdout.split()[0] == "hello"
    assert said.stdout.split()[1].startswith(str(made.folder))


def test_go_asks_its_own_cache_first_and_then_whom_it_asked_before(home: Path) -> None:
    fetched = home / "go/pkg/mod/cache/download"
    files(fetched, **{"x/@v/list": ""})
    files(home, **{".config/go/env": "GOPROXY=https://me:secret@mirror/go\nGOFLAGS=-mod=mod\n"})
    made = caches(home, {"go"})
    if not shutil.which("go"):
        pytest.skip("there is no go here")
    assert made.environment["GOPROXY"] == f"{fetched.as_uri()},https://mirror/go"
    assert made.environment["GOFLAGS"] == "-mod=mod -modcacherw"
    assert "secret" not in Path(made.environment["GOENV"]).read_text()


def test_what_a_repository_uses_is_seen_by_its_files() -> None:
    assert used_by(["a/b/Cargo.toml", "go.mod", "README"]) == {"cargo", "go"}
    assert used_by(["not-go.mod", "pom.xml.bak"]) == set()


# --- farms ------------------------------------------------------------------------------------------------


def test_of_many_files_the_last_ones_count(tmp_path: Path) -> None:
    real = tmp_path / "real"
    for number in range(5):
        files(real, **{f"{number}/x": _LARGE})
        os.utime(real / str(number) / "x", (number, number))
    farm(real, tmp_path / "farm", most=2)
    assert sorted(path.parent.name for path in (tmp_path / "farm").rglob("x")) == ["3", "4"]


def test_a_link_in_a_cache_is_not_followed(tmp_path: Path) -> None:
    files(tmp_path, **{"secret": _LARGE, "real/x": _LARGE})
    (tmp_path / "real" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "real" / "round").symlink_to(tmp_path / "real")
    farm(tmp_path / "real", tmp_path / "farm")
    assert [path.name for path in (tmp_path / "farm").iterdir()] == ["x"]


# --- settings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "kept"),
    [
        (
            "pip.conf",
            "[global]\nindex-url = https://me:s3cret@index/simple\npassword =\n  s3cret\n  s3cret\ntimeout = 5\n",
            "[global]\nindex-url = https://index/simple\ntimeout = 5\n",
        ),
        (
            ".npmrc",
            "registry=https://npm/\n//npm/:_authToken=s3cret\n//npm/:_password=s3cret\n_auth=s3cret\nsave=false\n",
            "registry=https://npm/\nsave=false\n",
        ),
        (
            "config.toml",
            '[registries.mine]\nindex = "sparse+https://s3cret@index/"\ntoken = "s3cret"\n[net]\noffline = true\n',
            '[registries.mine]\nindex = "sparse+https://index/"\n[net]\noffline = true\n',
        ),
        (
            "gradle.properties",
            "org.gradle.daemon=false\nmavenPassword=s3cret\nsigning.secretKey=\\\ns3cret\nlast=1\n",
            "org.gradle.daemon=false\nlast=1\n",
        ),
    ],
)
def test_settings_are_copied_without_credentials(tmp_path: Path, name: str, text: str, kept: str) -> None:
    files(tmp_path, **{name: text})
    said = copied(tmp_path / name, tmp_path / "copy")
    assert said == f"the credentials in {tmp_path / name} were left out"
    assert (tmp_path / "copy").read_text() == kept


def test_mavens_settings_keep_their_mirrors(tmp_path: Path) -> None:
    text = """<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0">
<servers><server><id>m</id><password>s3cret</password></server></servers>
<mirrors><mirror><id>m</id><url>https://me:s3cret@mirror/maven</url></mirror></mirrors>
<proxies><proxy><host>proxy</host><username>me</username><password>s3cret</password></proxy></proxies></settings>"""
    files(tmp_path, **{"settings.xml": text})
    assert copied(tmp_path / "settings.xml", tmp_path / "copy.xml")
    kept = (tmp_path / "copy.xml").read_text()
    assert "s3cret" not in kept
    names = {"m": "http://maven.apache.org/SETTINGS/1.0.0"}
    root = ElementTree.fromstring(kept)
    assert root.findtext("m:mirrors/m:mirror/m:url", namespaces=names) == "https://mirror/maven"
    assert root.findtext("m:proxies/m:proxy/m:host", namespaces=names) == "proxy"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("init.gradle", "repositories { maven { credentials { password = 's3cret' } } }"),
        ("config.toml", 'token = """\ns3cret\n"""\n'),
        ("settings.xml", "<settings><server><password>s3cret</settings>"),
    ],
)
def test_what_credentials_cannot_be_taken_out_of_is_left_out_and_said(
    tmp_path: Path, name: str, text: str
) -> None:
    files(tmp_path, **{name: text})
    assert "left out" in copied(tmp_path / name, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_settings_without_credentials_are_copied_as_they_are_and_nothing_is_said(tmp_path: Path) -> None:
    for name, text in {
        "pip.conf": "[global]\ncert = /x\r\n",
        "settings.xml": "<settings><!-- mine --></settings>",
    }.items():
        (tmp_path / name).write_bytes(text.encode())
        assert not copied(tmp_path / name, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == text.encode()
    assert not copied(tmp_path / "nothing", tmp_path / "none")


_LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "index-url = https://me:s3cret@host/simple",
                "extra = https://s3cret@host https://u:s3cret@other/",
                "//host/:_authToken=s3cret",
                '"token" = "s3cret"',
                "PASSWORD: s3cret",
                "apiKey = s3cret",
            ]
        ),
        st.text(st.characters(codec="utf-8", exclude_characters="s")),
    )
)


@given(_LINES, st.sampled_from(["\n", "\r\n"]))
def test_no_credential_is_ever_copied(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], end: str
) -> None:
    folder = tmp_path_factory.mktemp("settings")
    (folder / "pip.conf").write_bytes(end.join(lines).encode())
    copied(folder / "pip.conf", folder / "copy")
    copy = (folder / "copy").read_bytes() if (folder / "copy").exists() else b""
    assert b"s3cret" not in copy


@given(st.dictionaries(st.sampled_from(["token", "index", "secret-key", "offline"]), st.text(max_size=9)))
def test_a_copy_in_toml_is_toml(tmp_path_factory: pytest.TempPathFactory, table: dict[str, str]) -> None:
    folder = tmp_path_factory.mktemp("settings")
    text = "".join(f"{key} = {value!r}\n" for key, value in table.items())
    (folder / "config.toml").write_text(text, encoding="utf-8")
    copied(folder / "config.toml", folder / "copy")
    if (folder / "copy").exists():
        assert "token" not in tomllib.loads((folder / "copy").read_text(encoding="utf-8"))
