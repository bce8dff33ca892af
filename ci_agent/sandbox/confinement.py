"""The confinement of one session: the strongest this machine has, proved, and a sandbox for each checkout in it.

What there is, is found by trying: the strongest plan first, then without what the kernel refused or what kept
commands from working. The last word has the self-test, see `proof.py`.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from ci_agent.config import SandboxSettings
from ci_agent.errors import CiAgentError
from ci_agent.sandbox import Command, Sandbox
from ci_agent.sandbox.bounds import bounds
from ci_agent.sandbox.caches import Caches, private_caches, used_by
from ci_agent.sandbox.confined import Confined, World
from ci_agent.sandbox.deleting import delete
from ci_agent.sandbox.downloads import copy_downloads
from ci_agent.sandbox.environment import PROXIES, build
from ci_agent.sandbox.home import prepare
from ci_agent.sandbox.keeper.messages import Plan
from ci_agent.sandbox.keeping import Keeper, KeeperError, UnconfinedError
from ci_agent.sandbox.kernel import calls, landlock
from ci_agent.sandbox.network import Refused, Rule
from ci_agent.sandbox.network.hosts import normalised
from ci_agent.sandbox.network.on_demand import ProxyOnDemand
from ci_agent.sandbox.network.registries import managers_for
from ci_agent.sandbox.network.variables import variables
from ci_agent.sandbox.places import Places, machine_places
from ci_agent.sandbox.plain import Plain
from ci_agent.sandbox.proof import Level, Proof, prove, unproved
from ci_agent.sandbox.reclaiming import CHANGE, reclaim
from ci_agent.sandbox.shared_memory import SharedMemory
from ci_agent.sandbox.temporary import TemporaryFolders

_MEANS: Final = {"landlock": "Landlock, which closes files", "filter": "seccomp, which closes the network"}
_NO_PLAN: Final = Plan(landlock=False, filter=False, supervised=False, loopback_only=False)


class ConfinementError(CiAgentError):
    """The confinement of this machine is weaker than the settings allow."""


class Confinement:
    """How commands are confined on this machine, by `settings`. `folder` is the session's own; `closed` are other
    folders that are nobody's installation, such as the checkout the work comes from. `files` are the paths in the
    project, by which one sees what package managers it uses. `memory` is the memory that all share; it is closed here.

    The processes it needs are started here and end with `close`.
    """

    def __init__(
        self,
        settings: SandboxSettings,
        folder: Path,
        closed: Sequence[Path] = (),
        files: Collection[str] = (),
        memory: SharedMemory | None = None,
    ) -> None:
        self._memory = memory or SharedMemory()
        self._settings = settings
        self._folder = folder
        self._closed = (folder, *closed)
        self._used = used_by(files)
        self._caches: dict[Path, Caches] = {}
        self._downloads = folder / "downloads"  # in no list of places: no command writes or reads there
        self._own = {self._downloads}  # what commands may write to, and what is too much to look at
        self._source = dict(os.environ)
        self._lock = threading.Lock()
        self._found: _Found | None = None
        self._temporary = TemporaryFolders()
        self._refused: Counter[str] = Counter()
        self._keeper = Keeper() if calls.SUPPORTED else None
        self._proxy: ProxyOnDemand | None = None
        if self._keeper:
            self._keeper.start()
            if settings.network in ("setup-only", "allowlist"):
                rules = [Rule(_normalised(name)) for name in settings.hosts]
                programs = managers_for(files)
                self._proxy = ProxyOnDemand(rules, programs, folder / "registries", self._source)

    def close(self) -> None:
        """End what runs. May be called again."""
        if self._keeper:
            self._keeper.close()
        if self._proxy:
            self._proxy.close()
        self._temporary.close()
        self._memory.close()

    def clear_memory(self) -> Sequence[str]:
        """Delete what commands left in memory that all processes share, where that may be done; between two commands.
        Gives the names of what is left there and was not named before."""
        return self._memory.clear()

    @property
    def notices(self) -> tuple[str, ...]:
        """What people should know of the places, in sentences: what the settings name and is not there, and what of
        package managers' settings commands do without."""
        missing = [
            f"{name} of `sandbox.readable` or `sandbox.writable` is not there."
            for name in self._best.places.missing
        ]
        left_out = [sentence for caches in self._caches.values() for sentence in caches.left_out]
        return tuple(dict.fromkeys([*missing, *left_out]))

    @property
    def proof(self) -> Proof:
        """How strong it is. Found out when it is asked for first."""
        return self._best.proof

    def require(self) -> None:
        """Raises `ConfinementError` where it is weaker than `sandbox.allow` says."""
        proof, wanted = self.proof, Level(self._settings.allow)
        if proof.level.rank < wanted.rank:
            raise ConfinementError(_too_weak(proof, wanted, self._settings.network))

    def refused(self) -> tuple[Refused, ...]:
        """Where commands tried to connect to in vain."""
        direct = tuple(Refused(place, count, _why(place)) for place, count in self._refused.items())
        return (*(self._proxy.refused() if self._proxy else ()), *direct)

    def sandbox(
        self,
        root: Path,
        home: Path,
        temporary: Path,
        readable: Sequence[Path] = (),
        ceiling: Path | None = None,
        caches: Path | None = None,
    ) -> Sandbox:
        """A sandbox for the checkout in `root`, made when that is there or not. `home` is a folder for the commands,
        created where it is missing; `temporary` becomes a link to a new one; `readable` is what they may read beside.
        Their git looks for no repository in `ceiling` and above it. `caches` is for what package managers and compilers
        put aside, and the session's where it is None; it is laid out where it is not there."""
        private, temporary = self._private(caches or self._common), self._temporary.new(temporary)
        self._own |= {root, home, private.folder}
        if self._keeper is None or self._best.plan == _NO_PLAN:
            return Plain(home, temporary, self._settings.env, ceiling, private, self._reclaim)
        found = self._best
        return self._confined(found.plan, found.places, root, home, temporary, readable, ceiling, private)

    def keep_downloads(self, caches: Path | None = None) -> None:
        """Have what package managers downloaded into `caches`, or into the session's, found in those that are laid out from
        now on. To be called where nothing has used them but a set-up that every room may trust. What was kept first stays;
        where commands could change it, or the disk refuses it, nothing is kept."""
        if self._downloads.exists() or not self._best.plan.landlock:
            return
        try:
            copy_downloads(caches or self._common, self._downloads)
        except OSError:
            delete(self._downloads)

    @property
    def _common(self) -> Path:
        return self._folder / "caches"

    def _private(self, folder: Path) -> Caches:
        with self._lock:
            if folder not in self._caches or not folder.exists():
                if self._downloads.exists():
                    with suppress(OSError):  # then the rest is downloaded again
                        copy_downloads(self._downloads, folder)
                self._caches[folder] = private_caches(folder, self._source, self._used)
            return self._caches[folder]

    # --- finding out --------------------------------------------------------------------------------------

    @property
    def _best(self) -> _Found:
        with self._lock:
            if self._found is None:
                self._found = self._search()
            return self._found

    def _search(self) -> _Found:
        if self._keeper is None:
            return _Found(
                _NO_PLAN, Places((), ()), unproved("confinement is built for Linux on x86-64 and aarch64")
            )
        environment = build(self._source, self._folder, self._folder, self._settings.env)
        places = machine_places(
            environment, self._source, self._settings.readable, self._settings.writable, self._closed
        )
        plan = Plan(
            landlock=landlock.version() > 0,
            filter=True,
            supervised=True,
            loopback_only=self._settings.network != "open",
            services=tuple(place for name in self._settings.services for place in _addresses(name)),
        )
        lacking = (
            []
            if plan.landlock
            else ["Landlock, which closes files: this kernel does not have it, or not switched on"]
        )
        first: _Found | None = None  # the strongest that could be tried
        while True:
            try:
                proof = self._tried(plan, places)
            except UnconfinedError as error:
                lacking.append(f"{_MEANS.get(error.stage, error.stage)}: {error.problem}")
                if plan == _NO_PLAN:
                    return _Found(_NO_PLAN, places, replace(unproved(str(error)), lacking=tuple(lacking)))
                plan = _without(plan, error.stage)
                continue
            except KeeperError as error:
                return _Found(_NO_PLAN, places, unproved(str(error)))
            if not proof.broken:
                return _Found(plan, places, replace(proof, lacking=tuple(lacking)))
            named = f"commands can't do this: {', '.join(proof.broken)}"
            first = first or _Found(plan, places, replace(proof, lacking=(*lacking, named)))
            if plan == _NO_PLAN:  # it is not the confinement that keeps them from it
                return first
            lacking.append(f"with all means, {named}")
            plan = _without(plan, "filter" if plan.filter else "landlock")

    def _tried(self, plan: Plan, places: Places) -> Proof:
        ground = self._folder / "self-test"
        inside = ground / "inside"
        inside.mkdir(parents=True, exist_ok=True)
        try:
            sandbox = self._confined(plan, places, inside, ground / "home", ground / "tmp", (), None)
            proof = prove(sandbox, inside, ground / "outside", Path(self._source.get("HOME") or "/root"))
            self._refused.clear()  # what the self-test tried is no wish of the work
            return proof
        finally:
            shutil.rmtree(ground, ignore_errors=True)

    def _confined(
        self,
        plan: Plan,
        places: Places,
        root: Path,
        home: Path,
        temporary: Path,
        readable: Sequence[Path],
        ceiling: Path | None,
        caches: Caches | None = None,
    ) -> Confined:
        assert self._keeper is not None  # noqa: S101 - its callers have seen to that
        prepare(home, temporary)
        own: tuple[Path, ...] = (root, home, temporary)
        if caches:
            caches.link_into(home)
            own, readable = (*own, caches.folder), (*readable, *caches.readable)
        environment = build(
            self._source,
            home.absolute(),
            temporary.absolute(),
            self._settings.env,
            ceiling.resolve() if ceiling else None,
            caches.environment if caches else None,
        )
        if plan.loopback_only:  # where the runner's own proxy is out of reach
            environment = {name: value for name, value in environment.items() if name.upper() not in PROXIES}
        return Confined(
            self._keeper,
            plan,
            bounds(self._settings, home),
            # What is not there yet, such as a repository's objects, may be there for the first command.
            World(environment, places.readable, tuple(readable), (*places.writable, *own), own),
            partial(self._begin, plan),
            self._refused.update,
            self._reclaim,
        )

    def _reclaim(self) -> None:
        """After each command: what is ours in the session's folder is within our reach again. What is in places of
        commands is looked after by those who use it."""
        reclaim(self._folder, CHANGE, self._own)

    # --- the network --------------------------------------------------------------------------------------

    def _begin(self, plan: Plan, command: Command) -> Mapping[str, str]:
        """Before each command: the variables that lead it to the network, as far as it may use it."""
        if self._proxy is None or not plan.loopback_only:
            return {}
        self._proxy.let(self._settings.network == "allowlist" or command.setup)
        return variables(self._proxy.port)


