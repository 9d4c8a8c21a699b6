import pytest

from seatrial.report.account import Account
from seatrial.runtime.events import EarlierRunFound, HaltUnreadable, RunHalted, UndoDone, UndoRetried
from tests.report.conftest import records_of

EARLIER = {"run_id": "abc", "policy": "p.yml", "started": "2030", "server": "https://k"}


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            UndoRetried(description="delete Pod a/b", error="no answer", attempt=2, wait_seconds=1.26),
            "not yet: delete Pod a/b: no answer; again in 1.3 s",
        ),
        (UndoDone(description="scale back", note="somebody deleted it since"), "undone: scale back (somebody deleted"),
        (UndoDone(description="scale back"), "undone: scale back"),
        (RunHalted(by="jane@desk", since="noon", reason="fire"), "halt: halted by jane@desk since noon: fire"),
        (RunHalted(by="", since="", reason=""), "halt: halted by somebody: no reason given: cleaning up"),
        (
            HaltUnreadable(namespace="ops", error="forbidden"),
            "halt: can't see whether experiments are halted (namespace ops): forbidden",
        ),
        (EarlierRunFound(**EARLIER, undos=2), "earlier: run abc of p.yml left 2 changes behind: undoing them"),
        (EarlierRunFound(**EARLIER, undos=1, note="still at work"), "earlier: run abc of p.yml left 1 change behind:"),
    ],
)  # fmt: skip
def test_recovery_and_halts_in_words(event, line):
    """One line each: what happened, and why."""
    account = Account()
    [told] = [each for record in records_of([event]) for each in account.lines(record)]
    assert f"{told.label}: {told.text}".startswith(line)
