"""The cells that stand for pods."""

import pytest

from seatrial.dashboard.cells import PodState, state_of
from tests.dashboard.pods import pod


@pytest.mark.parametrize(
    ("status", "ready", "state"),
    [
        ("Running", "1/1", PodState.RUNNING),
        ("Running", "1/2", PodState.NOT_READY),
        ("NotReady", "0/1", PodState.NOT_READY),
        ("Pending", "0/1", PodState.PENDING),
        ("ContainerCreating", "0/1", PodState.PENDING),
        ("Init:1/3", "0/1", PodState.PENDING),
        ("Init:CrashLoopBackOff", "0/1", PodState.FAILING),
        ("CrashLoopBackOff", "0/1", PodState.FAILING),
        ("ImagePullBackOff", "0/1", PodState.FAILING),
        ("Evicted", "0/1", PodState.FAILING),
        ("Unknown", "1/1", PodState.FAILING),
        ("Completed", "0/1", PodState.SUCCEEDED),
    ],
)
def test_the_state_is_what_kubectl_prints(status, ready, state):
    """A pod's cell follows STATUS and READY as kubectl prints them; what is not known to be well is failing."""
    assert state_of(pod(status=status, ready=ready)) is state


def test_a_pod_on_a_machine_that_is_gone_is_not_ready():
    """Its containers are counted as they were last seen, but the cluster has taken it out of its Services."""
    assert state_of(pod(ready="1/1", is_ready=False)) is PodState.NOT_READY


def test_a_deleted_pod_is_terminating_whatever_it_was():
    """A pod whose deletion has begun is terminating, also while its containers crash."""
    assert state_of(pod(status="CrashLoopBackOff", is_deleted=True)) is PodState.TERMINATING


def test_no_two_states_have_the_same_mark():
    """Who sees no colours tells the states apart by their marks."""
    assert len({state.value.mark for state in PodState}) == len(PodState)
