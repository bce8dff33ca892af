"""Real projects, not ours, one for each of a few languages: what their authors published, with the tests in it.

`prepare()` fetches them with the languages' own package managers, pinned, and with them all that their tests need;
`make test-tools` calls it. Afterwards nothing here needs a network: `lay_out()` gives a copy to work on, and
`offline()` the environment in which the package managers find what was fetched and ask nobody else.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache" / "real-projects"
_GO_CACHE, _CARGO, _MAVEN, _NPM, _NPMRC = (
    CACHE / name for name in ("go-build", "cargo", "maven", "npm", "npmrc")
)


@dataclass(frozen=True, slots=True)
class Project:
    """A published project. `fetch` puts its files into a folder; `machine` are files that say where things lie
    on this machine, in which `{maven}` stands for the local repository of Maven."""

    language: str
    name: str
    version: str
    fetch: Callable[[Project, Path], None]
    machine: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return CACHE / f"{self.name}-{self.version}"


def prepare() -> None:
    """Fetch what is not there yet. Raises `CalledProcessError` where a package manager can't."""
    CACHE.mkdir(parents=True, exist_ok=True)
    for project in PROJECTS:
        if not project.folder.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as name:
                made = Path(name, "project")
                made.mkdir()
                project.fetch(project, made)
                made.rename(project.folder)
    _NPMRC.write_text("offline=true\n", encoding="utf-8")
    (_CARGO / "config.toml").write_text("[net]\noffline = true\n", encoding="utf-8")


def lay_out(project: Project, folder: Path) -> None:
    """Put the project's files into `folder`, which is made. Raises `FileNotFoundError` before `prepare()`."""
    if not project.folder.exists():
        raise FileNotFoundError(f"{project.folder} is missing: `make test-tools` fetches it")
    shutil.copytree(project.folder, folder, symlinks=True)
    for path, text in project.machine.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text.format(maven=_MAVEN), encoding="utf-8")


def offline() -> dict[str, str]:
    """The environment of a person who has all these tools, on a machine without a network.

    Maven has no variable for it: its switch is in a file of the project.
    """
    mine = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR", "JAVA_HOME") if name in os.environ}
    return mine | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GOCACHE": str(_GO_CACHE),
        "GOPROXY": "off",
        "CARGO_HOME": str(_CARGO),
        "NPM_CONFIG_CACHE": str(_NPM),
        "NPM_CONFIG_USERCONFIG": str(_NPMRC),
        "PIP_FIND_LINKS": str(CACHE),  # where there is nothing to be found
        "CI_AGENT_SANDBOX_READABLE": str(_MAVEN),
        "PIP_INDEX_URL": "http://127.0.0.1:9",  # the port for what is thrown away; nobody listens there
    }


# --- Python -----------------------------------------------------------------------------------------------


def _from_pip(project: Project, folder: Path) -> None:
    words = ["download", "--quiet", "--no-deps", "--no-binary", project.name, "--dest", str(folder)]
    _run(sys.executable, "-m", "pip", *words, f"{project.name}=={project.version}")
    (packed,) = folder.glob("*.tar.gz")
    _unpacked(packed, folder)


# --- JavaScript -------------------------------------------------------------------------------------------


def _from_npm(project: Project, folder: Path) -> None:
    """Without what its tests don't need (benchmarks, uploads of coverage), and with a lock file, which npm does
    not publish. What the lock file names is put into the cache that is used from then on."""
    _run("npm", "pack", "--silent", f"{project.name}@{project.version}", inside=folder)
    (packed,) = folder.glob("*.tgz")
    _unpacked(packed, folder)
    manifest = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    needed = manifest["devDependencies"]
    manifest["devDependencies"] = {name: needed[name] for name in _FOR_THE_TESTS}
    (folder / "package.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    (folder / ".gitignore").write_text("node_modules/\n", encoding="utf-8")
    quiet = ("--silent", "--no-audit", "--no-fund", "--cache", str(_NPM))
    for command in ("install", "ci"):  # npm asks for other documents when there is a lock file
        _run("npm", command, *quiet, inside=folder)
    shutil.rmtree(folder / "node_modules")


_FOR_THE_TESTS = ("chai", "mocha")


# --- Go ---------------------------------------------------------------------------------------------------


def _from_go(project: Project, folder: Path) -> None:
    """It has no dependencies. Its tests are run once, so that Go's own packages are built."""
    with tempfile.TemporaryDirectory(dir=CACHE) as modules:
        mine = {"GOMODCACHE": modules, "GOFLAGS": "-modcacherw"}
        said = _run("go", "mod", "download", "-json", f"{_GO_UUID}@{project.version}", inside=folder, **mine)
        shutil.copytree(json.loads(said)["Dir"], folder, dirs_exist_ok=True)
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode | 0o200)
    _run("go", "test", "./...", inside=folder, GOCACHE=str(_GO_CACHE))


_GO_UUID = "github.com/google/uuid"


# --- Rust -------------------------------------------------------------------------------------------------


