"""A message to try out a channel with: in the form of a real one, and it says that it is none."""

import uuid
from datetime import UTC, datetime

from seatrial.runtime.events import (
    BudgetState,
    ObjectiveJudged,
    ObjectiveStatus,
    Record,
    RunStarted,
    Where,
)
from seatrial.telemetry.notifications.message import Message, make_message
from seatrial.telemetry.notifications.notices import Notices


def trial_message(policy: str, *, channel: int) -> Message:
    """A made-up violation; each has an id of its own, so that no receiver takes it for one that it has had."""
    run = RunStarted(
        run_id=f"test-{uuid.uuid4().hex[:12]}", policy=policy, seed="0", server="https://test.invalid", rounds=1
    )
    judged = ObjectiveJudged(
        objective="this is only a test",
        status=ObjectiveStatus.VIOLATED,
        text="This is a test of Seatrial's notifications; nothing is wrong.",
        measurement="test",
        limit=30.0,
        confidence=0.95,
        window="24h",
        samples=100,
        estimate=31.0,
        lower=30.5,
        upper=32.0,
        budget=BudgetState(target=0.99, good=90, bad=10, left=-9.0, burn_rates={"1h": 10.0}),
    )
    record = Record(1, datetime.now(UTC), 0.0, Where(round=1, scenario="test"), judged)
    return make_message(list(Notices().of(record)), run=run, channel=channel)
