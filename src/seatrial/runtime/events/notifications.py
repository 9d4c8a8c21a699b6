"""Who was told of what happened, and who could not be."""

from seatrial.runtime.events.event import Event


class NotificationSent(Event, frozen=True, kw_only=True):
    """A channel of `config.notify` took a message, at the so many-th try; `answer` is what came back."""

    channel: str
    title: str
    notices: int
    attempts: int
    answer: str


class NotificationFailed(Event, frozen=True, kw_only=True):
    """A channel of `config.notify` did not take a message, after so many tries; the notices in it wait, or are `lost`.

    `again` tells that the message before it failed, too.
    """

    channel: str
    title: str
    notices: int
    attempts: int
    error: str
    lost: bool = False
    again: bool = False
