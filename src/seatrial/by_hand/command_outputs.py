"""What commands on machines write, for who has run them by hand: all of it, node by node, not the end of it.

Several machines write at the same time. So the lines of each are kept until its command ends, and told together.
"""

from collections import defaultdict

from seatrial.report.account import Line, Tone
from seatrial.report.durations import duration
from seatrial.runtime.events import CommandExecuted, CommandOutput, Event


class CommandOutputs:
    """Turns the events of commands on machines into lines."""

    def __init__(self) -> None:
        self._lines: defaultdict[str, list[str]] = defaultdict(list)

    def lines(self, event: Event) -> list[Line] | None:
        """A node's name, how its command ended and what it wrote; None of events of another kind."""
        match event:
            case CommandOutput(id=node, line=line):
                self._lines[node].append(line)
                return []
            case CommandExecuted(id=node):
                # Where the way there tells no lines, the end of the output is what there is.
                lines = self._lines.pop(node, None) or event.output.splitlines()
                return [_end(event), *(Line(0, "", line.expandtabs(), verbatim=True) for line in lines)]
        return None


def _end(ended: CommandExecuted) -> Line:
    if ended.exit_code is None:
        return Line(0, ended.name, f"no exit code: {ended.error}", "bad")  # whether it ran is not always known
    tone: Tone = "bad" if ended.exit_code else "dim"
    return Line(0, ended.name, f"exit code {ended.exit_code}, in {duration(ended.duration_ms)}", tone)
