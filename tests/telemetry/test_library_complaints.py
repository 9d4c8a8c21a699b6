"""What libraries log of their trouble is said once, in words for whoever runs an experiment."""

import logging

import pytest

from seatrial.telemetry.library_complaints import ComplaintsOnce

LIBRARY = logging.getLogger("some.library")
OURS = logging.getLogger("seatrial.some")


def heard(caplog, *messages):
    """What is said of a library's complaints."""
    with ComplaintsOnce("some.library", trouble="nothing is sent", log=OURS):
        for message in messages:
            LIBRARY.warning(message)
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ('Error(Caused by New("x: Failed: [Errno 111] Connection refused")), retrying', "connection refused"),
        ("[Errno -2] Name or service not known, dropping", "name or service not known"),
        ("401: a token\nis \x1b[31mmissing", "401: a token is \\u001b[31mmissing"),
    ],
    ids=["wrapped", "no such host", "its own words"],
)
def test_the_first_is_said_with_what_the_system_said(caplog, message, reason):
    """Without the names of classes around it, in one line that no terminal acts on."""
    assert heard(caplog, message) == [f"nothing is sent: {reason}; the run goes on"]


def test_the_others_are_counted(caplog):
    """A thousand packets that nobody takes are two lines."""
    told = heard(caplog, *["no"] * 1000)
    assert told == ["nothing is sent: no; the run goes on", "nothing is sent: 1000 complaints in all"]


def test_the_library_is_as_before_when_it_is_over(caplog):
    """What it logs then is for whoever listens to it."""
    heard(caplog)
    LIBRARY.warning("later")
    assert [record.name for record in caplog.records] == ["some.library"]
