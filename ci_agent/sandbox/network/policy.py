"""What the proxy is told by the harness, over a pipe: one line of JSON each time it changes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ci_agent.sandbox.network.hosts import Reach, Rule
from ci_agent.sandbox.network.upstream import Upstream, Upstreams


@dataclass(frozen=True, slots=True)
class Policy:
    """What is allowed. With a `password`, only to those who know it."""

    rules: tuple[Rule, ...] = ()
    upstreams: Upstreams = field(default_factory=Upstreams)
    password: str = ""

    @classmethod
    def read(cls, line: str | bytes) -> Policy:
        """From the line that `written` gave."""
        said: dict[str, Any] = json.loads(line)
        rules = tuple(Rule(name, frozenset(ports), Reach(reach)) for name, ports, reach in said["rules"])
        plain, tunnel = (Upstream(*one) if one else None for one in said["upstreams"])
        return cls(rules, Upstreams(plain, tunnel, tuple(said["direct"])), said["password"])

    def written(self) -> bytes:
        """As one line of JSON."""
        through = [
            [one.host, one.port, one.authorization] if one else None
            for one in (self.upstreams.plain, self.upstreams.tunnel)
        ]
        said = {
            "rules": [[rule.name, sorted(rule.ports), rule.reach] for rule in self.rules],
            "upstreams": through,
            "direct": self.upstreams.direct,
            "password": self.password,
        }
        return json.dumps(said).encode() + b"\n"
