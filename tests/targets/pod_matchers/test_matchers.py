"""The matchers beyond namespaces, labels and Deployments, each against an API server."""

import json

import pytest
from pydantic import ValidationError

from seatrial.errors import SeatrialError
from seatrial.targets.pods import PodMatcher, match_pods, named_namespaces

TEMPLATE = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"restartPolicy": "Always", "containers": [{"name": "c", "image": "busybox"}]},
}
SELECTOR = {"matchLabels": {"app": "web"}}
SPEC = {"selector": SELECTOR, "template": TEMPLATE}


def matcher(spec):
    return PodMatcher.model_validate(spec)


async def match(spec, recorder, **options):
    matched = await match_pods([matcher(spec)], recorder.context, **options)
    return [pod.metadata.name for pod in matched.pods], matched.notes


async def own(control, resource, name, *, spec=SPEC, owner=None, kind="", api_version="apps/v1"):
    """Make an object; answers the reference by which others name it as their owner."""
    owners = [{**owner, "controller": True}] if owner else []
    body = {"metadata": {"name": name, "labels": {"app": "web"}, "ownerReferences": owners}, "spec": spec}
    made = await control.server.api.create(resource, body, "default")
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": made["metadata"]["uid"]}


async def bind(control, pod, node):
    body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod}, "target": {"kind": "Node", "name": node}}
    answer = await control.cluster.request(
        "POST", f"/api/v1/namespaces/default/pods/{pod}/binding",
        body=json.dumps(body).encode(), headers={"Content-Type": "application/json"},
    )  # fmt: skip
    assert answer.status == 201


@pytest.mark.parametrize(
    ("key", "resource", "kind", "spec"),
    [
        ("statefulSet", "statefulsets.apps", "StatefulSet", {**SPEC, "serviceName": "web"}),
        ("daemonSet", "daemonsets.apps", "DaemonSet", SPEC),
        ("replicaSet", "replicasets.apps", "ReplicaSet", SPEC),
    ],
)
@pytest.mark.parametrize("metadata_only", [True, False])
async def test_pods_of_a_workload_are_those_it_controls(control, on_cluster, key, resource, kind, spec, metadata_only):
    """A pod with the same labels that it doesn't control is none of its pods, whichever way pods are read."""
    owner = await own(control, resource, "web", spec=spec, kind=kind)
    await control.create_pods("mine", owner=owner, app="web")
    await control.create_pods("stray", app="web")
    asked = {key: {"name": "web", "namespace": "default"}}
    assert await match(asked, on_cluster, metadata_only=metadata_only) == (["mine"], ())
    missing = {key: {"name": "other", "namespace": "default"}}
    assert await match(missing, on_cluster) == ([], (f"there is no {kind} default/other",))


async def test_pods_of_a_job(control, on_cluster):
    """A Job's selector is made by the API server, and is followed as it is there."""
    template = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}
    spec = {"template": template}
    owner = await own(control, "jobs.batch", "sum", spec=spec, kind="Job", api_version="batch/v1")
    await control.create_pods("mine", owner=owner, **{"batch.kubernetes.io/controller-uid": owner["uid"]})
    await control.create_pods("stray", app="web")
    assert await match({"job": {"name": "sum", "namespace": "default"}}, on_cluster) == (["mine"], ())


async def test_an_owner_of_any_kind_owns_what_its_own_own(control, on_cluster):
    """From the Deployment through its ReplicaSet to the pods; each of both is an owner, and no other's pods are."""
    deployment = await own(control, "deployments.apps", "web", kind="Deployment")
    replica_set = await own(control, "replicasets.apps", "web-1", owner=deployment, kind="ReplicaSet")
    await control.create_pods("mine", owner=replica_set, app="web")
    other = await own(control, "replicasets.apps", "other-1", kind="ReplicaSet")
    await control.create_pods("theirs", owner=other, app="web")
    await control.create_pods("bare", app="web")
    for kind, name in (("Deployment", "web"), ("ReplicaSet", "web-1")):
        assert await match({"owner": {"kind": kind, "name": name, "namespace": "default"}}, on_cluster) == (
            ["mine"],
            (),
        )
    asked = {"owner": {"kind": "Deployment", "apiVersion": "apps/v1", "name": "x", "namespace": "default"}}
    assert await match(asked, on_cluster) == ([], ("there is no Deployment default/x",))


async def test_an_owner_that_belongs_to_no_namespace(control, on_cluster):
    """A node owns the mirror pods of its kubelet, in any namespace."""
    node = await control.server.api.create("nodes", {"metadata": {"name": "n1"}})
    owner = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": node["metadata"]["uid"]}
    await control.create_pods("mirror", owner=owner)
    await control.create_pods("other")
    assert await match({"owner": {"kind": "Node", "name": "n1"}}, on_cluster) == (["mirror"], ())


async def test_an_owner_that_can_t_be_looked_for_is_said(on_cluster):
    """A kind that nobody knows, and a kind that has a namespace without one."""
    with pytest.raises(SeatrialError, match="Nonsense"):
        await match({"owner": {"kind": "Nonsense", "name": "x", "namespace": "default"}}, on_cluster)
    with pytest.raises(SeatrialError, match="a Deployment has a namespace"):
        await match({"owner": {"kind": "Deployment", "name": "x"}}, on_cluster)


