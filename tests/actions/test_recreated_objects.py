import asyncio
import shlex

import pytest
import yaml

from seatrial.actions.recreated_objects import RECREATE_OBJECT, controller_of, declared, recreation_of, unrestorable
from seatrial.kube.resources import (
    CONFIGMAPS,
    JOBS,
    NAMESPACES,
    NODES,
    PERSISTENTVOLUMECLAIMS,
    PODS,
    SECRETS,
    SERVICES,
    STATEFULSETS,
)


def thing(kind="ConfigMap", *, meta=None, **others):
    metadata = {"name": "x", "namespace": "n", "uid": "1", "resourceVersion": "5", "managedFields": [], **(meta or {})}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **others}


def job(*, finished=False, manual=False):
    generated = {"controller-uid": "1", "batch.kubernetes.io/controller-uid": "1", "job-name": "x", "app": "web"}
    spec = {"selector": {"matchLabels": {"controller-uid": "1"}}, "template": {"metadata": {"labels": generated}}}
    spec |= {"manualSelector": True} if manual else {}
    conditions = [{"type": "Complete", "status": "True"}] if finished else []
    return thing("Job", meta={"labels": generated}, spec=spec, status={"conditions": conditions})


def service(**spec):
    status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}
    return thing("Service", spec={"type": "LoadBalancer", **spec}, status=status)


def stateful_set(**retention):
    return thing("StatefulSet", spec={"persistentVolumeClaimRetentionPolicy": retention})


def test_what_is_declared_has_no_identity():
    """Neither UID, version, ownership of fields nor status; names, labels, annotations and owners stay."""
    owner = [{"kind": "Deployment", "name": "web", "uid": "9", "controller": True}]
    given = thing(meta={"labels": {"a": "b"}, "annotations": {"c": "d"}, "ownerReferences": owner}, status={"x": 1})
    assert declared(CONFIGMAPS, given)["metadata"] == {
        "name": "x", "namespace": "n", "labels": {"a": "b"}, "annotations": {"c": "d"}, "ownerReferences": owner,
    }  # fmt: skip
    assert "status" not in declared(CONFIGMAPS, given)
    assert given["metadata"]["uid"] == "1"


def test_a_pod_may_be_placed_anew():
    """The scheduler chooses a node; ephemeral containers can't be created with a pod."""
    pod = thing("Pod", spec={"nodeName": "n1", "ephemeralContainers": [{}], "containers": [{"name": "c"}]})
    assert declared(PODS, pod)["spec"] == {"containers": [{"name": "c"}]}


def test_a_jobs_generated_labels_are_generated_again():
    """The API server refuses a new Job with the old one's UID in its selector; a selector of one's own stays."""
    anew = declared(JOBS, job())
    assert "selector" not in anew["spec"]
    assert anew["spec"]["template"]["metadata"]["labels"] == {"app": "web"}
    assert anew["metadata"]["labels"] == {"app": "web"}
    assert declared(JOBS, job(manual=True))["spec"]["selector"] == {"matchLabels": {"controller-uid": "1"}}


def test_the_token_of_a_service_account_is_issued_anew():
    """Its data was made by a controller; other Secrets keep theirs."""
    meta = {"annotations": {"kubernetes.io/service-account.name": "a", "kubernetes.io/service-account.uid": "7"}}
    token = thing("Secret", meta=meta, type="kubernetes.io/service-account-token", data={"token": "eA=="})
    anew = declared(SECRETS, token)
    assert "data" not in anew
    assert anew["metadata"]["annotations"] == {"kubernetes.io/service-account.name": "a"}
    assert declared(SECRETS, thing("Secret", type="Opaque", data={"a": "eA=="}))["data"] == {"a": "eA=="}


@pytest.mark.parametrize(
    ("resource", "given", "lost"),
    [
        (NAMESPACES, thing("Namespace"), "all objects in it"),
        (PERSISTENTVOLUMECLAIMS, thing("PersistentVolumeClaim"), "the data of its volume"),
        (NODES, thing("Node"), "what its kubelet and its cloud told of it"),
        (JOBS, job(finished=True), "its result: made anew, it would run again"),
        (JOBS, job(), ""),
        (STATEFULSETS, stateful_set(whenDeleted="Delete"), "the data of its volumes, whose claims it takes with it"),
        (STATEFULSETS, stateful_set(whenDeleted="Retain", whenScaled="Delete"), ""),
        (SERVICES, service(), "the address of its load balancer"),
        (SERVICES, service(loadBalancerIP="203.0.113.7"), ""),
        (SERVICES, thing("Service", spec={"clusterIP": "10.0.0.7"}, status={"loadBalancer": {}}), ""),
        (CONFIGMAPS, thing(), ""),
    ],
)
def test_what_would_be_lost_for_good_is_known(resource, given, lost):
    """Contents, data, results: what no manifest holds."""
    assert unrestorable(resource, given) == lost


