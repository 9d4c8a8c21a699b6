"""Claims and volumes: binding, provisioning, the scheduler's word, loss, reclaiming, protection."""

from pathlib import Path
from typing import Any

import pytest

from seatrial.sandbox.api import Object
from tests.sandbox.controllers.world import NAMESPACE, World, pod, running_world

pytestmark = pytest.mark.looptime

CLAIMS, VOLUMES = "persistentvolumeclaims", "persistentvolumes"
WATCHED = (CLAIMS, VOLUMES)


def claim(name: str, *, size: str = "1Gi", **spec: Any) -> Object:
    """A claim to a volume of that size."""
    body = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
    return {"metadata": {"name": name}, "spec": body}


def volume(name: str, *, size: str = "1Gi", labels: dict[str, str] | None = None, **spec: Any) -> Object:
    """A volume that somebody made by hand."""
    body = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": size},
        "hostPath": {"path": f"/tmp/{name}"},
        "persistentVolumeReclaimPolicy": "Retain",
        **spec,
    }
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": body}


def phase(world: World, name: str, *, kind: str = CLAIMS) -> str:
    """A claim's or a volume's phase."""
    found = world.one(kind, name, NAMESPACE if kind == CLAIMS else None)
    return str(found.get("status", {}).get("phase"))


def mounting(name: str, claim_name: str, **spec: Any) -> Object:
    """A pod that mounts a claim."""
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": claim_name}}]
    return pod(name, volumes=volumes, **spec)


async def test_a_claim_gets_a_directory_that_goes_with_it(tmp_path: Path) -> None:
    """The default class makes a directory at once; with the claim, the volume and the directory go."""
    async with running_world(nodes=1, volumes=tmp_path, also=WATCHED) as world:
        await world.api.create(CLAIMS, claim("data"), NAMESPACE)
        await world.until(lambda: phase(world, "data") == "Bound")
        found = world.one(CLAIMS, "data")
        made = world.one(VOLUMES, found["spec"]["volumeName"], None)
        assert found["spec"]["storageClassName"] == "standard"
        assert found["status"]["capacity"] == {"storage": "1Gi"}
        assert found["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"] == "yes"
        assert made["spec"]["claimRef"]["uid"] == found["metadata"]["uid"]
        assert made["status"]["phase"] == "Bound"
        directory = Path(made["spec"]["hostPath"]["path"])
        (directory / "kept").write_text("while the claim lives")
        await world.until(lambda: "ProvisioningSucceeded" in [event["reason"] for event in world.seen("events")])
        await world.api.delete(CLAIMS, "data", NAMESPACE)
        await world.until(lambda: not world.seen(CLAIMS) and not world.seen(VOLUMES))
        assert not directory.exists()


async def test_the_smallest_volume_that_suits_is_bound(tmp_path: Path) -> None:
    """By size, access modes, class and labels; a volume set aside for the claim comes first."""
    async with running_world(nodes=0, volumes=tmp_path, also=WATCHED) as world:
        for body in (
            volume("small", size="1Gi"),
            volume("large", size="10Gi"),
            volume("fitting", size="5Gi"),
            volume("other-mode", size="3Gi", accessModes=["ReadOnlyMany"]),
            volume("labelled", size="50Gi", labels={"disk": "fast"}),
            volume("reserved", size="90Gi", claimRef={"namespace": NAMESPACE, "name": "vip"}),
        ):
            await world.api.create(VOLUMES, body)
        await world.until(lambda: phase(world, "fitting", kind=VOLUMES) == "Available")
        wanted = {"plain": "fitting", "picky": "labelled", "vip": "reserved"}
        await world.api.create(CLAIMS, claim("plain", size="2Gi", storageClassName=""), NAMESPACE)
        selector = {"matchLabels": {"disk": "fast"}}
        await world.api.create(CLAIMS, claim("picky", storageClassName="", selector=selector), NAMESPACE)
        await world.api.create(CLAIMS, claim("vip", storageClassName=""), NAMESPACE)
        for name, bound in wanted.items():
            await world.until(lambda name=name: phase(world, name) == "Bound")
            assert world.one(CLAIMS, name)["spec"]["volumeName"] == bound


async def test_a_claim_that_nothing_suits_waits_and_says_so(tmp_path: Path) -> None:
    """Without a class for a volume to be made; with a class that is missing; until a volume comes."""
    async with running_world(nodes=0, volumes=tmp_path, also=WATCHED) as world:
        await world.api.create(CLAIMS, claim("unclassed", storageClassName=""), NAMESPACE)
        await world.api.create(CLAIMS, claim("misclassed", storageClassName="nope"), NAMESPACE)
        messages = {
            "no persistent volumes available for this claim and no storage class is set",
            'storageclass.storage.k8s.io "nope" not found',
        }
        await world.until(lambda: messages <= {event["message"] for event in world.seen("events")})
        assert phase(world, "unclassed") == "Pending"
        await world.api.create(VOLUMES, volume("late"))
        await world.until(lambda: phase(world, "unclassed") == "Bound")


