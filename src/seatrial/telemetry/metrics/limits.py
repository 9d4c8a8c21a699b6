"""How many series a metric may have: pods come and go as long as a run lasts, and monitoring has to hold them all."""

from seatrial.telemetry.metrics.table import OPEN_ENDED_LABELS, Change, Metric, Sample


class Limits:
    """Bounds the number of series of each metric.

    The first `most` combinations of a metric's labels keep their names. Those that come later are counted together, as
    `other`: first in the last label only (which pod), then (after as many again) in all, so that sums stay right.
    Levels can't be counted together: those beyond the bound are left out, and one that ends makes room.
    """

    OTHER = "other"

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        self._seen: dict[str, set[tuple[str, ...]]] = {}

    def apply(self, change: Change) -> Change | None:
        """The change with labels that are within the bounds; None where there is no room for it."""
        metric = change.metric
        if isinstance(change, Sample):
            return Sample(metric, self._kept(metric, change.labels), change.value)
        seen = self._seen.setdefault(metric.name, set())
        if change.value is None:
            seen.discard(change.labels)
            return change
        if change.labels not in seen and len(seen) >= self._most:
            return None
        seen.add(change.labels)
        return change

    def _kept(self, metric: Metric, labels: tuple[str, ...]) -> tuple[str, ...]:
        open_ended = [index for index, label in enumerate(metric.labels) if label in OPEN_ENDED_LABELS]
        if not open_ended:
            return labels
        seen = self._seen.setdefault(metric.name, set())
        without_last = _replaced(labels, open_ended[-1:], self.OTHER)
        for candidate, most in ((labels, self._most), (without_last, 2 * self._most)):
            if candidate in seen or len(seen) < most:
                seen.add(candidate)
                return candidate
        return _replaced(labels, open_ended, self.OTHER)


def _replaced(labels: tuple[str, ...], indexes: list[int], value: str) -> tuple[str, ...]:
    return tuple(value if index in indexes else label for index, label in enumerate(labels))
