"""Runs as the notifications of tests hear of them."""

from datetime import UTC, datetime, timedelta

from seatrial.policy.notifications import Notification
from seatrial.runtime.events import ObjectiveJudged, ObjectiveStatus, Record, RunStarted, Where
from seatrial.telemetry.notifications.message import make_message
from seatrial.telemetry.notifications.notices import Notices

MET, VIOLATED, UNDECIDED = ObjectiveStatus.MET, ObjectiveStatus.VIOLATED, ObjectiveStatus.UNDECIDED
STARTED = RunStarted(
    run_id="0a1b2c", policy="p.yml", seed="7", server="https://127.0.0.1:6443", rounds=None, cluster="uid-1",
    context="staging",
)  # fmt: skip


def judged(status, previous=None, *, objective="p95 below 30 s", **more):
    """A judgement of an objective."""
    return ObjectiveJudged(
        objective=objective,
        status=status,
        text=f"{objective}: {status}",
        measurement="timeToReady",
        limit=30.0,
        confidence=0.95,
        window="24h",
        samples=120,
        previous=previous,
        estimate=31.5,
        lower=30.4,
        upper=33.0,
        **more,
    )


def record(event, number=1):
    """An event in a scenario's round."""
    begin = datetime(2030, 1, 1, tzinfo=UTC)
    return Record(number, begin + timedelta(seconds=number), float(number), Where(round=3, scenario="start"), event)


def notices_of(*events):
    """All that some events say, one after the other."""
    notices = Notices()
    return [each for number, event in enumerate(events, 1) for each in notices.of(record(event, number))]


def message(*events):
    """A message about some events, of a run that has started."""
    return make_message(notices_of(*(events or (judged(VIOLATED),))), run=STARTED, channel=1)


def webhook(url, **said):
    """A webhook as a policy has it."""
    said = {"url": url, **said} if url else said
    return Notification.model_validate({"webhook": said}, by_alias=True, by_name=False)