async def test_a_zonal_claim_follows_its_first_pod(tmp_path: Path) -> None:
    """It waits for a pod, and the volume then belongs to that pod's zone: a second pod can go nowhere else."""
    async with running_world(nodes=2, volumes=tmp_path, also=WATCHED) as world:
        await world.api.create(CLAIMS, claim("data", storageClassName="zonal"), NAMESPACE)
        said = "waiting for first consumer to be created before binding"
        await world.until(lambda: said in [event["message"] for event in world.seen("events")])
        await world.api.create(
            "pods", mounting("first", "data", nodeSelector={"kubernetes.io/hostname": "node2"}), NAMESPACE
        )
        await world.until(lambda: world.one("pods", "first")["spec"].get("nodeName") == "node2")
        assert phase(world, "data") == "Bound"
        assert world.one(CLAIMS, "data")["metadata"]["annotations"]["volume.kubernetes.io/selected-node"] == "node2"
        await world.api.create(
            "pods", mounting("second", "data", nodeSelector={"kubernetes.io/hostname": "node1"}), NAMESPACE
        )
        reason = "1 node(s) didn't match PersistentVolume's node affinity"
        await world.until(lambda: any(reason in event["message"] for event in world.seen("events")))


async def test_a_pod_without_its_claim_waits_for_it(tmp_path: Path) -> None:
    """The scheduler says what is missing and places the pod once it is there."""
    async with running_world(nodes=1, volumes=tmp_path, also=WATCHED) as world:
        await world.api.create("pods", mounting("early", "data"), NAMESPACE)
        reason = 'persistentvolumeclaim "data" not found'
        await world.until(lambda: any(reason in event["message"] for event in world.seen("events")))
        await world.api.create(CLAIMS, claim("data"), NAMESPACE)
        await world.until(lambda: world.one("pods", "early")["spec"].get("nodeName") == "node1")


async def test_a_claim_in_use_outlives_its_deletion(tmp_path: Path) -> None:
    """It is Terminating until the last pod that mounts it is gone."""
    async with running_world(nodes=1, volumes=tmp_path, also=WATCHED) as world:
        await world.api.create(CLAIMS, claim("data"), NAMESPACE)
        await world.api.create("pods", mounting("user", "data"), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 1)
        await world.api.delete(CLAIMS, "data", NAMESPACE)
        await world.settled()
        assert "deletionTimestamp" in world.one(CLAIMS, "data")["metadata"]
        await world.api.delete("pods", "user", NAMESPACE)
        await world.until(lambda: not world.seen(CLAIMS) and not world.seen(VOLUMES))


async def test_what_is_retained_is_released_and_what_is_lost_says_so(tmp_path: Path) -> None:
    """Retain keeps the volume when the claim goes; a claim whose volume goes is Lost."""
    async with running_world(nodes=0, volumes=tmp_path, also=WATCHED) as world:
        await world.api.create(VOLUMES, volume("kept"))
        await world.api.create(CLAIMS, claim("data", storageClassName=""), NAMESPACE)
        await world.until(lambda: phase(world, "data") == "Bound")
        await world.api.delete(CLAIMS, "data", NAMESPACE)
        await world.until(lambda: phase(world, "kept", kind=VOLUMES) == "Released")
        await world.api.create(VOLUMES, volume("fragile"))
        await world.api.create(CLAIMS, claim("unlucky", storageClassName=""), NAMESPACE)
        await world.until(lambda: phase(world, "unlucky") == "Bound")
        await world.api.patch(VOLUMES, "fragile", None, {"metadata": {"finalizers": None}})
        await world.api.delete(VOLUMES, "fragile")
        await world.until(lambda: phase(world, "unlucky") == "Lost")


async def test_a_claim_grows(tmp_path: Path) -> None:
    """A larger request becomes a larger volume where the class allows it."""
    async with running_world(nodes=0, volumes=tmp_path, also=WATCHED) as world:
        await world.api.create(CLAIMS, claim("data"), NAMESPACE)
        await world.until(lambda: phase(world, "data") == "Bound")
        patch = {"spec": {"resources": {"requests": {"storage": "3Gi"}}}}
        await world.api.patch(CLAIMS, "data", NAMESPACE, patch)
        await world.until(lambda: world.one(CLAIMS, "data")["status"]["capacity"] == {"storage": "3Gi"})


async def test_an_ephemeral_volume_is_a_claim_that_goes_with_its_pod(tmp_path: Path) -> None:
    """It is named after pod and volume, owned by the pod, and deleted with it."""
    async with running_world(nodes=1, volumes=tmp_path, also=WATCHED) as world:
        template = {"spec": claim("ignored")["spec"]}
        volumes = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}]
        await world.api.create("pods", pod("p", volumes=volumes), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 1)
        owner = world.one(CLAIMS, "p-scratch")["metadata"]["ownerReferences"][0]
        assert (owner["kind"], owner["name"], owner["controller"]) == ("Pod", "p", True)
        await world.api.delete("pods", "p", NAMESPACE)
        await world.until(lambda: not world.seen(CLAIMS) and not world.seen(VOLUMES))
