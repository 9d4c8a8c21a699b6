"""Pauses between restarts."""

from hypothesis import given
from hypothesis import strategies as st

from seatrial.sandbox.kubelet.backoff import FORGET_SECONDS, RestartBackoff


def restart_pauses(backoff: RestartBackoff, *, lifetimes: list[int]) -> list[float]:
    """The pauses before each restart of a container that lived so long each time."""
    now, pauses = 1000.0, []
    for lifetime in lifetimes:
        now += lifetime
        pause = backoff.remaining(finished_at=now, now=now)
        pauses.append(pause)
        now += pause
        backoff.started(now=now)
    return pauses


def test_first_restart_is_immediate_and_later_ones_wait_twice_as_long_each_time() -> None:
    """0, 10, 20, 40, 80, 160, then 300 seconds for ever."""
    pauses = restart_pauses(RestartBackoff(base_seconds=10), lifetimes=[1] * 9)
    assert pauses == [0, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_container_that_lived_long_starts_over() -> None:
    """After ten minutes without a failure the next restart is immediate again."""
    pauses = restart_pauses(RestartBackoff(base_seconds=10), lifetimes=[1, 1, 1, int(FORGET_SECONDS) + 1, 1])
    assert pauses == [0, 10, 20, 0, 10]


def test_time_since_the_end_counts() -> None:
    """A kubelet that looks late does not wait the whole pause again."""
    backoff = RestartBackoff(base_seconds=10)
    backoff.started(now=100)
    assert backoff.remaining(finished_at=101, now=105) == 6


@given(st.lists(st.integers(min_value=0, max_value=int(FORGET_SECONDS) // 2), max_size=20))
def test_pauses_never_shrink_while_failures_go_on(lifetimes: list[int]) -> None:
    """As long as no life is long, each pause is at least the one before."""
    pauses = restart_pauses(RestartBackoff(base_seconds=10), lifetimes=lifetimes)
    assert pauses == sorted(pauses)


def test_a_clock_that_is_set_back_makes_no_pause_longer() -> None:
    """A pause lasts no longer than it is, wherever the machine's clock was set to meanwhile."""
    backoff = RestartBackoff(base_seconds=10)
    backoff.started(now=10_000)
    assert backoff.remaining(finished_at=10_001, now=0) == 10
