"""The samples of a probe through a round, counted in buckets: as many as a picture has room for."""

import msgspec

from seatrial.report.run_report.model import ProbeBucket
from seatrial.runtime.events import SampleTaken

_BUCKETS = 240
_FIRST_WIDTH_SECONDS = 0.05


class _Bucket(msgspec.Struct):
    succeeded: int = 0
    failed: int = 0
    unseen: int = 0
    slowest_ms: float | None = None

    def add(self, other: "_Bucket") -> None:
        self.succeeded += other.succeeded
        self.failed += other.failed
        self.unseen += other.unseen
        times = [each for each in (self.slowest_ms, other.slowest_ms) if each is not None]
        self.slowest_ms = max(times) if times else None


class Lane:
    """Samples in buckets of one width, which doubles whenever there are too many."""

    def __init__(self) -> None:
        self._width = _FIRST_WIDTH_SECONDS
        self._buckets: dict[int, _Bucket] = {}

    def add(self, at: float, sample: SampleTaken) -> None:
        """Take in a sample, due so many seconds after the round began."""
        while at >= self._width * _BUCKETS:
            self._double()
        one = _Bucket(slowest_ms=sample.latency_ms)
        one.succeeded += sample.result == "ok"
        one.failed += sample.result == "failed"
        one.unseen += sample.result == "unseen"
        self._buckets.setdefault(int(at / self._width), _Bucket()).add(one)

    def _double(self) -> None:
        self._width *= 2
        halves, self._buckets = self._buckets, {}
        for number, bucket in halves.items():
            self._buckets.setdefault(number // 2, _Bucket()).add(bucket)

    def told(self) -> tuple[ProbeBucket, ...]:
        """The buckets that have samples, in order."""
        return tuple(
            ProbeBucket(
                start_seconds=round(number * self._width, 3),
                end_seconds=round((number + 1) * self._width, 3),
                succeeded=each.succeeded,
                failed=each.failed,
                unseen=each.unseen,
                slowest_ms=each.slowest_ms,
            )
            for number, each in sorted(self._buckets.items())
        )
