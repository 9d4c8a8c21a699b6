import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.probes.conditions import DELETED, Waited, Wanted, count_ready, judge


def thing(name="a", *, meta=None, spec=None, **status):
    body = {"metadata": {"name": name, "generation": 2, **(meta or {})}, "spec": spec or {}, "status": status}
    return msgspec.convert(body, Waited)


def conditions(**given):
    return [{"type": key, "status": value} for key, value in given.items()]


@pytest.mark.parametrize(
    ("kind", "status", "spec", "holds", "account"),
    [
        ("Pod", {"conditions": conditions(Ready="True")}, {}, True, "1 of 1"),
        ("Pod", {"conditions": conditions(Ready="False")}, {}, False, "0 of 1 (a: Ready is False)"),
        ("Pod", {}, {}, False, "0 of 1 (a: no condition Ready yet)"),
        ("Node", {"conditions": conditions(Ready="Unknown")}, {}, False, "0 of 1 (a: Ready is Unknown)"),
        (
            "Deployment",
            {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3},
            {"replicas": 3},
            True,
            "1 of 1",
        ),
        (
            "Deployment",
            {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 2},
            {"replicas": 3},
            False,
            "0 of 1 (a: 2 of 3 replicas ready)",
        ),
        (
            "Deployment",
            {"observedGeneration": 2, "replicas": 4, "updatedReplicas": 3, "availableReplicas": 4},
            {"replicas": 3},
            False,
            "0 of 1 (a: 3 of 3 replicas updated)",
        ),
        (
            "Deployment",
            {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3},
            {"replicas": 3},
            False,
            "0 of 1 (a: its controller has not seen its last change)",
        ),
        ("StatefulSet", {"observedGeneration": 2, "readyReplicas": 1}, {}, True, "1 of 1"),
        ("StatefulSet", {"observedGeneration": 2}, {"replicas": 2}, False, "0 of 1 (a: 0 of 2 replicas ready)"),
        ("StatefulSet", {"observedGeneration": 2}, {"replicas": 0}, True, "1 of 1"),
        (
            "DaemonSet",
            {"observedGeneration": 2, "numberReady": 1, "desiredNumberScheduled": 2},
            {},
            False,
            "0 of 1 (a: 1 of 2 replicas ready)",
        ),
        ("DaemonSet", {"observedGeneration": 2, "numberReady": 2, "desiredNumberScheduled": 2}, {}, True, "1 of 1"),
    ],
)
def test_ready_means_that_all_is_there(kind, status, spec, holds, account):
    """A condition where the kind has one, the counts where it hasn't."""
    state = judge([thing(spec=spec, **status)], Wanted(kind=kind, condition="Ready"))
    assert (state.holds, state.account) == (holds, account)


def test_a_condition_is_found_whatever_its_spelling():
    """As in `kubectl wait`."""
    job = thing(conditions=conditions(Complete="True"))
    assert judge([job], Wanted(kind="Job", condition="complete")).holds


def test_a_condition_of_what_a_workload_was_before_does_not_count():
    """Right after a change the old condition still stands there; pods and nodes have no such lag to wait for."""
    available = conditions(Available="True")
    wanted = Wanted(kind="Deployment", condition="Available")
    stale = judge([thing(observedGeneration=1, conditions=available)], wanted)
    assert (stale.holds, stale.account) == (False, "0 of 1 (a: its controller has not seen its last change)")
    assert judge([thing(observedGeneration=2, conditions=available)], wanted).holds
    assert judge([thing(conditions=conditions(Initialized="True"))], Wanted(kind="Pod", condition="Initialized")).holds


def test_a_condition_may_have_to_end():
    """`negative` holds as soon as it is known not to be so."""
    wanted = Wanted(kind="Node", condition="Ready", negative=True)
    assert judge([thing(conditions=conditions(Ready="Unknown"))], wanted).holds
    assert judge([thing(conditions=conditions(Ready="False"))], wanted).holds
    assert not judge([thing(conditions=conditions(Ready="True"))], wanted).holds


def test_a_condition_that_is_not_reported_is_not_taken_for_one_that_ended():
    """A misspelt one would hold at once otherwise."""
    assert not judge([thing()], Wanted(kind="Node", condition="Raedy", negative=True)).holds
    assert not judge([], Wanted(kind="Node", condition="Ready", negative=True)).holds


def test_a_workload_may_have_to_lose_its_readiness():
    """`negative` of what is worked out from counts."""
    broken = thing(spec={"replicas": 2}, observedGeneration=2, readyReplicas=1)
    assert judge([broken], Wanted(kind="StatefulSet", condition="Ready", negative=True)).holds


def test_all_objects_must_hold_and_the_others_are_named():
    """At most three of them."""
    ready = [thing(f"ok-{number}", conditions=conditions(Ready="True")) for number in range(2)]
    others = [thing(f"no-{number}", conditions=conditions(Ready="False")) for number in range(5)]
    state = judge([*ready, *others], Wanted(kind="Pod", condition="Ready"))
    assert not state.holds
    assert state.account == "2 of 7 (no-0: Ready is False, no-1: Ready is False, no-2: Ready is False, ...)"


def test_no_object_holds_nothing():
    """Except that it is deleted."""
    assert judge([], Wanted(kind="Pod", condition="Ready")).account == "there is none"
    assert judge([], Wanted(kind="Pod", condition=DELETED)).holds
    assert judge([thing()], Wanted(kind="Pod", condition=DELETED)).account == "1 still there"


def test_a_pod_that_is_being_deleted_is_not_ready():
    """Its containers may still run."""
    leaving = thing(meta={"deletionTimestamp": "2030-01-01T00:00:00Z"}, conditions=conditions(Ready="True"))
    assert judge([leaving], Wanted(kind="Pod", condition="Ready")).account == "0 of 1 (a: being deleted)"
    assert count_ready([leaving], 1).account == "0 of 1 ready"


@given(st.lists(st.sampled_from(["True", "False", "Unknown"]), max_size=12), st.integers(1, 12))
def test_ready_pods_are_counted(statuses, wanted):
    """So many, or more."""
    pods = [thing(f"p{number}", conditions=conditions(Ready=status)) for number, status in enumerate(statuses)]
    ready = statuses.count("True")
    state = count_ready(pods, wanted)
    assert (state.holds, state.account) == (ready >= wanted, f"{ready} of {wanted} ready")
