"""What stands in a cell's part of the cluster, in a form that can be compared: before, and after recovery."""

import asyncio
import json
from collections import Counter
from typing import Any

from seatrial.kube.client import Client
from seatrial.kube.errors import NotFound
from seatrial.kube.objects import Pod
from seatrial.kube.resources import NODES, PODS

_KINDS = (
    "configmaps", "secrets", "services", "serviceaccounts", "deployments", "replicasets", "statefulsets", "daemonsets",
    "jobs", "pods", "networkpolicies", "persistentvolumeclaims", "poddisruptionbudgets",
)  # fmt: skip
_CHANGING = ("resourceVersion", "generation", "managedFields", "creationTimestamp", "uid")
_EVERYWHERE = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}
_REVISION = "deployment.kubernetes.io/revision"

Picture = dict[str, Any]


async def picture(cluster: Client, namespace: str, *, with_uids: bool) -> Picture:
    """Objects that belong to no other by kind and name; of the others how many each owner has."""
    resources = await asyncio.gather(*map(cluster.discover, _KINDS))
    lists = await asyncio.gather(*(cluster.list(each, namespace=namespace) for each in resources))
    shown: Picture = {}
    owned: Counter[str] = Counter()
    for resource, listed in zip(resources, lists, strict=True):
        for found in listed.items:
            meta = found["metadata"]
            if (resource.kind, meta["name"]) in _EVERYWHERE:
                continue
            if owners := meta.get("ownerReferences"):
                owned[f"{resource.kind} of {owners[0]['kind']} {owners[0]['name']}"] += 1
            else:
                shown[f"{resource.kind} {meta['name']}"] = _shown(found, with_uids=with_uids)
    try:
        node = await cluster.get(NODES, namespace)
    except NotFound:
        pass
    else:
        shown[f"Node {namespace}"] = _shown(node, with_uids=with_uids)
    return {**shown, **dict(sorted(owned.items()))}


async def seen_inside(cluster: Client, namespace: str, command: str) -> Picture:
    """What a shell command shows in each pod with the label `app=web`."""
    pods = await cluster.list(PODS, namespace=namespace, label_selector="app=web", type=Pod)
    shown: Picture = {}
    for pod in (each for each in pods.items if each.metadata.deletion_timestamp is None):
        result = await cluster.exec(pod.metadata.name, namespace=namespace, command=["sh", "-c", command])
        shown["inside"] = sorted((result.stdout + result.stderr).decode().splitlines())
    return shown


def differences(before: Picture, after: Picture) -> list[str]:
    """What is different, a line each."""
    return [
        f"{what}: {json.dumps(before.get(what))} became {json.dumps(after.get(what))}"
        for what in sorted({*before, *after})
        if before.get(what) != after.get(what)
    ]


def _shown(found: dict[str, Any], *, with_uids: bool) -> dict[str, Any]:
    meta = {key: value for key, value in found["metadata"].items() if key not in _CHANGING}
    if with_uids:
        meta["uid"] = found["metadata"]["uid"]
        meta["managers"] = sorted(
            json.dumps([each["manager"], each["operation"], _fields(each["fieldsV1"])], sort_keys=True)
            for each in found["metadata"].get("managedFields") or ()
            # What controllers report, they report when they like.
            if not each.get("subresource") and each["manager"] not in {"kube-controller-manager", "kubelet"}
        )
    annotations = {key: value for key, value in (meta.pop("annotations", None) or {}).items() if key != _REVISION}
    spec = {key: value for key, value in (found.get("spec") or {}).items() if key not in {"clusterIP", "clusterIPs"}}
    if taints := spec.get("taints"):  # their times are when the node controller put them there last
        spec["taints"] = [{key: value for key, value in each.items() if key != "timeAdded"} for each in taints]
    rest = {key: value for key, value in found.items() if key in {"data", "stringData", "type"}}
    return {"metadata": meta, "annotations": annotations, "spec": spec, **rest}


def _fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields without the maps themselves, which belong to whoever came first."""
    return {key: _fields(below) for key, below in fields.items() if key != "."}
