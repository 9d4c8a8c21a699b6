"""The carriers that `config.notify` asks for, looked at before a run begins rather than when they are needed."""

from collections.abc import Sequence

from seatrial.policy.notifications import Channel, Notification, Webhook
from seatrial.telemetry.notifications.delivery import Carrier


async def open_carrier(notification: Notification, *, number: int) -> Carrier:
    """The carrier of one item; nothing is sent.

    Raises:
        SeatrialError: what it needs is missing: a variable, a file, an extra.
    """
    spec: Channel = notification.spec
    name = spec.name or f"{notification.key} {number}"
    if isinstance(spec, Webhook):
        from seatrial.telemetry.notifications.webhook import WebhookCarrier  # noqa: PLC0415 -- as asked for

        return await WebhookCarrier.open(spec, name=name)
    from seatrial.telemetry.notifications.apprise_carrier import AppriseCarrier  # noqa: PLC0415 -- as asked for

    return await AppriseCarrier.open(notification.spec, name=name)


async def open_carriers(notifications: Sequence[Notification]) -> list[Carrier]:
    """The carriers of all items, in their order.

    Raises:
        SeatrialError: what one needs is missing; none stays open.
    """
    carriers: list[Carrier] = []
    try:
        for number, notification in enumerate(notifications, start=1):
            carriers.append(await open_carrier(notification, number=number))
    except BaseException:
        for carrier in carriers:
            await carrier.close()
        raise
    return carriers
