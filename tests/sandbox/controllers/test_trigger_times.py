"""When the change happened that endpoints are written for."""

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.service_pods import TriggerTimes

KEY = ("default", "web")
SERVICE: Object = {"metadata": {"creationTimestamp": "2030-01-01T12:00:00Z"}}


def pod(*, ready: bool, since: str) -> Object:
    """A pod that has been ready, or not, since then."""
    condition = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since}
    return {"metadata": {"uid": "u"}, "status": {"conditions": [condition]}}


def test_a_service_counts_from_its_creation() -> None:
    """The first endpoints of a Service are for the Service itself."""
    assert TriggerTimes().of(KEY, SERVICE, []) == "2030-01-01T12:00:00Z"


def test_a_pod_that_becomes_ready_within_the_second_counts() -> None:
    """Transitions are told in seconds: a quick one is seen by its outcome."""
    times = TriggerTimes()
    times.of(KEY, SERVICE, [pod(ready=False, since="2030-01-01T12:00:05Z")])
    assert times.of(KEY, SERVICE, [pod(ready=True, since="2030-01-01T12:00:05Z")]) == "2030-01-01T12:00:05Z"


def test_what_has_no_time_of_its_own_gives_none() -> None:
    """A pod's end, or nothing new at all."""
    times = TriggerTimes()
    known = [pod(ready=True, since="2030-01-01T12:00:05Z")]
    times.of(KEY, SERVICE, known)
    assert times.of(KEY, SERVICE, known) is None
    assert times.of(KEY, SERVICE, []) is None
