"""Messages by Apprise, the library that knows a hundred ways to tell somebody (the extra `notify`).

Apprise blocks and keeps its own time limits, so each message has a thread; what it logs of a failure says why, and is
scrubbed of the URLs, which hold passwords.
"""

import asyncio
import logging
from typing import Any, Self

from seatrial.errors import ConfigurationError, UsageError
from seatrial.machines.threads import Threads
from seatrial.policy.notifications import Apprise
from seatrial.policy.secrets import scrubbed
from seatrial.telemetry.notifications.delivery import DeliveryFailed, rendered
from seatrial.telemetry.notifications.message import Message
from seatrial.telemetry.notifications.secret_values import value_of

_TYPES = {"critical": "failure", "warning": "warning", "info": "info"}
_SHOWN = 200


class AppriseCarrier:
    """Tells by all URLs of one item; see `delivery.Carrier`. Made by `open`."""

    def __init__(self, spec: Apprise, *, name: str) -> None:
        self.name = name
        self._spec = spec
        self._threads = Threads(1, name="apprise")

    @classmethod
    async def open(cls, spec: Apprise, *, name: str) -> Self:
        """Look at all that it needs, and tell nobody.

        Raises:
            UsageError: the extra `notify` isn't installed.
            ConfigurationError: there are no URLs, or Apprise does not know one.
        """
        carrier = cls(spec, name=name)
        await carrier._threads.run(carrier._ways)
        return carrier

    async def close(self) -> None:
        """Nothing is kept open."""

    async def deliver(self, message: Message) -> str:
        """Tell all URLs; Apprise does not say what each answered.

        Raises:
            DeliveryFailed: one of them could not be told.
        """
        title, text = _written(self._spec, message)

        def tell() -> tuple[bool, str]:
            with _Complaints() as complaints:
                told = self._ways().notify(body=text, title=title, notify_type=_TYPES[message.severity])
            return bool(told), complaints.text

        try:
            async with asyncio.timeout(self._spec.timeout_seconds):
                told, complaints = await self._threads.run(tell)
        except TimeoutError:
            raise DeliveryFailed(f"not done within {self._spec.timeout_seconds:g} s") from None
        except (ConfigurationError, UsageError) as error:
            raise DeliveryFailed(error.message) from error
        if not told:
            reason = " ".join(scrubbed(complaints, _urls(self._spec)).split())[:_SHOWN]
            raise DeliveryFailed(reason or "Apprise could not tell everybody")
        return "by Apprise"

    def _ways(self) -> Any:
        """Apprise with all URLs, read anew; it opens no connection yet."""
        apprise = _library()
        urls = _urls(self._spec)
        made = apprise.Apprise(asset=apprise.AppriseAsset(app_id="Seatrial", async_mode=False))
        with _Complaints():
            unknown = [index for index, url in enumerate(urls) if not made.add(url)]
        if unknown or not urls:
            where = f"URL {unknown[0] + 1} of {self.name}" if unknown else f"{self.name} without any URL"
            raise ConfigurationError(
                f"Apprise can't use {where}", hint="what its URLs look like: https://github.com/caronc/apprise/wiki"
            )
        return made


class _Complaints(logging.Handler):
    """Hears what Apprise logs while it works, and keeps that from the log, where it could show URLs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lines: list[str] = []
        self._logger = logging.getLogger("apprise")

    @property
    def text(self) -> str:
        return " ".join(self._lines)

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())

    def __enter__(self) -> Self:
        self._logger.propagate = False
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)


def _library() -> Any:
    try:
        import apprise  # noqa: PLC0415 -- an extra, and slow to import
    except ImportError as error:
        raise UsageError(
            "notifications by Apprise need the extra 'notify'", hint="install it: pip install 'seatrial[notify]'"
        ) from error
    return apprise


def _urls(spec: Apprise) -> list[str]:
    if spec.urls is not None:
        return [each.get_secret_value() for each in spec.urls]
    return value_of(None, spec.urls_from).split()


def _written(spec: Apprise, message: Message) -> tuple[str, str]:
    title = message.title if spec.title is None else rendered(spec.title, message)
    return title, message.text if spec.body is None else rendered(spec.body, message)
