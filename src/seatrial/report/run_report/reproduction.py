"""How to run something again: the command, with the seed that picks the same victims, and what it leaves unsaid."""

import shlex
from collections.abc import Iterable, Iterator

from seatrial.report.run_report.model import Reproduction
from seatrial.storage.records import RunRecord

SANDBOX = "sandbox"
"""What a run's cluster is called where it was an embedded one (`RunStarted`)."""


def reproduction_of(run: RunRecord) -> Reproduction:
    """The command, in one line for a shell: with the seed of the run, and without reports, which it would overwrite."""
    words = shlex.split(run.command) if run.command else ["seatrial", "autonomous", "--policy-file", run.policy]
    words = list(_without_reports(words))
    if not any(each == "--seed" or each.startswith("--seed=") for each in words):
        words += ["--seed", run.seed]
    return Reproduction(command=shlex.join(words), notes=tuple(_notes(run)))


def _without_reports(words: Iterable[str]) -> Iterator[str]:
    rest = iter(words)
    for each in rest:
        if each == "--report":
            next(rest, None)
        elif not each.startswith("--report="):
            yield each


def _notes(run: RunRecord) -> Iterator[str]:
    if run.cluster == SANDBOX:
        yield "it ran on an embedded cluster of its own"
    else:
        where = f"{run.server} (context {run.context})" if run.context else run.server
        yield f"it ran on {where}: the same seed picks the same victims as long as the cluster is the same"
    if run.plan:
        yield f"it was held to the saved plan {run.plan}"
    if run.redacted:
        yield "secrets in the policy are left out here: have them in the file"
