from datetime import UTC, datetime

import pytest

from seatrial.policy.measurement_names import BUILT_IN
from seatrial.runtime.events import (
    MeasurementMissed,
    MeasurementTaken,
    MoveMissed,
    PodMoved,
    PodRecovered,
    PodRef,
    Record,
    RecoveryMissed,
    ScenarioFinished,
    Where,
)
from seatrial.runtime.verdict import Verdict
from seatrial.slo.measurements import MEANINGS, measurements_of

OLD = PodRef(namespace="shop", name="old", uid="1")
NEW = PodRef(namespace="shop", name="new", uid="2")


def meant(event):
    """The measurements of an event, by name: seconds and whether they are a lower bound."""
    found = list(measurements_of(Record(1, datetime.now(UTC), 1.0, Where(), event)))
    assert len({each.name for each in found}) == len(found)
    return {each.name: (pytest.approx(each.value), each.is_lower_bound) for each in found}


def finished(verdict):
    return ScenarioFinished(name="s", verdict=verdict, reasons=(), duration_ms=1.0)


CASES = [
    (MeasurementTaken(name="mine", of="x", seconds=1.5), {"mine": (1.5, False)}),
    (MeasurementTaken(name="mine", of="x", seconds=1.5, is_lower_bound=True), {"mine": (1.5, True)}),
    (
        MeasurementTaken(name="nodeNotReady", of="n", seconds=40.0),
        {"nodeNotReady": (40.0, False), "timeToDetect": (40.0, False)},
    ),
    (
        PodRecovered(
            pod=OLD, replacement=NEW, gone_ms=50, created_ms=100, scheduled_ms=200, running_ms=300, ready_ms=400
        ),
        {
            "timeToGone": (0.05, False),
            "timeToReplace": (0.1, False),
            "timeToSchedule": (0.2, False),
            "timeToStart": (0.3, False),
            "timeToRecover": (0.4, False),
        },
    ),
    (
        PodRecovered(
            pod=OLD, replacement=NEW, gone_ms=None, created_ms=100, scheduled_ms=None, running_ms=None, ready_ms=400
        ),
        {"timeToReplace": (0.1, False), "timeToRecover": (0.4, False)},
    ),
    (
        RecoveryMissed(pod=OLD, reason="r", waited_ms=60_000, gone_ms=50, created_ms=100),
        {
            "timeToGone": (0.05, False),
            "timeToReplace": (0.1, False),
            "timeToSchedule": (60.0, True),
            "timeToStart": (60.0, True),
            "timeToRecover": (60.0, True),
        },
    ),
    (RecoveryMissed(pod=OLD, reason="r"), {}),
    (
        PodMoved(
            pod=OLD, replacement=NEW, from_node="a", to_node="b", evicted_ms=1.0, created_ms=300.0, ready_ms=900.0
        ),
        {"timeToReplace": (0.3, False), "timeToRecover": (0.9, False)},
    ),
    (MoveMissed(pod=OLD, waited_ms=60_000), {"timeToReplace": (60.0, True), "timeToRecover": (60.0, True)}),
    (
        MoveMissed(pod=OLD, waited_ms=60_000, created_ms=300),
        {"timeToReplace": (0.3, False), "timeToRecover": (60.0, True)},
    ),
    (finished(Verdict.PASSED), {"passed": (1.0, False)}),
    (finished(Verdict.FAILED), {"passed": (0.0, False)}),
    (finished(Verdict.INCONCLUSIVE), {}),
    (MeasurementMissed(name="timeToReady", of="x", reason="forbidden"), {}),
]


@pytest.mark.parametrize(
    ("event", "expected"), CASES, ids=[f"{type(event).__name__}-{number}" for number, (event, _) in enumerate(CASES)]
)
def test_what_an_event_means(event, expected):
    """Seconds by the names of the measurements; what did not come in time is a lower bound, never left out."""
    assert meant(event) == expected


def test_every_built_in_measurement_is_explained():
    """What objectives may name is what the reference tells of, no more and no less."""
    assert set(MEANINGS) == set(BUILT_IN)
