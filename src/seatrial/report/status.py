"""What `seatrial status` found, in words."""

from collections.abc import Iterator, Mapping
from typing import Any

from seatrial.policy.wording import counted, printable
from seatrial.runtime.halt import halt_in_words


def status_lines(status: Mapping[str, Any]) -> list[str]:
    """The status for people: a heading and what it says, a line each."""
    return [printable(f"{heading:<9} {text}".rstrip()) for heading, text in _rows(status)]


def _rows(status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "version", status["version"]
    yield "cluster", status["server"] or "none"
    yield "halted", _halted(status)
    if not status["runs"]:
        yield "runs", "none at work, nothing left to undo"
    for run in status["runs"]:
        undos = f"{counted(run['openUndos'], 'change')} {'kept' if run['kept'] else 'to undo'}"
        yield "run", f"{run['run']} of {run['policy']} on {run['server']}, {undos}: {run['seen']}"
    if any(run["state"] == "dead" and not run["kept"] for run in status["runs"]):
        yield "", "undo what is left: seatrial recover"
    for run in status["runs"]:
        if run["state"] == "dead" and run["kept"]:
            yield "", f"take back what is kept: seatrial recover --run {run['run']}"
    yield "journal", status["journal"]


def _halted(status: Mapping[str, Any]) -> str:
    if status["error"]:
        return f"not known: {status['error']}"
    if not status["halted"]:
        return f"no (namespace {status['haltNamespace']})"
    return f"yes, {halt_in_words(**status['halt'])}; lift it: seatrial resume"
