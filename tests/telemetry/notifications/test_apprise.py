"""Apprise, by its plugin `json://`, which sends to a server of ours."""

import builtins
import logging
import time

import pytest

from seatrial.errors import ConfigurationError, UsageError
from seatrial.policy.notifications import Notification
from seatrial.telemetry.notifications.carriers import open_carrier
from seatrial.telemetry.notifications.delivery import DeliveryFailed
from tests.telemetry.notifications.receivers import receiving, status
from tests.telemetry.notifications.samples import message

# Apprise imports it where Python still has it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def apprise(**said):
    return Notification.model_validate({"apprise": said}, by_alias=True, by_name=False)


async def deliver(**said):
    carrier = await open_carrier(apprise(**said), number=1)
    try:
        return await carrier.deliver(message())
    finally:
        await carrier.close()


def place_of(receiver):
    return receiver.url.replace("http://", "json://me:pa55word@")


async def test_everybody_is_told():
    """Title, text and how bad it is, at each of the URLs."""
    async with receiving() as one, receiving() as two:
        assert await deliver(urls=[place_of(one), place_of(two)]) == "by Apprise"
        for call in (one.calls[0].json, two.calls[0].json):
            assert (call["title"], call["type"]) == ("Violated: start: p95 below 30 s", "failure")
            assert "Report: seatrial report 0a1b2c" in call["message"]


async def test_templates_say_what_is_told():
    """Title and text may both be one's own."""
    async with receiving() as receiver:
        await deliver(urls=[place_of(receiver)], title="{{ severity }}", body="see {{ run.report }}")
        call = receiver.calls[0].json
        assert (call["title"], call["message"]) == ("critical", "see seatrial report 0a1b2c")


async def test_urls_are_read_where_they_are(tmp_path):
    """From a file, separated by white space, and read anew for each message."""
    async with receiving() as one, receiving() as two:
        file = tmp_path / "urls"
        file.write_text(f"{place_of(one)}\n")
        carrier = await open_carrier(apprise(urlsFrom={"file": str(file)}), number=1)
        await carrier.deliver(message())
        file.write_text(f"{place_of(one)}\n{place_of(two)}\n")
        await carrier.deliver(message())
        assert (len(one.calls), len(two.calls)) == (2, 1)


class Heard(logging.Handler):
    """What gets to the program's log; pytest's own handler goes to loggers that keep to themselves, too."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


async def test_a_failure_says_why_and_no_password(monkeypatch):
    """What Apprise logs is the reason; its URLs are in no log and no message."""
    heard = Heard()
    monkeypatch.setattr(logging.getLogger(), "handlers", [heard])
    async with receiving(status(500)) as receiver:
        with pytest.raises(DeliveryFailed) as caught:
            await deliver(urls=[place_of(receiver)])
        assert "500" in str(caught.value)
        assert caught.value.may_pass
        assert "pa55word" not in str(caught.value)
        assert heard.lines == []


async def test_who_takes_too_long_is_left(monkeypatch):
    """A library that blocks holds up nobody."""
    import apprise as library

    monkeypatch.setattr(library.Apprise, "notify", lambda *_, **__: time.sleep(1))
    with pytest.raises(DeliveryFailed, match=r"not done within 0\.05 s"):
        await deliver(urls=["json://127.0.0.1:1"], timeout=0.05)


@pytest.mark.parametrize("urls", [["nonsense://x"], ["json://127.0.0.1", "no url at all"]])
async def test_urls_that_apprise_does_not_know_show_before_the_run(urls):
    """Which one it is, by its place, since it may be a secret."""
    with pytest.raises(ConfigurationError, match=rf"can't use URL {len(urls)} of apprise 3") as caught:
        await open_carrier(apprise(urls=urls), number=3)
    assert urls[-1] not in caught.value.in_full


async def test_without_the_extra_it_says_how_to_get_it(monkeypatch):
    """Before the run, with the command that installs it."""
    imported = builtins.__import__

    def without_apprise(name, *arguments):
        if name == "apprise":
            raise ImportError(name)
        return imported(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_apprise)
    with pytest.raises(UsageError, match="need the extra 'notify'") as caught:
        await open_carrier(apprise(urls=["json://127.0.0.1"]), number=1)
    assert "pip install 'seatrial[notify]'" in caught.value.hint
