import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver import schema
from seatrial.sandbox.apiserver.patching.apply import Applied
from seatrial.sandbox.apiserver.patching.apply_merge import merged
from seatrial.sandbox.apiserver.patching.field_sets import from_fields, owned_paths, to_fields
from seatrial.sandbox.apiserver.patching.managed_fields import MOST_UPDATERS, entries, track_update
from tests.sandbox.apiserver.conftest import Served
from tests.sandbox.apiserver.objects import config_map, deployment, pod

MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
APPLY = {"Content-Type": "application/apply-patch+yaml"}
MERGE = {"Content-Type": "application/merge-patch+json"}


async def apply(served: Served, path: str, config: Object, *, manager: str, **query: str) -> tuple[int, Any]:
    """Apply a configuration: the status and the answer."""
    params = {"fieldManager": manager, **query}
    async with served.session.patch(path, params=params, data=json.dumps(config), headers=APPLY) as answer:
        return answer.status, await answer.json()


def map_config(name: str, **data: str) -> Object:
    """A ConfigMap to apply."""
    return {"apiVersion": "v1", "kind": "ConfigMap", **config_map(name, **data)}


def deployment_config(name: str, **container: Any) -> Object:
    """A Deployment to apply that says of its container what is given."""
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", **container}]}}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def container_of(obj: Object) -> Object:
    """The first container of a Deployment."""
    found: Object = obj["spec"]["template"]["spec"]["containers"][0]
    return found


def owners(obj: Object) -> dict[str, Object]:
    """What each manager owns."""
    return {entry["manager"]: entry["fieldsV1"] for entry in entries(obj)}


async def test_what_a_manager_no_longer_wants_goes_unless_another_owns_it(served: Served) -> None:
    """A field with two owners stays when one lets go, and goes with the last."""
    path = f"{MAPS}/c"
    assert (await apply(served, path, map_config("c", a="1", b="1"), manager="one"))[0] == 201
    await apply(served, path, map_config("c", a="1"), manager="two")
    _, obj = await apply(served, path, map_config("c", b="1"), manager="one")
    assert obj["data"] == {"a": "1", "b": "1"}
    _, obj = await apply(served, path, map_config("c"), manager="two")
    assert obj["data"] == {"b": "1"}


async def test_a_structure_goes_with_the_last_of_its_fields(served: Served) -> None:
    """Letting go of all that is in a structure leaves no empty one behind."""
    path = f"{DEPLOYMENTS}/d"
    limits = {"limits": {"memory": "64Mi"}}
    wanted = deployment_config("d", image="nginx", resources=limits, securityContext={"runAsUser": 1000})
    await apply(served, path, wanted, manager="one")
    _, obj = await apply(served, path, deployment_config("d", image="nginx"), manager="one")
    assert "securityContext" not in container_of(obj)
    assert container_of(obj)["resources"] == {}
    assert container_of(obj)["terminationMessagePath"]  # set by the server, and nobody's


async def test_items_of_a_list_belong_to_whoever_named_them(served: Served) -> None:
    """Two managers share a container; each brings and takes its own variables, in the order of the configuration."""
    path = f"{DEPLOYMENTS}/d"
    first = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    await apply(served, path, deployment_config("d", image="nginx", env=first), manager="one")
    await apply(served, path, deployment_config("d", env=[{"name": "C", "value": "3"}]), manager="two")
    again = [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]
    _, obj = await apply(served, path, deployment_config("d", image="nginx", env=again), manager="one")
    assert [entry["name"] for entry in container_of(obj)["env"]] == ["B", "C", "A"]
    _, obj = await apply(served, path, deployment_config("d", image="nginx"), manager="one")
    assert container_of(obj)["env"] == [{"name": "C", "value": "3"}]


async def test_conflicts_name_every_field_and_its_manager(served: Served) -> None:
    """Two conflicts with two managers are listed by manager; force takes both fields."""
    path = f"{MAPS}/c"
    await apply(served, path, map_config("c", a="1"), manager="one")
    async with served.session.patch(
        path, params={"fieldManager": "hand"}, data='{"data":{"b":"1"}}', headers=MERGE
    ) as answer:
        assert answer.status == 200
    code, status = await apply(served, path, map_config("c", a="2", b="2"), manager="two")
    assert (code, status["reason"]) == (409, "Conflict")
    assert status["message"] == (
        'Apply failed with 2 conflicts: conflicts with "hand" using v1:\n- .data.b\nconflicts with "one":\n- .data.a'
    )
    assert [cause["field"] for cause in status["details"]["causes"]] == [".data.b", ".data.a"]
    code, obj = await apply(served, path, map_config("c", a="2", b="2"), manager="two", force="true")
    assert (code, owners(obj)) == (200, {"two": {"f:data": {"f:a": {}, "f:b": {}}}})


