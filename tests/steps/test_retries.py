import pytest

from seatrial.runtime.verdict import PASSED, failed, nothing_to_do
from seatrial.steps.retries import Retries, with_retries
from seatrial.testing import FakeClock


def attempts(*outcomes):
    """Outcomes of attempts in turn, the last one again and again; and how often it was tried."""
    tried = []

    async def attempt(number):
        tried.append(number)
        return outcomes[min(number, len(outcomes) - 1)]

    return attempt, tried


async def test_without_retries_there_is_one_attempt():
    """No `retries`: the first outcome is the outcome."""
    attempt, tried = attempts(failed("x"))
    assert not (await with_retries(None, attempt, FakeClock())).passed
    assert tried == [0]


async def test_a_count_is_tried_again_so_often():
    """`count: 3` is one attempt and three more, with `sleep` seconds between them."""
    attempt, tried = attempts(failed("x"))
    clock = FakeClock()
    retries = Retries.model_validate({"retriesCount": {"count": 3, "sleep": 2}})
    assert not (await with_retries(retries, attempt, clock)).passed
    assert tried == [0, 1, 2, 3]
    assert clock.slept == [2, 2, 2]


@pytest.mark.parametrize("first", [failed("x"), nothing_to_do("empty")])
async def test_whatever_does_not_pass_is_tried_again(first):
    """A failure and an empty set are both tried again, until one attempt passes."""
    attempt, tried = attempts(first, first, PASSED)
    retries = Retries.model_validate({"retriesCount": {"count": 10, "sleep": 1}})
    assert (await with_retries(retries, attempt, FakeClock())).passed
    assert tried == [0, 1, 2]


async def test_a_timeout_counts_wall_clock_time():
    """Ten seconds with pauses of three: attempts at 0, 3, 6 and 9 seconds."""
    attempt, tried = attempts(failed("x"))
    retries = Retries.model_validate({"retriesTimeout": {"timeout": 10, "sleep": 3}})
    assert not (await with_retries(retries, attempt, FakeClock())).passed
    assert tried == [0, 1, 2, 3]


async def test_a_pause_of_zero_does_not_spin():
    """`sleep: 0` makes short pauses, so a second has a bounded number of attempts."""
    attempt, tried = attempts(failed("x"))
    retries = Retries.model_validate({"retriesTimeout": {"timeout": 1, "sleep": 0}})
    await with_retries(retries, attempt, FakeClock())
    assert 10 < len(tried) < 30
