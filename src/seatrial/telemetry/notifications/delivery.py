"""What every way of telling somebody answers: what came back, or why it could not be told."""

from typing import Protocol

from seatrial.telemetry.notifications.message import Message


class DeliveryFailed(Exception):  # noqa: N818 -- it says what happened
    """A message was not taken; `may_pass` tells whether it may be taken a moment later.

    `is_hopeless` tells that it never will be, whatever somebody puts right: what is wrong is the message itself.
    `retry_after_seconds` is what the receiver asks for. Its text holds no secrets.
    """

    def __init__(
        self, reason: str, *, may_pass: bool = True, is_hopeless: bool = False, retry_after_seconds: float = 0
    ) -> None:
        super().__init__(reason)
        self.may_pass = may_pass and not is_hopeless
        self.is_hopeless = is_hopeless
        self.retry_after_seconds = retry_after_seconds


class Carrier(Protocol):
    """Takes messages to one place."""

    name: str

    async def deliver(self, message: Message) -> str:
        """Send a message once; what came back, in a few words.

        Raises:
            DeliveryFailed: it was not taken.
        """
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...


def rendered(template: str, message: Message) -> str:
    """A template with a message.

    Raises:
        DeliveryFailed: it does not work with this one.
    """
    from seatrial.policy.notification_templates import (  # noqa: PLC0415 -- Jinja, which few policies need
        TemplateFailed,
        render,
    )

    try:
        return render(template, message.values)
    except TemplateFailed as error:
        raise DeliveryFailed(f"its template fails: {error}", is_hopeless=True) from error
