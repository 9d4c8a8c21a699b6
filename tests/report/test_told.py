from seatrial.report.account import Account
from seatrial.report.summary import Summary
from seatrial.runtime.events import NotificationFailed, NotificationSent
from tests.report.conftest import records_of

SENT = NotificationSent(channel="on call", title="Violated: x", notices=1, attempts=1, answer="200 ok")
FAILED = {"channel": "chat", "title": "Run finished", "notices": 2, "attempts": 5, "error": "answered 500"}


def told(*events):
    account = Account()
    return [(line.label, line.text) for record in records_of(events) for line in account.lines(record)]


def test_trouble_is_said_when_it_begins_and_when_something_is_lost():
    """Not at each try of weeks: who reads it knows since the first time."""
    waits, again = NotificationFailed(**FAILED), NotificationFailed(**FAILED, again=True)
    lost = NotificationFailed(**FAILED, again=True, lost=True)
    assert told(SENT, waits, again, again, lost) == [
        ("told", "on call: Violated: x (200 ok)"),
        ("not told", "chat: answered 500; Run finished waits"),
        ("not told", "chat: answered 500; Run finished is lost"),
    ]


def test_the_summary_says_who_was_told_and_of_how_much_nobody():
    """A row a channel; nothing for a run that tells nobody."""
    summary = Summary()
    assert "told" not in {heading for heading, _ in summary.lines()}
    for record in records_of([SENT, SENT, NotificationFailed(**FAILED), NotificationFailed(**FAILED, lost=True)]):
        summary(record)
    assert summary.lines()[-2:] == [("told", "on call: 2 messages"), ("NOT told", "chat: 2 notices lost")]
    assert summary.as_json()["notifications"] == {"sent": {"on call": 2}, "lost": {"chat": 2}}
