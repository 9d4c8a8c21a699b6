"""An API server that is slow or fails now and then, for testing clients.

Each request over HTTPS is held up for the latency (plus or minus the jitter), and a share of them is answered with an
error instead of being carried out: 500, or 429 with Retry-After, as a server under too much load answers. Requests of
the sandbox's own control are left alone, so that a disturbance can always be taken back.
"""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Final

from seatrial.sandbox.api import ApiError
from seatrial.sandbox.apiserver.statuses import failure
from seatrial.sandbox.disturbance import CALM, Disturbance

_RETRY_AFTER_SECONDS: Final = 1


@dataclass
class Disturber:
    """Makes requests suffer what is set."""

    disturbance: Disturbance = CALM
    randomness: random.Random = field(default_factory=random.Random)

    async def pass_through(self) -> None:
        """Let one request suffer; raises `ApiError` for one that is to fail."""
        suffered = self.disturbance
        if suffered == CALM:
            return
        if suffered.latency_seconds:
            spread = self.randomness.uniform(-suffered.jitter_seconds, suffered.jitter_seconds)
            await asyncio.sleep(suffered.latency_seconds + spread)
        if self.randomness.random() < suffered.error_rate:
            raise _error(suffered.status)


def _error(status: int) -> ApiError:
    texts = {
        429: ("TooManyRequests", "Too many requests, please try again later."),
        500: ("InternalError", "Internal error occurred: the sandbox was asked to fail"),
        503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
        504: ("Timeout", "Timeout: request did not complete within the allotted timeout"),
    }
    headers = {"Retry-After": str(_RETRY_AFTER_SECONDS)} if status == 429 else None
    return failure(status, *texts[status], headers=headers)
