"""A test for a defect: when the model is asked for one that its change lacks. Pure."""

from __future__ import annotations

import re

from ci_agent.evidence import Round
from ci_agent.journal.events import Without
from ci_agent.task import Task

_NAMED = 5  # tests
# Words by which people tell of a defect, in the titles and texts of issues.
_DEFECT = re.compile(
    r"\b(bugs?|fix(es|ed)?|errors?|crash(es|ed)?|fail(s|ed|ure|ing)?|wrong(ly)?|incorrect(ly)?|broken?|breaks|"
    r"makes?|gives?|loses?|lost|ignore[sd]?|missing|twice|double|regression|exceptions?|traceback|panics?|segfault|unexpected(ly)?|should(n't| not)?|instead of|does ?n[o']t)\b",
    re.IGNORECASE,
)
_WANTED = (
    "The tests hold, nothing is newly broken. But {}. Add a test that fails without your change and passes with it, "
    "and submit again. If none can be written, say why in `no_test`; people will read it. Without either, the merge "
    "request says first of all that nothing shows what the change does."
)


def missing_test(task: Task, examined: Round) -> str:
    """What to tell the model whose change mends a defect and has no test that shows it; empty where nothing is
    wanted: there are no tests, something shows the change, or it said why there is none."""
    submitted, proof = examined.measured.submitted, examined.measured.proof
    if (submitted and submitted.no_test) or examined.compared.fixed or proof is None or proof.problem:
        return ""
    if examined.measured.apart or (examined.compared.added and not proof.files):
        return ""  # where new tests ran that can't be told from the source, nothing false is said of them
    if any(case.without is not Without.PASSES for case in proof.cases):
        return ""
    if not _DEFECT.search(f"{task.title}\n{task.text}\n{task.hint}"):
        return ""
    names = ", ".join(case.id for case in proof.cases[:_NAMED])
    idle = (
        f"the tests that it adds pass without the change as well ({names}), so that they show nothing of it"
    )
    touched = f"it adds no test; those in {', '.join(proof.files[:_NAMED])} pass on the old source too"
    return _WANTED.format(idle if names else touched if proof.files else "it adds no test")
