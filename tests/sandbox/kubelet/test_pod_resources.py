"""What a pod has been given as a whole."""

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.pod_resources import pod_resources


def one(memory: str = "", cpu: str = "", *, limit: str = "", **more: str) -> Object:
    """A container that asks for that much."""
    requests = {name: amount for name, amount in (("memory", memory), ("cpu", cpu)) if amount}
    return {"resources": {"requests": requests, **({"limits": {"memory": limit}} if limit else {})}, **more}


def test_a_pod_without_requests_has_been_given_nothing() -> None:
    """`resources` is empty, `allocatedResources` isn't there."""
    assert pod_resources({"containers": [one()]}) == {"resources": {}}


def test_containers_add_up() -> None:
    """Quantities keep their form; a limit counts where every container has one."""
    both = {"containers": [one("64Mi", "250m", limit="1Gi"), one("64Mi", "1", limit="1Gi")]}
    assert pod_resources(both) == {
        "resources": {"limits": {"memory": "2Gi"}, "requests": {"memory": "128Mi", "cpu": "1250m"}},
        "allocatedResources": {"memory": "128Mi", "cpu": "1250m"},
    }
    assert "limits" not in pod_resources({"containers": [one("64Mi", limit="1Gi"), one()]})["resources"]


def test_an_init_container_counts_by_what_runs_beside_it() -> None:
    """Sidecars started before it are added to its needs; the greatest need of all times counts."""
    side = one("100Mi", restartPolicy="Always")
    spec = {"containers": [one("50Mi")], "initContainers": [side, one("200Mi")]}
    assert pod_resources(spec)["allocatedResources"] == {"memory": "300Mi"}
    spec = {"containers": [one("500Mi")], "initContainers": [side, one("200Mi")]}
    assert pod_resources(spec)["allocatedResources"] == {"memory": "600Mi"}
