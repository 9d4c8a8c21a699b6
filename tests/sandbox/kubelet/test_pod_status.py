"""Statuses as the kubelet writes them, without a kubelet."""

from typing import Any

import pytest

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.container_state import ContainerState, Running, Terminated, Waiting
from seatrial.sandbox.kubelet.pod_status import PodFacts, pod_phase, pod_status


def ended(exit_code: int) -> Terminated:
    """How a container ended."""
    return Terminated(
        exit_code=exit_code, reason="Error", started_at=100.0, finished_at=101.0, container_id="seatrial://00"
    )


def facts(*states: ContainerState, init: tuple[ContainerState, ...] = (), **changes: Any) -> PodFacts:
    """A pod of these containers."""
    pod: Object = {
        "metadata": {"name": "web", "namespace": "default", "uid": "u-1", "generation": 1},
        "spec": {
            "containers": [{"name": s.name, "image": "busybox"} for s in states],
            "initContainers": [{"name": s.name, "image": "busybox"} for s in init],
        },
        "status": {},
    }
    return PodFacts(
        pod=pod,
        host_ip="127.20.0.11",
        start_time=100.0,
        containers={s.name: s for s in states},
        init_containers={s.name: s for s in init},
        **changes,
    )


WAITING = Waiting("ContainerCreating")
RUNNING = Running(100.0)


@pytest.mark.parametrize(
    ("states", "ending", "phase"),
    [
        ([ContainerState("a", WAITING)], False, "Pending"),
        ([ContainerState("a", RUNNING), ContainerState("b", WAITING)], False, "Pending"),
        ([ContainerState("a", RUNNING), ContainerState("b", RUNNING)], False, "Running"),
        ([ContainerState("a", ended(1))], False, "Running"),
        ([ContainerState("a", Waiting("CrashLoopBackOff"), last=ended(1))], False, "Running"),
        ([ContainerState("a", ended(0)), ContainerState("b", RUNNING)], True, "Running"),
        ([ContainerState("a", ended(0)), ContainerState("b", ended(0))], True, "Succeeded"),
        ([ContainerState("a", ended(0)), ContainerState("b", ended(143))], True, "Failed"),
        ([ContainerState("a", WAITING)], True, "Pending"),
    ],
)
def test_the_phase_follows_from_the_containers(states: list[ContainerState], *, ending: bool, phase: str) -> None:
    """And becomes final only when nothing runs any more."""
    assert pod_phase(facts(*states, ending=ending)) == phase


def test_a_pod_that_does_not_restart_is_over_with_its_containers() -> None:
    """Its conditions say so at once, its phase when nothing is left of it."""
    known = facts(ContainerState("a", ended(0)))
    known.pod["spec"]["restartPolicy"] = "Never"
    status = pod_status(known, now=0)
    assert (status["phase"], reasons(status)["Ready"]) == ("Pending", "PodCompleted")
    known.finished = True
    assert pod_status(known, now=0)["phase"] == "Succeeded"


def test_a_container_that_never_ran_has_failed_when_its_pod_is_gone() -> None:
    """The container "could not be located"; the conditions stay as they were."""
    known = facts(ContainerState("a", WAITING), ending=True)
    assert pod_status(known, now=0)["containerStatuses"][0]["state"] == WAITING.to_object()
    known.finished = True
    status = pod_status(known, now=0)
    assert (status["phase"], reasons(status)["Ready"]) == ("Failed", "ContainersNotReady")
    ending = status["containerStatuses"][0]["state"]["terminated"]
    assert (ending["exitCode"], ending["reason"], ending["startedAt"]) == (137, "ContainerStatusUnknown", None)


def reasons(status: Object) -> dict[str, str]:
    """Why the conditions are as they are."""
    return {c["type"]: c.get("reason") for c in status["conditions"]}


def test_a_container_that_is_not_started_again_shows_how_it_ended() -> None:
    """As it was before it had to wait; one that never ran waits as in the beginning."""
    crashing, creating = ContainerState("a", ended(1)), ContainerState("b", Waiting("ErrImagePull", "not found"))
    crashing.wait("CrashLoopBackOff", "back-off")
    for state in (crashing, creating):
        state.give_up("ContainerCreating")
    assert (crashing.current, crashing.last) == (ended(1), None)
    assert creating.current == WAITING


def test_a_transition_keeps_its_time_until_the_condition_changes() -> None:
    """LastTransitionTime is not the time of writing."""
    known = facts(ContainerState("a", RUNNING))
    known.pod["status"] = pod_status(known, now=1000)
    later = pod_status(known, now=2000)
    assert later == known.pod["status"]
    known.containers["a"].ready = True
    times = {c["type"]: c["lastTransitionTime"] for c in pod_status(known, now=3000)["conditions"]}
    assert times["Ready"] == "1970-01-01T00:50:00Z"
    assert times["PodScheduled"] == "1970-01-01T00:16:40Z"


def test_conditions_of_others_are_kept() -> None:
    """Such as the one an eviction writes."""
    known = facts(ContainerState("a", RUNNING))
    known.pod["status"] = {"conditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert pod_status(known, now=0)["conditions"][-1] == {"type": "DisruptionTarget", "status": "True"}


def test_a_readiness_gate_holds_the_pod_back() -> None:
    """Ready waits for the gate's condition, ContainersReady doesn't."""
    known = facts(ContainerState("a", RUNNING, ready=True, started=True))
    known.pod["spec"]["readinessGates"] = [{"conditionType": "example.com/ok"}]
    by_type = {c["type"]: c for c in pod_status(known, now=0)["conditions"]}
    assert by_type["Ready"]["reason"] == "ReadinessGatesNotReady"
    assert by_type["ContainersReady"]["status"] == "True"


def test_why_a_pod_was_ended_shows_when_it_has_ended() -> None:
    """The conditions tell that the pod failed; reason and message come with the phase, when nothing of it is left."""
    state = ContainerState("a", RUNNING)
    known = facts(state, ending=True, reason="DeadlineExceeded", message="too long")
    assert "reason" not in pod_status(known, now=0)
    state.end(ended(137))
    assert reasons(pod_status(known, now=0))["Ready"] == "PodFailed"
    known.finished = True
    status = pod_status(known, now=0)
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")


def test_a_termination_survives_the_way_through_a_status() -> None:
    """A new kubelet reads what the old one wrote."""
    assert Terminated.from_object(ended(3).to_object()["terminated"]) == ended(3)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (WAITING, set()),
        (Waiting("PodInitializing"), set()),
        (Waiting("ErrImagePull"), {"podIP", "podIPs"}),
        (RUNNING, {"podIP", "podIPs"}),
        (ended(0), {"podIP", "podIPs"}),
    ],
)
def test_the_address_is_told_with_what_a_container_does(state: Waiting | Running | Terminated, told: set[str]) -> None:
    """As long as no container has come further than to be created, a pod's address isn't told."""
    status = pod_status(facts(ContainerState("a", state), pod_ip="127.20.1.1"), now=200)
    assert status.keys() & {"podIP", "podIPs"} == told