def _from_cargo(project: Project, folder: Path) -> None:
    """It has no dependencies."""
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        needs = Path(name)
        (needs / "src").mkdir()
        (needs / "src" / "lib.rs").touch()
        (needs / "Cargo.toml").write_text(
            f'[package]\nname = "needs"\nversion = "0.0.0"\nedition = "2021"\n'
            f'[dependencies]\n{project.name} = "={project.version}"\n',
            encoding="utf-8",
        )
        _run("cargo", "vendor", "--quiet", inside=needs, CARGO_HOME=str(_CARGO), CARGO_NET_OFFLINE="false")
        shutil.copytree(needs / "vendor" / project.name, folder, dirs_exist_ok=True)


# --- Java -------------------------------------------------------------------------------------------------


def _from_maven(project: Project, folder: Path) -> None:
    """From the archives of its sources and of its tests. Its own pom.xml is left out, which needs fifty plugins to
    release it; ours names the same dependencies. The tests are run once, so that Maven has what they need."""
    copied = (f"-Dmaven.repo.local={_MAVEN}", "-B", "-q")
    for classifier, place in (("sources", "src/main/java"), ("test-sources", "src/test/java")):
        what = f"{project.name}:{project.name}:{project.version}:jar:{classifier}"
        _run("mvn", *copied, f"{_DEPENDENCY}:get", f"-Dartifact={what}", "-Dtransitive=false", inside=folder)
        packed = _MAVEN / project.name / project.name / project.version
        with zipfile.ZipFile(packed / f"{project.name}-{project.version}-{classifier}.jar") as archive:
            archive.extractall(folder / place)
        shutil.rmtree(folder / place / "META-INF")
    for data in [path for path in (folder / "src/test/java").rglob("*.file") if path.is_file()]:
        to = folder / "src/test/resources" / data.relative_to(folder / "src/test/java")
        to.parent.mkdir(parents=True)
        data.rename(to)
    (folder / "pom.xml").write_text(_pom(project), encoding="utf-8")
    (folder / ".gitignore").write_text("target/\n", encoding="utf-8")
    _run("mvn", *copied, "test", "-Dmaven.test.redirectTestOutputToFile=true", inside=folder)
    shutil.rmtree(folder / "target")


_DEPENDENCY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
_JAVA_TESTS = (
    "org.junit.jupiter:junit-jupiter:5.11.4",
    "org.mockito:mockito-core:4.11.0",
    "commons-io:commons-io:2.16.1",
)
_PLUGINS = ("maven-resources-plugin:3.3.1", "maven-compiler-plugin:3.13.0", "maven-surefire-plugin:3.5.2")


def _pom(project: Project) -> str:
    names = ("groupId", "artifactId", "version")

    def tags(said: str, among: tuple[str, ...]) -> str:
        return "".join(f"<{tag}>{text}</{tag}>" for tag, text in zip(among, said.split(":"), strict=True))

    needed = [f"<dependency>{tags(said, names)}<scope>test</scope></dependency>" for said in _JAVA_TESTS]
    plugins = [f"<plugin>{tags(said, names[1:])}</plugin>" for said in _PLUGINS]
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0">\n<modelVersion>4.0.0</modelVersion>\n'
        f"{tags(f'{project.name}:{project.name}:{project.version}', names)}\n"
        "<properties>\n<maven.compiler.source>8</maven.compiler.source>\n"
        "<maven.compiler.target>8</maven.compiler.target>\n"
        "<project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>\n</properties>\n"
        f"<dependencies>\n{chr(10).join(needed)}\n</dependencies>\n"
        f"<build><plugins>\n{chr(10).join(plugins)}\n</plugins></build>\n</project>\n"
    )


_QUICK = "-XX:TieredStopAtLevel=1"  # Java optimizes for long runs otherwise; these take seconds

# --- the projects -----------------------------------------------------------------------------------------

INFLECTION = Project("Python", "inflection", "0.5.1", _from_pip)
OBJECT_PATH = Project("JavaScript", "object-path", "0.11.8", _from_npm)
UUID = Project("Go", "uuid", "v1.6.0", _from_go)
STRSIM = Project("Rust", "strsim", "0.11.1", _from_cargo)
COMMONS_CLI = Project(
    "Java",
    "commons-cli",
    "1.9.0",
    _from_maven,
    {
        ".mvn/maven.config": "--offline\n-Dmaven.repo.local={maven}\n-DargLine=" + _QUICK + "\n",
        ".mvn/jvm.config": f"{_QUICK}\n-XX:+UseSerialGC\n",
    },
)
PROJECTS = (INFLECTION, OBJECT_PATH, UUID, STRSIM, COMMONS_CLI)


def _run(*words: str, inside: Path = CACHE, **more: str) -> str:
    done = subprocess.run(
        words, cwd=inside, env=os.environ | more, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def _unpacked(packed: Path, folder: Path) -> None:
    """The one folder in the archive becomes `folder`, and the archive goes."""
    with tarfile.open(packed) as archive, tempfile.TemporaryDirectory(dir=folder.parent) as name:
        archive.extractall(name, filter="data")
        (top,) = Path(name).iterdir()
        shutil.copytree(top, folder, dirs_exist_ok=True)
    packed.unlink()
