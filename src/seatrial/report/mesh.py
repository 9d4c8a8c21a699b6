"""What goldpinger's instances saw of each other in a run, counted from the looks at their graph."""

from collections import Counter
from typing import Any

import msgspec

from seatrial.report.durations import duration
from seatrial.runtime.events import MeshSampled

_MOST_PAIRS = 1000


class MeshSummary(msgspec.Struct):
    """What the looks at the graph came to; times in seconds since the first kill of a round."""

    samples: int = 0
    with_failed_calls: int = 0
    # Looks in which no call failed, but fewer instances took part than in an earlier one.
    with_fewer_instances: int = 0
    most_instances: int = 0
    unanswered: int = 0
    fewest_ok: tuple[int, int] | None = None
    failed_pairs: Counter[str] = msgspec.field(default_factory=Counter)
    first_degraded_s: float | None = None
    last_degraded_s: float | None = None
    whole_at_end: bool | None = None
    # The slowest call that was answered, in milliseconds, before and after a scenario's first change.
    slowest_before_ms: float | None = None
    slowest_after_ms: float | None = None

    def add(self, sample: MeshSampled, *, since_kill_s: float | None, changed: bool) -> None:
        """Take in one look; `changed` tells whether its scenario has changed anything by then."""
        self.samples += 1
        if sample.error:
            self.unanswered += 1
            return
        self._add_slowest(sample.slowest_ms, changed=changed)
        self.whole_at_end = not sample.failed
        self.most_instances = max(self.most_instances, sample.instances)
        if not sample.failed:
            self.with_fewer_instances += sample.instances < self.most_instances
            return
        self.with_failed_calls += 1
        known = self.failed_pairs
        known.update(pair for pair in sample.failed if pair in known or len(known) < _MOST_PAIRS)
        ok = sample.pairs - len(sample.failed)
        if self.fewest_ok is None or ok < self.fewest_ok[0]:
            self.fewest_ok = (ok, sample.pairs)
        if since_kill_s is not None:
            first, last = self.first_degraded_s, self.last_degraded_s
            self.first_degraded_s = since_kill_s if first is None else min(first, since_kill_s)
            self.last_degraded_s = since_kill_s if last is None else max(last, since_kill_s)

    def _add_slowest(self, slowest_ms: float | None, *, changed: bool) -> None:
        if slowest_ms is None:
            return
        if changed:
            self.slowest_after_ms = max(self.slowest_after_ms or 0.0, slowest_ms)
        else:
            self.slowest_before_ms = max(self.slowest_before_ms or 0.0, slowest_ms)

    def as_json(self) -> dict[str, Any] | None:
        """The figures as `--output json` prints them; None without a single look."""
        if not self.samples:
            return None
        return {
            "samples": self.samples,
            "degraded": self.with_failed_calls + self.with_fewer_instances,
            "unanswered": self.unanswered,
            "fewestOk": list(self.fewest_ok) if self.fewest_ok else None,
            "failedPairs": dict(self.failed_pairs),
            "slowestMs": {"before": self.slowest_before_ms, "after": self.slowest_after_ms},
            "wholeAtEnd": self.whole_at_end,
        }

    def line(self) -> str:
        """The figures for people."""
        line = f"{self.samples} look{'' if self.samples == 1 else 's'} at goldpinger's graph, "
        if self.with_failed_calls and self.fewest_ok:
            line += f"{self.with_failed_calls} with failed calls "
            line += f"(at worst {self.fewest_ok[0]} of {self.fewest_ok[1]} succeeded"
            if self.first_degraded_s is not None and self.last_degraded_s is not None:
                line += f", from {self.first_degraded_s:.1f} s to {self.last_degraded_s:.1f} s after the kill"
            line += ")"
        else:
            line += "none with failed calls"
        if self.with_fewer_instances:
            line += f", {self.with_fewer_instances} with fewer instances"
        if self.unanswered:
            line += f", {self.unanswered} without an answer"
        line += self._slowest()
        if self.whole_at_end is not None:
            line += "; whole at the end" if self.whole_at_end else "; NOT whole at the end"
        return line

    def _slowest(self) -> str:
        if self.slowest_after_ms is None:
            return ""
        before = f"{duration(self.slowest_before_ms)} before, " if self.slowest_before_ms is not None else ""
        return f"; slowest call {before}{duration(self.slowest_after_ms)} after the first change"
