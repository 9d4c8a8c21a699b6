"""When a channel speaks: not too often, nothing twice, nothing lost."""

from msgspec.structs import replace

from seatrial.telemetry.notifications.pacing import MOST_WAITING, Pacing
from tests.telemetry.notifications.samples import VIOLATED, judged, notices_of

[NEWS] = notices_of(judged(VIOLATED))
AGAIN = replace(NEWS, reminder=True)


def pacing(*, remind=None, every=300.0):
    return Pacing(["violated"], at_most_every_seconds=every, remind_every_seconds=remind, now=0.0)


def test_what_nobody_asked_for_is_not_told():
    """Only the occasions under `on`."""
    paced = pacing()
    paced.take(replace(NEWS, occasion="finished"), now=0)
    assert paced.wait_seconds(now=0) is None


def test_what_happens_together_is_told_together():
    """The first message waits a second for what comes with it."""
    paced = pacing()
    paced.take(NEWS, now=10)
    paced.take(NEWS, now=10.5)
    assert paced.wait_seconds(now=10.5) == 0.5
    assert paced.release(now=11) == ([NEWS, NEWS], 0)


def test_after_a_message_the_channel_is_quiet_for_a_while():
    """What comes in that time waits for its end, and goes in one message."""
    paced = pacing()
    paced.take(NEWS, now=0)
    paced.release(now=1)
    paced.take(NEWS, now=50)
    paced.take(NEWS, now=200)
    assert paced.wait_seconds(now=200) == 101
    assert paced.release(now=301) == ([NEWS, NEWS], 0)


def test_reminders_come_when_asked_for():
    """Not before their time since the last word of it, of the first one or of a reminder."""
    paced = pacing(remind=3600)
    paced.take(NEWS, now=0)
    paced.release(now=1)
    for now, waits in [(60, 0), (3599, 0), (3600, 1), (3700, 1), (7200, 2)]:
        paced.take(AGAIN, now=now)
        assert paced.waiting == waits


def test_without_that_nobody_is_reminded():
    """Never, however long it lasts."""
    paced = pacing()
    paced.take(AGAIN, now=1e9)
    assert paced.waiting == 0


def test_what_an_earlier_run_told_is_repeated_in_its_time():
    """The time counts from the beginning of this run."""
    paced = pacing(remind=3600)
    paced.take(AGAIN, now=10)
    assert paced.waiting == 0
    paced.take(AGAIN, now=3600)
    assert paced.waiting == 1


def test_what_could_not_be_sent_goes_first_the_next_time():
    """In the order in which it happened, after the channel's pause."""
    paced = pacing()
    paced.take(NEWS, now=0)
    released, omitted = paced.release(now=1)
    later = replace(NEWS, title="later")
    paced.take(later, now=2)
    paced.give_back(released, omitted)
    assert paced.wait_seconds(now=2) == 299
    assert paced.release(now=301) == ([NEWS, later], 0)


def test_what_there_is_no_room_for_is_counted():
    """A channel that is deaf for weeks fills no memory, and is told how much it missed."""
    paced = pacing()
    for now in range(MOST_WAITING + 5):
        paced.take(NEWS, now=now)
    released, omitted = paced.release(now=1000)
    assert (len(released), omitted) == (MOST_WAITING, 5)
    paced.take(NEWS, now=1001)
    paced.give_back(released, omitted)
    assert paced.waiting == MOST_WAITING + 6