async def test_an_equal_value_is_shared_without_a_time(served: Served) -> None:
    """Who changes nothing becomes an owner too, but at no time; applying the same again changes nothing at all."""
    path = f"{MAPS}/c"
    await apply(served, path, map_config("c", a="1"), manager="one")
    _, shared = await apply(served, path, map_config("c", a="1"), manager="two")
    assert [("time" in entry, entry["manager"]) for entry in entries(shared)] == [(False, "two"), (True, "one")]
    _, again = await apply(served, path, map_config("c", a="1"), manager="two")
    assert again == shared


async def test_objects_of_before_are_owned_by_those_who_came_before(served: Served) -> None:
    """The first apply to an object without managedFields meets `before-first-apply`."""
    await served.api.create("configmaps", config_map("c", a="1"), "default")
    async with served.session.patch(f"{MAPS}/c", data='{"metadata":{"managedFields":[{}]}}', headers=MERGE) as answer:
        assert "managedFields" not in (await answer.json())["metadata"]
    async with served.session.patch(f"{MAPS}/c", data='{"data":{"b":"1"}}', headers=MERGE) as answer:
        assert "managedFields" not in (await answer.json())["metadata"]
    code, status = await apply(served, f"{MAPS}/c", map_config("c", a="2"), manager="one")
    assert (code, status["details"]["causes"][0]["message"]) == (409, 'conflict with "before-first-apply" using v1')
    _, obj = await apply(served, f"{MAPS}/c", map_config("c", a="1"), manager="one")
    assert owners(obj)["before-first-apply"] == {"f:data": {".": {}, "f:a": {}, "f:b": {}}}


async def test_kubectl_takes_over_what_it_has_applied_from_the_client(served: Served) -> None:
    """Fields that agree with kubectl's last-applied annotation are no conflict for kubectl, others are."""
    config = map_config("c", a="1")
    annotation = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(config)}
    body = {**config, "metadata": {"name": "c", "annotations": annotation}}
    params = {"fieldManager": "kubectl-client-side-apply"}
    async with served.session.post(MAPS, params=params, json=body) as answer:
        assert answer.status == 201
    assert (await apply(served, f"{MAPS}/c", map_config("c", a="2"), manager="other"))[0] == 409
    code, obj = await apply(served, f"{MAPS}/c", map_config("c", a="2"), manager="kubectl")
    assert (code, obj["data"]) == (200, {"a": "2"})


