"""What a routing job leaves for the jobs that work: a list for a matrix, or a child pipeline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ci_agent.ci import Host
from ci_agent.triggers import Trigger


def hand_on(
    host: Host,
    environment: Mapping[str, str],
    sessions: Sequence[tuple[str, Trigger]],
    child_pipeline: Path | None,
    why: str,
) -> None:
    """Tell the CI of the `sessions`, each with the number of its issue: by the value `issues`, and where a file is
    wanted for it by a pipeline. `why` says there why there are none."""
    host.output.values({"issues": json.dumps([int(number) for number, _ in sessions])})
    if child_pipeline:
        from ci_agent.ci.child_pipeline import child_pipeline as pipeline
        from ci_agent.triggers.travel import packed

        packs = [(number, packed(trigger)) for number, trigger in sessions]
        text = pipeline(packs, environment, why=why)
        found = host.guard.found(text)
        if found:
            text = pipeline([], environment, why=host.guard.stopped("child pipeline", found))
        child_pipeline.write_text(text, encoding="utf-8")
        print(f"Wrote the child pipeline: {len(sessions)} sessions.", file=host.output.log, flush=True)