def test_a_controller_is_named():
    """Of several owners the one that controls the object makes it anew."""
    owners = [{"kind": "ConfigMap", "name": "a"}, {"kind": "ReplicaSet", "name": "web-1", "controller": True}]
    assert controller_of(thing(meta={"ownerReferences": owners})) == "ReplicaSet/web-1"
    assert controller_of(thing(meta={"ownerReferences": owners[:1]})) == ""


def test_the_command_for_a_person_makes_the_object():
    """What a shell would hand to kubectl is the object, whatever quotes stand in it."""
    undo = recreation_of(CONFIGMAPS, thing(data={"quote": 'it\'s "so" $HOME'}), "run-1")
    echo, text, *rest = shlex.split(undo.manual)
    assert (echo, rest) == ("echo", ["|", "kubectl", "create", "-f", "-"])
    assert yaml.safe_load(text)["data"] == {"quote": 'it\'s "so" $HOME'}
    assert undo.description == "make ConfigMap n/x anew"


@pytest.mark.parametrize(
    ("resource", "given"),
    [
        (SECRETS, thing("Secret", data={"password": "c2VjcmV0"})),
        (CONFIGMAPS, thing(data={"page": "x" * 5000})),
    ],
)
def test_secrets_and_large_objects_are_not_printed(resource, given):
    """The journal has them: that is where the command takes them from."""
    assert recreation_of(resource, given, "run-1").manual == "seatrial recover --run run-1"


async def test_it_may_be_repeated(control, on_cluster):
    """Not deleted, deleted, made anew already: each time the object is there once, and there is nothing to say."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "b"}}
    made = await control.cluster.create(CONFIGMAPS, body, namespace="default")
    undo = recreation_of(CONFIGMAPS, made, "run-1")
    world = on_cluster.context.world
    assert await RECREATE_OBJECT.run(undo.args, world) == ""
    assert (await control.cluster.get(CONFIGMAPS, "x", namespace="default"))["metadata"]["uid"] == made["metadata"][
        "uid"
    ]
    await control.cluster.delete(CONFIGMAPS, "x", namespace="default")
    assert await RECREATE_OBJECT.run(undo.args, world) == ""
    anew = await control.cluster.get(CONFIGMAPS, "x", namespace="default")
    assert await RECREATE_OBJECT.run(undo.args, world) == ""
    assert (await control.cluster.get(CONFIGMAPS, "x", namespace="default"))["metadata"]["uid"] == anew["metadata"][
        "uid"
    ]


async def test_what_somebody_else_made_since_is_theirs(control, on_cluster):
    """A namesake with other content stays as it is, and that is said."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "b"}}
    made = await control.cluster.create(CONFIGMAPS, body, namespace="default")
    undo = recreation_of(CONFIGMAPS, made, "run-1")
    await control.cluster.delete(CONFIGMAPS, "x", namespace="default")
    await control.cluster.create(CONFIGMAPS, {**body, "data": {"a": "theirs"}}, namespace="default")
    assert await RECREATE_OBJECT.run(undo.args, on_cluster.context.world) == "somebody made another one since"
    assert (await control.cluster.get(CONFIGMAPS, "x", namespace="default"))["data"] == {"a": "theirs"}


async def test_what_is_still_on_its_way_out_is_waited_for(control, on_cluster):
    """A finalizer holds the old object: the new one is made when it is gone."""
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x", "finalizers": ["example.com/hold"]},
        "data": {"a": "b"},
    }
    made = await control.cluster.create(CONFIGMAPS, body, namespace="default")
    undo = recreation_of(CONFIGMAPS, made, "run-1")
    await control.cluster.delete(CONFIGMAPS, "x", namespace="default")
    making = asyncio.create_task(RECREATE_OBJECT.run(undo.args, on_cluster.context.world))
    await asyncio.wait({making}, timeout=0.2)
    assert not making.done()
    await control.cluster.patch(CONFIGMAPS, "x", {"metadata": {"finalizers": None}}, namespace="default")
    assert await asyncio.wait_for(making, 30) == ""
    anew = await control.cluster.get(CONFIGMAPS, "x", namespace="default")
    assert anew["metadata"]["uid"] != made["metadata"]["uid"]