async def test_pods_behind_a_service(control, on_cluster):
    """Those that it selects; Services that select nothing by themselves are said to."""
    await control.create_pods("a", "b", app="web")
    await control.create_pods("c", app="db")
    services = {
        "web": {"selector": {"app": "web"}},
        "none": {},
        "far": {"type": "ExternalName", "externalName": "x.example"},
    }
    for name, spec in services.items():
        ports = {} if name == "far" else {"ports": [{"port": 80}]}
        await control.server.api.create("services", {"metadata": {"name": name}, "spec": {**spec, **ports}}, "default")

    async def behind(name):
        return await match({"service": {"name": name, "namespace": "default"}}, on_cluster)

    assert await behind("web") == (["a", "b"], ())
    assert await behind("none") == ([], ("service default/none has no selector, and its EndpointSlices name no pod",))
    assert await behind("far") == ([], ("service default/far is but another name for x.example",))
    assert await behind("missing") == ([], ("there is no Service default/missing",))


async def test_pods_behind_a_service_without_a_selector(control, on_cluster):
    """The pods that its EndpointSlices name."""
    await control.create_pods("b", app="web")
    [pod] = await control.create_pods("a", app="web")
    await control.server.api.create(
        "services", {"metadata": {"name": "hand"}, "spec": {"ports": [{"port": 80}]}}, "default"
    )
    reference = {"kind": "Pod", "name": "a", "namespace": "default", "uid": pod["metadata"]["uid"]}
    await control.server.api.create(
        "endpointslices.discovery.k8s.io",
        {
            "metadata": {"name": "hand-1", "labels": {"kubernetes.io/service-name": "hand"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.0.0.1"], "targetRef": reference}, {"addresses": ["10.0.0.2"]}],
        },
        "default",
    )
    assert await match({"service": {"name": "hand", "namespace": "default"}}, on_cluster) == (["a"], ())


@pytest.mark.parametrize("metadata_only", [True, False])
async def test_pods_by_node_and_by_zone(control, on_cluster, metadata_only):
    """Those that run there, in the namespaces asked for; a place that isn't there is said."""
    for name, zone in (("n1", "west"), ("n2", "west"), ("n3", "east")):
        labels = {"topology.kubernetes.io/zone": zone}
        await control.server.api.create("nodes", {"metadata": {"name": name, "labels": labels}})
    await control.create_pods("a", "b", "c", "d")
    for pod, node in (("a", "n1"), ("b", "n2"), ("c", "n3")):
        await bind(control, pod, node)

    async def there(spec):
        return await match(spec, on_cluster, metadata_only=metadata_only)

    assert await there({"node": {"name": "n1"}}) == (["a"], ())
    assert await there({"zone": {"name": "west"}}) == (["a", "b"], ())
    assert await there({"zone": {"name": "west", "namespace": "kube-*"}}) == ([], ())
    assert await there({"node": {"name": "n9"}}) == ([], ("there is no node 'n9'",))
    assert await there({"zone": {"name": "north"}}) == ([], ("no node is in the zone 'north'",))


async def test_pods_by_field(control, on_cluster):
    """What the API server can select by; a field that it doesn't know is its own error."""
    await control.create_pods("a", "b")
    assert await match({"field": {"selector": "metadata.name=a", "namespace": "default"}}, on_cluster) == (["a"], ())
    assert await match({"field": {"selector": "metadata.name!=a", "namespace": "*"}}, on_cluster) == (["b"], ())
    with pytest.raises(SeatrialError, match=r"spec\.color"):
        await match({"field": {"selector": "spec.color=red", "namespace": "default"}}, on_cluster)


@pytest.mark.parametrize("selector", ["", "  ", "status.phase", "a=b\\c"])
def test_a_field_selector_that_selects_nothing_or_makes_no_sense_is_refused(selector):
    """As with labels: nothing would be everything."""
    with pytest.raises(ValidationError):
        matcher({"field": {"selector": selector, "namespace": "default"}})


async def test_metadata_alone_is_read_where_that_is_enough(control, on_cluster):
    """The pods then have names, labels and owners, and neither specification nor status."""
    await control.create_pods("a", app="web")
    spec = matcher({"labels": {"selector": "app=web", "namespace": "default"}})
    [lean] = (await match_pods([spec], on_cluster.context, metadata_only=True)).pods
    [whole] = (await match_pods([spec], on_cluster.context)).pods
    assert (lean.metadata.uid, lean.metadata.labels) == (whole.metadata.uid, {"app": "web"})
    assert (len(lean.spec.containers), len(whole.spec.containers)) == (0, 1)


def test_namespaces_that_are_named_exactly():
    """Neither all of them, nor a glob, nor none at all is a name."""
    specs = [
        {"namespace": "a"}, {"namespace": "*"}, {"namespace": ""}, {"namespace": "team-*"},
        {"labels": {"selector": "x=y", "namespace": "b"}}, {"owner": {"kind": "Node", "name": "n"}},
        {"deployment": {"name": "x", "namespace": "c"}}, {"node": {"name": "n"}},
    ]  # fmt: skip
    assert named_namespaces([matcher(spec) for spec in specs]) == {"a", "b", "c"}
