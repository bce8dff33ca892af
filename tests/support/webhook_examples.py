"""GitHub's webhook payloads as it sends them: the npm package @octokit/webhooks-examples (MIT).

`make test-tools` fetches it with the other packages from npm.
"""

from __future__ import annotations

import json
from typing import Any

from tests.support import ci_local
from tests.support.packages import CACHE

_FOLDER = CACHE / "node/node_modules/@octokit/webhooks-examples"


def webhook_examples(server: str = "api.github.com") -> list[tuple[str, dict[str, Any]]]:
    """The name of the event and the payload of every example. `server` is that, or a GitHub Enterprise: `ghes-35`."""
    if not _FOLDER.exists():
        ci_local.install()
    events = json.loads((_FOLDER / server / "index.json").read_text(encoding="utf-8"))
    return [(event["name"], example) for event in events for example in event["examples"]]