async def test_scaling_by_apply_is_ownership_of_replicas(served: Served) -> None:
    """A Scale applied meets the owner of `spec.replicas`, and takes it over when forced."""
    path = f"{DEPLOYMENTS}/d"
    wanted = deployment_config("d", image="nginx")
    wanted["spec"]["replicas"] = 2
    await apply(served, path, wanted, manager="one")
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d"}, "spec": {"replicas": 3}}
    code, status = await apply(served, f"{path}/scale", scale, manager="scaler")
    assert (code, status["details"]["causes"][0]["field"]) == (409, ".spec.replicas")
    code, answer = await apply(served, f"{path}/scale", scale, manager="scaler", force="true")
    assert (code, answer["kind"], answer["spec"]) == (200, "Scale", {"replicas": 3})
    live = await served.api.get("deployments.apps", "d", "default")
    entry = next(entry for entry in entries(live) if entry["manager"] == "scaler")
    assert (entry["subresource"], entry["apiVersion"]) == ("scale", "apps/v1")
    assert entry["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in owners(live)["one"]["f:spec"]


async def test_what_the_server_sets_belongs_to_nobody(served: Served) -> None:
    """Allocated addresses and ports aren't among the fields of whoever made the Service."""
    body = {"metadata": {"name": "s"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
    made = await served.api.create("services", body, "default")
    assert made["spec"]["ports"][0]["nodePort"]
    (fields,) = owners(made).values()
    assert "f:clusterIP" not in fields["f:spec"]
    assert "f:nodePort" not in fields["f:spec"]["f:ports"]['k:{"port":80,"protocol":"TCP"}']


async def test_a_malformed_configuration_is_400(served: Served) -> None:
    """Neither metadata that is no object nor a missing kind is the server's fault."""
    metadata: Any
    for metadata in (["text"], "text", 1):
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        assert (await apply(served, f"{MAPS}/c", config, manager="one"))[0] == 400
    assert (await apply(served, f"{MAPS}/c", {"kind": "ConfigMap"}, manager="one"))[0] == 400


def test_at_most_ten_managers_of_updates_are_told_apart() -> None:
    """The oldest are put together as `ancient-changes`; no field is lost."""
    obj: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {}}
    obj["metadata"]["managedFields"] = track_update(None, obj, manager="m0", subresource="") or [
        {"manager": "m", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:x": {}}}
    ]
    for number in range(15):
        new = {**obj, "metadata": dict(obj["metadata"]), "data": {**obj["data"], f"k{number}": "v"}}
        new["metadata"]["managedFields"] = track_update(obj, new, manager=f"m{number}", subresource="")
        obj = new
    updates = [entry for entry in entries(obj) if entry["operation"] == "Update"]
    assert len(updates) == MOST_UPDATERS
    assert "ancient-changes" in owners(obj)
    found = {path[1] for entry in updates for path in from_fields(entry["fieldsV1"]) if len(path) > 1}
    assert found == {f"f:k{number}" for number in range(15)}


def test_fields_of_items_that_share_a_key_are_owned_together() -> None:
    """Two ports of one number count as one item without parts."""
    ports = [{"name": "a", "containerPort": 1}, {"name": "b", "containerPort": 1}]
    obj = {"apiVersion": "v1", "kind": "Pod", **pod("p")}
    obj["spec"]["containers"][0]["ports"] = ports
    (entry,) = track_update(None, obj, manager="m", subresource="")
    item = entry["fieldsV1"]["f:spec"]["f:containers"]['k:{"name":"c"}']
    assert item["f:ports"] == {".": {}, 'k:{"containerPort":1,"protocol":"TCP"}': {}}


NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
ENVIRONMENTS = st.lists(st.builds(lambda name: {"name": name, "value": name}, NAMES), unique_by=lambda e: e["name"])


@given(ENVIRONMENTS, ENVIRONMENTS)
def test_merged_lists_hold_every_item_once_in_the_order_of_the_configuration(live: Any, config: Any) -> None:
    """Whatever both lists hold: nothing is lost, nothing twice, and the configuration's order wins."""
    field = schema.child(schema.structure("core.v1.Container"), "env")
    result = [entry["name"] for entry in merged(live, config, field)]
    assert sorted(result) == sorted({entry["name"] for entry in (*live, *config)})
    wanted = [entry["name"] for entry in config]
    assert [name for name in result if name in wanted] == wanted


@given(ENVIRONMENTS, ENVIRONMENTS)
def test_applying_twice_is_applying_once(first: Any, second: Any) -> None:
    """The second of two equal applies neither changes the object nor its managedFields."""
    live: Object = {"apiVersion": "apps/v1", "kind": "Deployment", **deployment("d")}
    live["metadata"]["resourceVersion"] = "1"
    for env in (first, second, second):
        before = live
        wanted = {"env": env} if env else {}
        applied = Applied(deployment_config("d", image="nginx", **wanted), manager="one", subresource="", force=True)
        merged_object = applied.merge(live)
        merged_object["metadata"]["managedFields"] = applied.track(live, merged_object)
        live = merged_object
    assert live == before


@pytest.mark.parametrize("fields", [{}, {"f:a": {".": {}, "f:b": {}}}, {"f:l": {'k:{"name":"c"}': {".": {}}}}])
def test_fields_are_read_as_they_are_written(fields: Object) -> None:
    """`FieldsV1` to paths and back."""
    once = to_fields(from_fields(fields))
    assert from_fields(once) == from_fields(fields)


def test_a_configuration_owns_what_it_names_and_no_more() -> None:
    """Items of lists with keys are fields themselves; structures only when they are empty."""
    config = deployment_config("d", env=[{"name": "A"}], resources={})
    root = schema.root("apps/v1", "Deployment")
    container = ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"c"}')
    found = {path[len(container) :] for path in owned_paths(config, root) if path[: len(container)] == container}
    variable = ("f:env", 'k:{"name":"A"}')
    assert found == {(), ("f:name",), variable, (*variable, "f:name"), ("f:resources",)}
