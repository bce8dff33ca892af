"""What to know of a change beside its verdict, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from ci_agent.journal.events import CoverageMeasured, Outdated, ProofRan, Verdict, Without
from ci_agent.verification.proving import proves, sentence
from ci_agent.verification.text import counted, only_exit_code
from ci_agent.verification.verdict.measured import Evidence, flaky_since, weakened
from ci_agent.verification.verdict.words import fail, how_flaky, listed, when

# Share of the changed lines that can be run; below it, that they were not run is a remark.
LEAST_COVERED = 0.5


def remarks(evidence: Evidence) -> Iterator[str]:
    """All of them but that nothing shows what the change does."""
    fixed = evidence.compared.fixed if evidence.compared else ()
    weak = {change.id for change in weakened(evidence)}
    yield from _of_proof(evidence.proof, weak, mended=len(fixed) > len(weak))
    yield from _of_old_tests(evidence.proof.outdated if evidence.proof else ())
    if evidence.proof and evidence.proof.unfinished:
        yield f"A run that belongs to the proof did not reach its end: {evidence.proof.unfinished}."
    if evidence.steered:
        have = "has" if len(evidence.steered) == 1 else "have"
        files = listed(evidence.steered)
        yield f"The change edits {files}, which {have} a say in how tests and their coverage are run."
    since = flaky_since(evidence)
    known = [case for case in (evidence.compared.flaky if evidence.compared else ()) if case.before]
    flaky = [case for case in known if case not in since]
    if flaky:
        yield f"{counted(len(flaky), 'flaky test')}: {how_flaky(flaky, evidence.retried)}."
    yield from _of_runs(evidence)
    yield from (check.said for check in (evidence.checks.checks if evidence.checks else ()) if check.unknown)
    yield from _of_coverage(evidence.coverage)


def _of_old_tests(outdated: Sequence[Outdated]) -> Iterator[str]:
    if edited := [old.id for old in outdated if not (old.gone or old.lacks)]:
        their = "its" if len(edited) == 1 else "their"
        text = f"{counted(len(edited), 'edited test')} {fail(edited)} with this change in {their} old form"
        yield f"{text}: {listed(edited)}."
    if lacking := [old.id for old in outdated if old.lacks]:
        their, they = ("its", "it needs") if len(lacking) == 1 else ("their", "they need")
        text = f"{counted(len(lacking), 'test')} can't run with this change in {their} old form"
        yield f"{text}, because it takes away what {they}: {listed(lacking)}."


def _of_proof(proof: ProofRan | None, weak: Container[str], *, mended: bool) -> Iterator[str]:
    """`mended`: a test that failed before shows what the change does, so that new ones need not. `weak` are those of
    which more is said elsewhere."""
    if proof and proof.problem:
        yield f"What the tests of the change do without it is not known: {proof.problem}."
    elif cases := [case for case in proof.cases if case.id not in weak] if proof else []:
        kinds = {case.without for case in cases}
        unclear = kinds & {Without.UNKNOWN, Without.UNSTEADY}
        if not (proves(cases) or (mended and kinds == {Without.MISSING})) or unclear:
            yield sentence(cases)


def _of_runs(evidence: Evidence) -> Iterator[str]:
    before, after, compared = evidence.before, evidence.after, evidence.compared
    if after is None or after.problem or not after.cases:
        return
    if evidence.setup_failed and not evidence.setup_needed:
        yield f"Set-up fails {when(evidence)}: {evidence.setup_failed}."
    if some := evidence.narrowed or after.some:
        yield f"Not all tests were run: {some}."
    if before is None:
        yield "What failed before the change is not known: the tests were not run there."
    elif before.problem and not (compared and compared.verdict is Verdict.INCOMPLETE):
        yield f"What failed before the change is not known: {before.problem}."
    if compared and compared.still_failing and not (before and before.problem):
        failing = compared.still_failing
        yield f"{counted(len(failing), 'test')} {fail(failing)} as before the change."
    if not after.by_case:
        yield only_exit_code(after.command)


def _of_coverage(coverage: CoverageMeasured | None) -> Iterator[str]:
    files = coverage.files if coverage and coverage.tool else ()
    executable = sum(len(file.executable) for file in files)
    ran = executable - sum(len(file.missed) for file in files)
    if ran < LEAST_COVERED * executable:
        yield f"The tests run only {ran:,} of {counted(executable, 'changed line')} that can be run."


def shows_nothing(evidence: Evidence) -> Iterator[str]:
    """That nothing shows what the change does. A test that fails before and passes now shows it, unless the
    same test passes without the change: then it is the test that changed."""
    cases = evidence.proof.cases if evidence.proof else ()
    fixed = evidence.compared.fixed if evidence.compared else ()
    if proves(cases) or len(fixed) > len(weakened(evidence)):
        return
    if any(case.without is Without.MISSING for case in cases):
        return  # they show a little, and how little is a remark of its own
    if evidence.proof and evidence.proof.problem:
        return  # it is not known, which is a remark as well
    if evidence.apart:
        yield "The change touches nothing but documents and settings of other tools."
        return
    text = "Nothing shows what the change does: no test fails without it and passes with it."
    if not cases and evidence.submitted and evidence.submitted.no_test:
        text += " The model gave a reason for adding none."
    yield text
