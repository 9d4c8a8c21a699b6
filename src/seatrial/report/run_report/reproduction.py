"""How to run something again: the command, with the seed that picks the same victims, and what it leaves unsaid."""

import shlex
from collections.abc import Iterator

from seatrial.report.run_report.model import Reproduction
from seatrial.storage.records import RunRecord

SANDBOX = "sandbox"
"""What a run's cluster is called where it was an embedded one (`RunStarted`)."""


def reproduction_of(run: RunRecord) -> Reproduction:
    """The command, in one line for a shell; an earlier seed gives way to that of the run."""
    command = run.command or shlex.join(["seatrial", "autonomous", "--policy-file", run.policy])
    if "--seed" not in command:
        command += f" --seed {shlex.quote(run.seed)}"
    return Reproduction(command=command, notes=tuple(_notes(run)))


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
