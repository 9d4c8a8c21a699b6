"""What an event means to a person who did something by hand: the account of a run, without what that person knows.

The plan has shown what would be hit, and the command tells what came of it in the end. Of probes there is more: a
person who asks whether something answers wants to know how fast, and what took the time.
"""

import dataclasses
import statistics
from collections.abc import Sequence

from msgspec.structs import replace

from seatrial.by_hand.command_outputs import CommandOutputs
from seatrial.policy.wording import counted
from seatrial.report.account import Account, Line
from seatrial.runtime.events import (
    GuardrailHeld,
    NodesChosen,
    ProbeSampled,
    Record,
    RoundStarted,
    RunStarted,
    ScenarioFinished,
    ScenarioStarted,
    StepFinished,
    StepStarted,
    TargetsChosen,
    TargetsFiltered,
    TargetsMatched,
    UndoWritten,
)

_KNOWN = (
    RunStarted, RoundStarted, ScenarioStarted, ScenarioFinished, StepStarted, StepFinished,
    TargetsMatched, TargetsFiltered, TargetsChosen, NodesChosen, GuardrailHeld, UndoWritten,
)  # fmt: skip
_DEPTH_OF_A_STEP = 2


class HandAccount:
    """Turns the events of a session by hand into lines, which begin where those of commands begin."""

    def __init__(self) -> None:
        self._account = Account()
        self._outputs = CommandOutputs()
        self._probes: list[ProbeSampled] = []

    def lines(self, record: Record) -> list[Line]:
        """What there is to say about an event; often nothing."""
        # Nothing is sampled beside what a person does: to the account, all of it is a step's.
        in_a_step = replace(record, where=replace(record.where, step=record.where.step or 0))
        lines = self._account.lines(in_a_step)  # asked always: it counts what it has shown of each step
        match record.event:
            case StepStarted():
                self._probes.clear()
            case StepFinished() if len(self._probes) > 1:
                return [Line(0, "probes", _in_short(self._probes), "dim")]
            case ProbeSampled() as probe:
                self._probes.append(probe)
                lines = [dataclasses.replace(line, text=line.text + _parts(probe)) for line in lines]
        if isinstance(record.event, _KNOWN):
            return []
        if (outputs := self._outputs.lines(record.event)) is not None:
            return outputs
        return [dataclasses.replace(line, depth=max(0, line.depth - _DEPTH_OF_A_STEP)) for line in lines]


def _parts(probe: ProbeSampled) -> str:
    """What took the time of a request, as far as it can be seen."""
    moments = (
        ("connected", probe.connect_ms),
        ("TLS", probe.tls_ms),
        ("first byte after", probe.first_byte_ms),
    )
    said = ", ".join(f"{word} {ms:.1f} ms" for word, ms in moments if ms is not None)
    return f": {said}" if said else ""


def _in_short(probes: Sequence[ProbeSampled]) -> str:
    good = sum(probe.ok for probe in probes)
    words = f"{counted(len(probes), 'probe')}, {'all' if good == len(probes) else good} as expected"
    times = [probe.latency_ms for probe in probes if probe.latency_ms is not None]
    if not times:
        return words
    return f"{words}: {statistics.median(times):.1f} ms in the middle, {min(times):.1f} to {max(times):.1f} ms"
