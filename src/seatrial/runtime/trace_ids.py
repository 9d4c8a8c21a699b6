"""The ids of traces and their spans, worked out from the place in a run.

Who sends a request and who makes the trace agree on them without knowing each other. The header is that of W3C Trace
Context (https://www.w3.org/TR/trace-context/).

A run of a set number of rounds is one trace; of a run for ever, each round is one, since a trace that goes on for weeks
shows nobody anything.
"""

from hashlib import blake2s

from seatrial.runtime.events import Where


def trace_id(run_id: str, *, round_: int, by_round: bool) -> int:
    """The id of the trace that a round belongs to; round 0 is the run itself."""
    return _digest("trace", run_id, round_ if by_round else 0, size=16)


def span_id(run_id: str, where: Where) -> int:
    """The id of the span of a place: a step, else its scenario, else its round, else the run."""
    return _digest("span", run_id, where.round, where.scenario, "" if where.step is None else where.step, size=8)


def traceparent(run_id: str, where: Where, *, by_round: bool) -> str:
    """The header that makes what is done there a part of the run's trace."""
    return f"00-{trace_id(run_id, round_=where.round, by_round=by_round):032x}-{span_id(run_id, where):016x}-01"


def _digest(*parts: object, size: int) -> int:
    """Never 0, which is no valid id."""
    said = "\0".join(map(str, parts)).encode()
    return int.from_bytes(blake2s(said, digest_size=size).digest()) or 1