@dataclass(frozen=True, slots=True)
class _Found:
    plan: Plan
    places: Places
    proof: Proof


def _without(plan: Plan, stage: str) -> Plan:
    """The plan without what failed; it is weaker by one means each time."""
    if stage == "landlock" and plan.landlock:
        return replace(plan, landlock=False)
    if stage == "filter" and plan.supervised:
        return replace(plan, supervised=False, loopback_only=False)
    if stage == "filter" and plan.filter:
        return replace(plan, filter=False)
    return _NO_PLAN


def _too_weak(proof: Proof, wanted: Level, network: str) -> str:
    if network == "open" and proof.level is Level.FILES:
        return f"`sandbox.network` is `open`, so commands are confined at level `{proof.level}`, and `sandbox.allow` wants `{wanted}`: change one of them."
    lacking = "".join(f" Missing: {what}." for what in proof.lacking or proof.broken)
    return (
        f"Commands can't be confined here as the settings want it: the level is `{proof.level}`, at least `{wanted}` is "
        f"wanted, so nothing was run. Open to commands: {'; '.join(proof.open)}.{lacking} Use a runner whose kernel has "
        f"what is missing; or, where commands may see all that this job holds, set `sandbox.allow: {proof.level}`. See "
        "docs/security.md, Levels."
    )


def _why(place: str) -> str:
    """Why a place is not connected to directly, as a clause."""
    if place.startswith("/") or " " in place:
        return "is a service of this machine itself, which commands don't talk to"
    return "is not reached directly; if it is a service that the tests need, name it in sandbox.services"


def _addresses(service: str) -> Iterator[tuple[str, int]]:
    """The addresses and the port of a service that is named `host:port`; none where it is not known."""
    host, _, port = service.rpartition(":")
    with suppress(OSError):
        for found in socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM):
            yield str(found[4][0]).partition("%")[0], int(port)


def _normalised(name: str) -> str:
    star = "*." if name.startswith("*.") else ""
    return star + normalised(name.removeprefix(star))
