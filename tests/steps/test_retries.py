import pytest

from seatrial.errors import ClusterError, ConfigurationError, Halted
from seatrial.runtime.verdict import PASSED, Verdict, failed, nothing_to_do
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


async def test_a_cluster_that_fails_is_tried_again():
    """An error of the API server is what retries are for; at the end it is the reason."""

    async def attempt(number):
        if number < 2:
            raise ClusterError("the API server answered 500")
        return PASSED

    retries = Retries.model_validate({"retriesCount": {"count": 2, "sleep": 1}})
    assert (await with_retries(retries, attempt, FakeClock())).passed
    once = Retries.model_validate({"retriesCount": {"count": 1, "sleep": 1}})
    outcome = await with_retries(once, attempt, FakeClock())
    assert (outcome.verdict, outcome.reasons) == (Verdict.INCONCLUSIVE, ("the API server answered 500",))


async def test_a_mistake_is_not_tried_again():
    """What another attempt can't mend ends the step at once."""
    tried = []

    async def attempt(number):
        tried.append(number)
        raise ConfigurationError("the policy is wrong")

    retries = Retries.model_validate({"retriesCount": {"count": 5}})
    with pytest.raises(ConfigurationError):
        await with_retries(retries, attempt, FakeClock())
    assert tried == [0]


async def test_a_halt_ends_the_retries():
    """Between two tries the halt is asked: nothing is tried on a halted cluster."""

    class Halt:
        async def check(self):
            raise Halted("halted by somebody")

    attempt, tried = attempts(failed("x"))
    retries = Retries.model_validate({"retriesTimeout": {"timeout": 60, "sleep": 1}})
    with pytest.raises(Halted):
        await with_retries(retries, attempt, FakeClock(), halt=Halt())
    assert tried == [0]
