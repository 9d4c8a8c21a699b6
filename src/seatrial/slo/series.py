"""A series: the values of one measurement over the runs of a scenario, and where they come from.

The statistics and judgements know nothing of how runs are kept; a store gives them series.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from seatrial.runtime.events import ObjectiveJudged


class SeriesKey(msgspec.Struct, frozen=True, kw_only=True):
    """Which series: the scenario of a policy on a cluster.

    `digest` is that of what the scenario does: once its steps are changed, what was measured before is of another
    experiment.
    """

    cluster: str
    policy: str
    scenario: str
    digest: str


class Point(msgspec.Struct, frozen=True):
    """One value: seconds, or 1 and 0 for yes and no; `at` is Unix time.

    With `is_lower_bound` it took longer than anybody waited: the true value is larger (right-censored).
    """

    value: float
    at: float
    run_id: str = ""
    round: int = 0
    is_lower_bound: bool = False


class Count(msgspec.Struct, frozen=True):
    """How many samples were good and bad in a scenario run, or in a minute; `at` is Unix time, of its beginning."""

    good: int
    bad: int
    at: float
    run_id: str = ""
    round: int = 0


class SeriesSource(Protocol):
    """What keeps series. The methods block; they may be called from any thread.

    With `last` they give what belongs to the last so many runs of the scenario, with `since` what is not older (Unix
    time); in the order of time.

    Raises:
        StateError: it can't be read, or what belongs to the window could not be kept as a whole.
    """

    def points(
        self, key: SeriesKey, measurement: str, *, since: float | None = None, last: int | None = None
    ) -> Sequence[Point]:
        """The values of a measurement; `passed` gives a 1 or a 0 for each run of the scenario."""
        ...

    def counts(
        self, key: SeriesKey, probe: str | None, *, since: float | None = None, last: int | None = None
    ) -> Sequence[Count]:
        """Samples of a steady state's probe (of all, with None), a row for each run of the scenario."""
        ...

    def minutes(self, key: SeriesKey, probe: str | None, *, since: float) -> Sequence[Count]:
        """Samples of a steady state's probe (of all, with None), a row for each minute."""
        ...


class History(SeriesSource, Protocol):
    """Keeps what was judged, too."""

    def judgements(self, key: SeriesKey, *, most: int = 100) -> Sequence[tuple[float, ObjectiveJudged]]:
        """The latest judgements of the objectives of a series, with their times, the oldest first."""
        ...
