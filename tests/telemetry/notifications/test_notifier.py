"""Telling a run's channels beside the run: tried again, held back, never lost without a word, never in the way."""

import asyncio
import logging
from contextlib import asynccontextmanager

import pytest

from seatrial.errors import ConfigurationError
from seatrial.runtime.clock import SystemClock
from seatrial.runtime.events import EventStream, NotificationFailed, NotificationSent, Where
from seatrial.telemetry.notifications import notifier, outbox, pacing
from seatrial.telemetry.notifications.notifier import notifying
from tests.telemetry.notifications.receivers import hang, receiving, status
from tests.telemetry.notifications.samples import MET, STARTED, VIOLATED, judged, webhook

WHERE = Where(round=1, scenario="start")


@pytest.fixture(autouse=True)
def _little_time(monkeypatch):
    """What is told together comes within moments here, and pauses between tries are short."""
    monkeypatch.setattr(pacing, "_GATHERING_SECONDS", 0.05)
    monkeypatch.setattr(outbox, "_FIRST_PAUSE_SECONDS", 0.01)


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 -- what another thread or task finds out, nobody announces
            await asyncio.sleep(0.01)


class Run:
    """A run that something is told of."""

    def __init__(self):
        self.stream = EventStream(SystemClock())
        self.outcomes = []
        self.stream.subscribe(self._hear)
        self.hurry = asyncio.Event()

    def _hear(self, record):
        if isinstance(record.event, NotificationSent | NotificationFailed):
            self.outcomes.append(record.event)

    def happens(self, *events):
        for event in events:
            self.stream.publish(event, WHERE)

    @asynccontextmanager
    async def telling(self, *channels):
        async with notifying(channels, events=self.stream, clock=SystemClock(), hurry=self.hurry) as telling:
            self.happens(STARTED)
            yield telling
        await self.stream.close()

    async def told(self, number):
        """Returns when so many messages have come to something."""
        await until(lambda: len(self.outcomes) >= number)
        return self.outcomes[number - 1]


async def test_who_is_to_be_told_is_told_while_the_run_lasts():
    """A violation comes within moments, and what came back is an event of the run."""
    run = Run()
    async with receiving() as receiver:
        async with run.telling(webhook(receiver.url, name="on call")):
            run.happens(judged(VIOLATED, MET))
            call = await receiver.called()
            sent = await run.told(1)
        assert call.json["title"] == "Violated: start: p95 below 30 s"
        assert call.json["run"]["id"] == "0a1b2c"
        assert sent == NotificationSent(
            channel="on call", title=call.json["title"], notices=1, attempts=1, answer="200 thanks"
        )


async def test_what_is_held_back_comes_in_one_message_at_the_end_at_the_latest():
    """The first at once; what follows too soon waits, and the end of the run loses none of it."""
    run = Run()
    async with receiving() as receiver:
        async with run.telling(webhook(receiver.url, atMostEvery="1h")):
            run.happens(judged(VIOLATED, MET))
            await receiver.called()
            run.happens(judged(MET, VIOLATED), judged(VIOLATED, objective="b"), judged(MET, objective="b"))
        first, digest = receiver.calls
        assert first.json["occasions"] == ["violated"]
        assert digest.json["occasions"] == ["recovered", "violated"]
        assert [each["occasion"] for each in digest.json["notices"]] == ["recovered", "violated", "recovered"]


async def test_each_channel_hears_what_it_wants():
    """One wants violations, one wants to hear of runs."""
    run = Run()
    async with receiving() as alerts, receiving() as runs:
        async with run.telling(webhook(alerts.url), webhook(runs.url, on=["started"])):
            run.happens(judged(VIOLATED, MET))
        assert [each.json["occasions"] for each in alerts.calls] == [["violated"]]
        assert [each.json["occasions"] for each in runs.calls] == [["started"]]


async def test_a_receiver_that_fails_is_tried_again_with_the_same_message():
    """The same id and body, until it is taken."""
    run = Run()
    async with receiving(status(500), status(429), status(200)) as receiver:
        async with run.telling(webhook(receiver.url)):
            run.happens(judged(VIOLATED, MET))
            sent = await run.told(1)
        assert (sent.attempts, len(receiver.calls)) == (3, 3)
        assert len({(each.headers["webhook-id"], each.body) for each in receiver.calls}) == 1


async def test_what_could_not_be_told_comes_with_the_next_message():
    """A receiver that is down for a while hears everything when it is back; the trouble is said."""
    run = Run()
    async with receiving(status(500), status(500), status(200)) as receiver:
        async with run.telling(webhook(receiver.url, retries=0, atMostEvery="0.1s")):
            run.happens(judged(VIOLATED, MET))
            sent = await run.told(3)
            assert len({call.headers["webhook-id"] for call in receiver.calls}) == 1
            assert (sent.notices, receiver.calls[-1].json["occasions"]) == (1, ["violated"])
        failures = [each for each in run.outcomes if isinstance(each, NotificationFailed)]
        assert [(each.error, each.again, each.lost) for each in failures] == [
            ("answered 500", False, False),
            ("answered 500", True, False),
        ]


