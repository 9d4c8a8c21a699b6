"""Custom resources over HTTP: versions, subresources, tables, patches, selection."""

import json
from collections.abc import AsyncIterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.custom.definition import KEY
from tests.sandbox.apiserver.conftest import Served
from tests.sandbox.apiserver.custom.definitions import BOATS, GROUP, HULL, boat, define, definition, gone, version

URL = f"/apis/{GROUP}/v1/namespaces/default/boats"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = {"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}


@dataclass
class Answer:
    """What came back."""

    status: int
    body: Any
    warnings: list[str]

    @property
    def causes(self) -> list[str]:
        """The causes of a refusal."""
        return [f"{cause['field']}: {cause['message']}" for cause in self.body["details"]["causes"]]


async def ask(served: Served, method: str, url: str, body: Any = None, **headers: str) -> Answer:
    """Send a request."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with served.session.request(method, url, json=body, headers=named) as answer:
        found = await answer.json() if "json" in answer.content_type else await answer.text()
        return Answer(answer.status, found, answer.headers.getall("Warning", []))


@pytest.fixture
async def boats(served: Served) -> Served:
    """A server that serves boats."""
    columns = [
        {"name": "Length", "type": "integer", "jsonPath": ".spec.length"},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Launched", "type": "date", "jsonPath": ".spec.launched", "priority": 1},
    ]
    hull = {**HULL, "properties": {**HULL["properties"], "launched": {"type": "string"}}}
    first = version(spec=hull, additionalPrinterColumns=columns, selectableFields=[{"jsonPath": ".spec.flag"}])
    first["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"] = {
        "conditions": {
            "type": "array",
            "items": {"type": "object", "properties": {"type": {"type": "string"}, "status": {"type": "string"}}},
        },
        "crew": {"type": "integer"},
    }
    await define(served.api, definition(first))
    return served


async def test_defaults_and_pruning_at_creation(boats: Served) -> None:
    """A missing field gets its default, an unknown one a warning; Strict refuses it."""
    made = await ask(boats, "POST", URL, boat(colour="red"))
    assert (made.status, made.body["spec"]) == (201, {"length": 12, "crew": 2})
    assert made.warnings == ['299 - "unknown field \\"spec.colour\\""']
    strict = await ask(boats, "POST", f"{URL}?fieldValidation=Strict", boat("other", colour="red"))
    assert strict.status == 400
    assert strict.body["message"].endswith('strict decoding error: unknown field "spec.colour"')


async def test_kind_and_version_must_be_said(boats: Served) -> None:
    """Unlike built-in kinds, custom ones aren't filled in from the path."""
    body = boat()
    del body["kind"]
    assert "Object 'Kind' is missing in" in (await ask(boats, "POST", URL, body)).body["message"]
    wrong = await ask(boats, "POST", URL, boat(api_version=f"{GROUP}/v7"))
    expected = f"the API version in the data ({GROUP}/v7) does not match the expected API version ({GROUP}/v1)"
    assert (wrong.status, wrong.body["message"]) == (400, expected)
    other = await ask(boats, "POST", URL, {**boat(), "kind": "Raft"})
    assert other.causes == ['kind: Invalid value: "Raft": must be Boat']


async def test_a_table_has_the_columns_of_the_definition(boats: Served) -> None:
    """JSONPath with a filter, numbers as numbers, dates as ages, nothing as null."""
    await ask(boats, "POST", URL, boat("a", launched="not a date"))
    await ask(boats, "POST", URL, boat("b"))
    status = {"status": {"conditions": [{"type": "Other", "status": "x"}, {"type": "Ready", "status": "True"}]}}
    await ask(boats, "PATCH", f"{URL}/b/status", status, Content_Type=MERGE)
    found = (await ask(boats, "GET", URL, **TABLE)).body
    assert [row["cells"] for row in found["rows"]] == [["a", 12, None, "<invalid>"], ["b", 12, "True", None]]
    assert [column["name"] for column in found["columnDefinitions"]] == ["Name", "Length", "Ready", "Launched"]


async def test_only_declared_fields_select(boats: Served) -> None:
    """A selectable field picks objects, in lists and watches; any other is refused."""
    await ask(boats, "POST", URL, boat("a", flag="pirate"))
    await ask(boats, "POST", URL, boat("b"))
    found = await ask(boats, "GET", f"{URL}?fieldSelector=spec.flag%3Dpirate")
    assert [item["metadata"]["name"] for item in found.body["items"]] == ["a"]
    refused = await ask(boats, "GET", f"{URL}?fieldSelector=spec.length%3D12")
    assert (refused.status, refused.body["message"]) == (400, "field label not supported: spec.length")


async def test_lists_name_the_kind_of_each_item(boats: Served) -> None:
    """Items carry kind and apiVersion; the list an empty continue token when it is whole."""
    await ask(boats, "POST", URL, boat("a"))
    await ask(boats, "POST", URL, boat("b"))
    whole = (await ask(boats, "GET", URL)).body
    assert (whole["kind"], whole["metadata"]["continue"]) == ("BoatList", "")
    assert whole["items"][0]["kind"] == "Boat"
    page = (await ask(boats, "GET", f"{URL}?limit=1")).body
    assert page["metadata"]["continue"]
    assert page["metadata"]["remainingItemCount"] == 1


async def test_status_and_spec_are_written_apart(boats: Served) -> None:
    """The status subresource changes status alone, not even labels; generation counts the spec."""
    await ask(boats, "POST", URL, boat())
    patch = {"metadata": {"labels": {"a": "b"}}, "spec": {"length": 99}, "status": {"crew": 1}}
    changed = (await ask(boats, "PATCH", f"{URL}/nina/status", patch, Content_Type=MERGE)).body
    assert (changed["spec"]["length"], changed["status"]) == (12, {"crew": 1})
    assert "labels" not in changed["metadata"]
    assert changed["metadata"]["generation"] == 1
    changed = (await ask(boats, "PATCH", f"{URL}/nina", patch, Content_Type=MERGE)).body
    assert (changed["spec"]["length"], changed["metadata"]["generation"]) == (99, 2)


async def test_scale_reads_and_writes_the_paths_of_the_definition(boats: Served) -> None:
    """Replicas are where the definition says; a version precondition is kept."""
    await ask(boats, "POST", URL, boat())
    scale = (await ask(boats, "GET", f"{URL}/nina/scale")).body
    assert (scale["spec"], scale["status"]) == ({"replicas": 2}, {"replicas": 0})
    scale["spec"]["replicas"] = 5
    assert (await ask(boats, "PUT", f"{URL}/nina/scale", scale)).body["spec"] == {"replicas": 5}
    assert (await ask(boats, "GET", f"{URL}/nina")).body["spec"]["crew"] == 5
    assert (await ask(boats, "PUT", f"{URL}/nina/scale", scale)).status == 409


async def test_applied_lists_are_merged_by_their_keys(boats: Served) -> None:
    """Two managers own an item each; what one gives up goes, what the other owns is a conflict."""
    url = f"{URL}/nina?fieldManager="
    one = boat(ports=[{"name": "a", "berth": 1}])
    two = {"apiVersion": f"{GROUP}/v1", "kind": "Boat", "spec": {"ports": [{"name": "b"}]}}
    assert (await ask(boats, "PATCH", url + "one", one, Content_Type=APPLY)).status == 201
    both = (await ask(boats, "PATCH", url + "two", two, Content_Type=APPLY)).body
    assert both["spec"]["ports"] == [{"name": "a", "berth": 1}, {"name": "b"}]
    entry = next(entry for entry in both["metadata"]["managedFields"] if entry["manager"] == "two")
    assert entry["fieldsV1"] == {"f:spec": {"f:ports": {'k:{"name":"b"}': {".": {}, "f:name": {}}}}}
    two["spec"]["ports"] = [{"name": "a", "berth": 2}]
    conflict = await ask(boats, "PATCH", url + "two", two, Content_Type=APPLY)
    assert (conflict.status, conflict.body["details"]["causes"][0]["field"]) == (409, '.spec.ports[name="a"].berth')
    gone = (await ask(boats, "PATCH", url + "one", boat(), Content_Type=APPLY)).body
    assert gone["spec"]["ports"] == [{"name": "b"}]


async def test_an_unknown_subresource_or_namespace_is_not_found(boats: Served) -> None:
    """A subresource nobody declared is 404 for the object; a path of the wrong scope is no path."""
    await ask(boats, "POST", URL, boat())
    found = await ask(boats, "GET", f"{URL}/nina/nosuch")
    assert (found.status, found.body["message"]) == (404, f'boats.{GROUP} "nina" not found')
    assert (await ask(boats, "GET", f"/apis/{GROUP}/v1/boats/nina")).body == "404 page not found\n"
    assert (await ask(boats, "GET", f"/apis/{GROUP}/v1/boats")).status == 200
    refused = await ask(boats, "DELETE", f"{URL}/nina/status")
    assert refused.body["message"] == f'delete is not supported on resources of kind "boats.{GROUP}"'


async def test_an_apply_names_what_does_not_fit_the_schema(boats: Served) -> None:
    """A configuration with an unknown field, or a value of another type, can't be applied."""
    refused = await ask(boats, "PATCH", f"{URL}/nina?fieldManager=m", boat(colour="red"), Content_Type=APPLY)
    assert refused.status == 500
    assert refused.body["message"].endswith(".spec.colour: field not declared in schema")
    wrong = await ask(boats, "PATCH", f"{URL}/nina?fieldManager=m", boat(crew="two"), Content_Type=APPLY)
    assert wrong.body["message"].endswith(".spec.crew: expected numeric (int or float), got string")


async def test_a_stricter_schema_lets_old_objects_be(boats: Served) -> None:
    """What was stored stays readable, and writable where it doesn't touch what is wrong."""
    await ask(boats, "POST", URL, boat(flag="pirate"))
    found = deepcopy(await boats.api.get(KEY, BOATS))
    schema = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["flag"] = {"type": "string", "maxLength": 2}
    schema["properties"]["spec"]["properties"]["mast"] = {"type": "integer", "default": 1}
    del schema["properties"]["spec"]["properties"]["crew"]
    await boats.api.replace(KEY, found)
    read = (await ask(boats, "GET", f"{URL}/nina")).body
    assert read["spec"] == {"length": 12, "flag": "pirate", "mast": 1}
    changed = await ask(boats, "PATCH", f"{URL}/nina", {"spec": {"length": 13}}, Content_Type=MERGE)
    assert (changed.status, changed.body["spec"]["length"]) == (200, 13)
    refused = await ask(boats, "PATCH", f"{URL}/nina", {"spec": {"flag": "white"}}, Content_Type=MERGE)
    assert refused.causes == ["spec.flag: Too long: may not be more than 2 bytes"]
    assert (await ask(boats, "POST", URL, boat("new", flag="white"))).status == 422


async def test_every_served_version_shows_every_object(served: Served) -> None:
    """Only apiVersion differs; fields that a version doesn't know are hidden, and deprecation is told."""
    old_hull = {
        "type": "object",
        "properties": {"length": {"type": "integer"}, "oars": {"type": "integer", "default": 4}},
    }
    old = version("v1beta1", spec=old_hull, storage=False, deprecated=True)
    await define(served.api, definition(version(), old))
    beta = URL.replace("/v1/", "/v1beta1/")
    made = await ask(served, "POST", beta, boat(api_version=f"{GROUP}/v1beta1"))
    assert (made.status, made.body["apiVersion"], made.body["spec"]) == (
        201,
        f"{GROUP}/v1beta1",
        {"length": 12, "oars": 4},
    )
    assert made.warnings == [f'299 - "{GROUP}/v1beta1 Boat is deprecated"']
    await ask(served, "PATCH", f"{URL}/nina", {"spec": {"flag": "x"}}, Content_Type=MERGE)
    new = (await ask(served, "GET", f"{URL}/nina")).body
    assert (new["apiVersion"], new["spec"]) == (f"{GROUP}/v1", {"length": 12, "flag": "x", "crew": 2})
    listed = (await ask(served, "GET", beta)).body
    assert [(item["apiVersion"], item["spec"]) for item in listed["items"]] == [
        (f"{GROUP}/v1beta1", {"length": 12, "oars": 4})
    ]
    assert (await ask(served, "GET", f"{beta}?watch=1&timeoutSeconds=1")).status == 200
    assert (await ask(served, "DELETE", f"{beta}/nina")).body["status"] == "Success"


async def test_a_version_can_be_added_while_objects_exist(boats: Served) -> None:
    """From the moment the definition is written the new version answers, also in watches already running."""
    await ask(boats, "POST", URL, boat())
    found = deepcopy(await boats.api.get(KEY, BOATS))
    found["spec"]["versions"].append(version("v2", storage=False))
    await boats.api.replace(KEY, found)
    new = await ask(boats, "GET", URL.replace("/v1/", "/v2/") + "/nina")
    assert (new.status, new.body["apiVersion"]) == (200, f"{GROUP}/v2")


async def test_a_kind_without_namespaces(served: Served) -> None:
    """Scope Cluster: paths without namespace, and none in the metadata."""
    await define(served.api, definition(version(), scope="Cluster"))
    made = await ask(served, "POST", f"/apis/{GROUP}/v1/boats", boat())
    assert made.status == 201
    assert "namespace" not in made.body["metadata"]
    assert (await ask(served, "GET", URL)).status == 404


async def test_a_put_names_the_version_it_replaces(boats: Served) -> None:
    """Without a resourceVersion nobody knows what would be overwritten."""
    await ask(boats, "POST", URL, boat())
    refused = await ask(boats, "PUT", f"{URL}/nina", boat())
    assert refused.causes == ["metadata.resourceVersion: Invalid value: 0: must be specified for an update"]


async def test_a_resource_inside_a_resource(served: Served) -> None:
    """`x-kubernetes-embedded-resource`: its kind is required, its metadata is metadata."""
    cargo = {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}
    spec = {"type": "object", "properties": {"length": {"type": "integer"}, "cargo": cargo}}
    await define(served.api, definition(version(spec=spec, subresources={})))
    refused = await ask(served, "POST", URL, boat(cargo={"data": 1}))
    assert refused.causes == [
        "spec.cargo.apiVersion: Required value: must not be empty",
        "spec.cargo.kind: Required value: must not be empty",
    ]
    inner = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "nosuch": 1}, "data": {"a": "b"}}
    made = await ask(served, "POST", URL, boat(cargo=inner))
    assert made.body["spec"]["cargo"]["metadata"] == {"name": "x"}


async def test_status_counts_where_it_is_no_subresource(served: Served) -> None:
    """Without the subresource status is a field like any other: given at creation, counted in generation."""
    await define(served.api, definition(version(subresources={})))
    made = await ask(served, "POST", URL, {**boat(), "status": {"state": "afloat"}})
    assert made.body["status"] == {"state": "afloat"}
    patch: Object = {"status": {"state": "sunk"}}
    changed = await ask(served, "PATCH", f"{URL}/nina", patch, Content_Type=MERGE)
    assert changed.body["metadata"]["generation"] == 2


async def test_a_body_that_arrives_after_its_definition_went_makes_nothing(boats: Served) -> None:
    """What is created is judged by what is served when all of it has been said."""
    text = json.dumps(boat()).encode()

    async def slowly() -> AsyncIterator[bytes]:
        yield text[:10]
        await boats.api.delete(KEY, BOATS)
        await gone(boats.api, BOATS)
        yield text[10:]

    headers = {"Content-Type": "application/json"}
    async with boats.session.post(URL, data=slowly(), headers=headers) as answer:
        assert answer.status == 404
    await define(boats.api, definition(version()))
    assert (await ask(boats, "GET", URL)).body["items"] == []
