"""The scheduler's book-keeping: sums are right whatever came and went, and in whatever order."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from seatrial.sandbox.api import Object
from seatrial.sandbox.scheduler.cluster_state import ClusterState
from seatrial.sandbox.scheduler.pod_info import PodInfo

NODES = ("n1", "n2", "n3")
TERM = {"labelSelector": {"matchLabels": {"app": "0"}}, "topologyKey": "kubernetes.io/hostname"}


def node(name: str) -> Object:
    """A node."""
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "10"}
    return {"metadata": {"name": name, "labels": {}}, "spec": {}, "status": {"allocatable": allocatable}}


def pod(number: int, cpu: int, *, leaving: bool) -> Object:
    """A pod of one of three kinds; some keep others away."""
    meta: Object = {
        "name": f"p{number}",
        "namespace": "default",
        "uid": f"u{number}",
        "labels": {"app": str(number % 3)},
    }
    if leaving:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    anti: Any = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [TERM]}} if number % 2 else {}
    container = {"name": "c", "resources": {"requests": {"cpu": f"{cpu}m"}}}
    return {"metadata": meta, "spec": {"containers": [container], "affinity": anti}, "status": {}}


changes = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 2000), st.booleans(), st.sampled_from((*NODES, ""))), max_size=40
)


@given(changes)
def test_sums_are_those_of_the_pods_that_are_there(steps: list[tuple[int, int, bool, str]]) -> None:
    """Of each node: what is requested, how many of each kind, who keeps others away; and how families are spread."""
    state = ClusterState()
    for name in NODES:
        state.put_node(node(name))
    there: dict[int, tuple[Object, str]] = {}
    for number, cpu, leaving, where in steps:
        body = pod(number, cpu, leaving=leaving)
        if where:
            state.put(body, where)
            there[number] = (body, where)
        else:
            state.remove(body)
            there.pop(number, None)
    for name in NODES:
        infos = [PodInfo.of(body) for body, where in there.values() if where == name]
        found = state.nodes[name]
        cpu_sum = sum(info.request.amounts["cpu"] for info in infos)
        assert (found.requested.get("cpu", 0), found.requested.get("pods", 0)) == (cpu_sum, len(infos))
        assert found.kinds == Counter(info.kind for info in infos)
        assert found.staying == Counter(info.kind for info in infos if not info.is_terminating)
        assert found.guards.total() == sum(len(info.apart) for info in infos)
        for info in infos:
            family = [other for other in infos if other.family == info.family and other.is_active]
            assert state.family(info).get(name, 0) == len(family)