async def test_a_message_that_nobody_will_ever_take_does_not_hold_up_the_next():
    """Too large, or of a form that the receiver does not know: it is said to be lost, and the next one is sent."""
    run = Run()
    async with receiving(status(413), status(200)) as receiver:
        async with run.telling(webhook(receiver.url, atMostEvery="0.1s")):
            run.happens(judged(VIOLATED, MET))
            refused = await run.told(1)
            run.happens(judged(MET, VIOLATED))
            await run.told(2)
        assert (refused.error, refused.lost, refused.attempts) == ("answered 413", True, 1)
        assert receiver.calls[1].json["occasions"] == ["recovered"]


async def test_what_is_lost_at_the_end_is_said():
    """A receiver that never takes anything: the last word about it says that it is lost."""
    run = Run()
    async with receiving(status(404)) as receiver, run.telling(webhook(receiver.url)):
        run.happens(judged(VIOLATED, MET))
        await run.told(1)
    assert (run.outcomes[-1].lost, run.outcomes[-1].notices) == (True, 1)


async def test_a_receiver_that_hangs_holds_up_the_end_no_longer_than_said(monkeypatch):
    """The run ends all the same, and what it could not tell is said to be lost."""
    monkeypatch.setattr(notifier, "_LAST_SECONDS", 0.2)
    run = Run()
    async with asyncio.timeout(30), receiving(hang) as receiver, run.telling(webhook(receiver.url, timeout=60)):
        run.happens(judged(VIOLATED, MET))
        await receiver.called()
    [failed] = run.outcomes
    assert (failed.lost, failed.error) == (True, "the run has ended")


async def test_somebody_in_a_hurry_waits_for_nobody():
    """A second Ctrl-C ends the waiting at once."""
    run = Run()
    async with asyncio.timeout(15), receiving(hang) as receiver, run.telling(webhook(receiver.url, timeout=60)):
        run.happens(judged(VIOLATED, MET))
        await receiver.called()
        run.hurry.set()
    assert run.outcomes[-1].lost


async def test_a_dead_channel_keeps_nobody_else_waiting():
    """One hangs, the other is told."""
    run = Run()
    async with receiving(hang) as dead, receiving() as alive, run.telling(webhook(dead.url), webhook(alive.url)):
        run.happens(judged(VIOLATED, MET))
        await alive.called()
        run.hurry.set()


async def test_another_policy_may_tell_others():
    """Channels of a policy that was changed take over; those before hear what waited for them, and no more."""
    run = Run()
    async with receiving() as old, receiving() as new:
        async with run.telling(webhook(old.url, atMostEvery="1h")) as telling:
            run.happens(judged(VIOLATED, MET))
            await old.called()
            run.happens(judged(MET, VIOLATED))
            await until(lambda: telling._outboxes[0][0]._pacing.waiting)
            await telling.use([webhook(new.url)])
            await old.called(2)
            run.happens(judged(VIOLATED, MET))
            assert (await new.called()).json["occasions"] == ["violated"]
        assert len(old.calls) == 2


async def test_channels_that_can_not_be_used_leave_those_before():
    """A policy that was changed for the worse is refused, and who was told before is told still."""
    run = Run()
    async with receiving() as receiver, run.telling(webhook(receiver.url)) as telling:
        with pytest.raises(ConfigurationError):
            await telling.use([webhook(None, urlFrom={"env": "NOWHERE_TO_BE_FOUND"})])
        run.happens(judged(VIOLATED, MET))
        await receiver.called()


async def test_a_defect_hurts_no_run(caplog):
    """A channel that breaks is logged, its message is said to be lost, and the next one is told again."""
    run = Run()
    async with receiving() as receiver, run.telling(webhook(receiver.url, atMostEvery="0.1s")) as telling:
        carrier = telling._outboxes[0][0].carrier
        whole, carrier.deliver = carrier.deliver, None
        with caplog.at_level(logging.ERROR):
            run.happens(judged(VIOLATED, MET))
            broken = await run.told(1)
        carrier.deliver = whole
        assert (broken.error, broken.lost) == ("it broke: TypeError", True)
        assert "a notification broke" in caplog.text
        run.happens(judged(MET, VIOLATED))
        await receiver.called()


async def test_channels_that_lack_something_are_refused_before_anybody_is_told():
    """The run does not begin."""
    run = Run()
    async with receiving() as receiver:
        missing = webhook(None, urlFrom={"env": "NOWHERE_TO_BE_FOUND"})
        with pytest.raises(ConfigurationError):
            async with run.telling(webhook(receiver.url, on=["started"]), missing):
                pass
        await run.stream.close()
        assert receiver.calls == []


async def test_channels_of_a_policy_that_changed_know_the_run():
    """Who is told for the first time in the middle of a run is told which run it is."""
    run = Run()
    async with receiving() as receiver:
        telling = notifying(
            [webhook(receiver.url)], events=run.stream, clock=SystemClock(), hurry=run.hurry, begun=[STARTED]
        )
        async with telling:
            run.happens(judged(VIOLATED, MET))
        await run.stream.close()
        assert receiver.calls[0].json["run"]["id"] == "0a1b2c"
