"""One channel's messages on their way: sent when the channel may speak, tried again, kept where nobody takes them."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence

from seatrial.policy.notifications import Channel
from seatrial.policy.spans import parse_span
from seatrial.runtime.clock import Clock
from seatrial.runtime.events import Event, NotificationFailed, NotificationSent, RunStarted
from seatrial.telemetry.notifications.delivery import Carrier, DeliveryFailed
from seatrial.telemetry.notifications.message import Message, make_message
from seatrial.telemetry.notifications.notices import Notice
from seatrial.telemetry.notifications.pacing import Pacing

_log = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 60.0


class Outbox:
    """What one channel is told.

    Args:
        channel: what the policy says of it.
        carrier: takes the messages.
        number: its place in the policy, from 1.
        clock: what time it is.
        emit: is told what became of messages.
    """

    def __init__(
        self, channel: Channel, carrier: Carrier, *, number: int, clock: Clock, emit: Callable[[Event], None]
    ) -> None:
        self.carrier = carrier
        self._retries = channel.retries
        self._number = number
        self._clock = clock
        self._emit = emit
        self._run: RunStarted | None = None
        self._pacing = Pacing(
            channel.on,
            at_most_every_seconds=parse_span(channel.at_most_every),
            remind_every_seconds=parse_span(channel.remind_every) if channel.remind_every else None,
            now=clock.monotonic(),
        )
        self._stirred = asyncio.Event()
        self._is_closing = False
        self._has_failed = False

    def take(self, notice: Notice, *, run: RunStarted | None) -> None:
        """Take in a notice, to be sent when the channel may speak."""
        self._run = run or self._run
        self._pacing.take(notice, now=self._clock.monotonic())
        self._stirred.set()

    def finish(self) -> None:
        """What waits is sent at once, and `serve` returns after that."""
        self._is_closing = True
        self._stirred.set()

    async def serve(self) -> None:
        """Send what is there to send, until `finish`; a channel that fails hurts nobody else."""
        while True:
            seconds = self._pacing.wait_seconds(now=self._clock.monotonic())
            if self._is_closing and seconds is None:
                return
            if seconds is None or (seconds > 0 and not self._is_closing):
                await self._stir(seconds)
                continue
            is_last = self._is_closing
            if not await self._send(is_last=is_last) and is_last:
                return

    def give_up(self) -> None:
        """Nobody waits any more: say what is lost."""
        if self._pacing.waiting:
            notices, omitted = self._pacing.release(now=self._clock.monotonic())
            self._failed(self._message(notices, omitted), len(notices) + omitted, "the run has ended", lost=True)

    async def _stir(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stirred.wait()
        except TimeoutError:
            return
        self._stirred.clear()

    async def _send(self, *, is_last: bool) -> bool:
        notices, omitted = self._pacing.release(now=self._clock.monotonic())
        message, count = self._message(notices, omitted), len(notices) + omitted
        attempts = 0
        try:
            while True:
                attempts += 1
                try:
                    answer = await self.carrier.deliver(message)
                    break
                except DeliveryFailed as error:
                    if attempts > self._retries or not error.may_pass:
                        is_lost = is_last or error.is_hopeless
                        if not is_lost:
                            self._pacing.give_back(notices, omitted)
                        self._failed(message, count, str(error), attempts=attempts, lost=is_lost)
                        return False
                    await self._clock.sleep(_pause(attempts, error.retry_after_seconds))
        except asyncio.CancelledError:
            self._pacing.give_back(notices, omitted)
            raise
        except Exception as error:  # noqa: BLE001 -- a defect here must not end what tells of others
            _log.exception("a notification broke")
            self._failed(message, count, f"it broke: {type(error).__name__}", attempts=attempts, lost=True)
            return False
        self._has_failed = False
        sent = NotificationSent(
            channel=self.carrier.name, title=message.title, notices=count, attempts=attempts, answer=answer
        )
        self._emit(sent)
        return True

    def _message(self, notices: Sequence[Notice], omitted: int) -> Message:
        return make_message(notices, run=self._run, channel=self._number, omitted=omitted)

    def _failed(self, message: Message, count: int, error: str, *, attempts: int = 0, lost: bool) -> None:
        again, self._has_failed = self._has_failed, True
        self._emit(
            NotificationFailed(
                channel=self.carrier.name,
                title=message.title,
                notices=count,
                attempts=attempts,
                error=error,
                lost=lost,
                again=again,
            )
        )


def _pause(attempts: int, retry_after_seconds: float) -> float:
    """Twice as long each time, by chance a little more, so that many who failed together don't return together."""
    growing = min(_FIRST_PAUSE_SECONDS * 2.0 ** (attempts - 1), _LONGEST_PAUSE_SECONDS)
    return max(growing * random.uniform(1, 1.25), min(retry_after_seconds, _LONGEST_PAUSE_SECONDS))  # noqa: S311
