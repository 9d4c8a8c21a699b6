"""CustomResourceDefinitions themselves: what is refused, what is filled in, how one comes to be served and goes."""

from typing import Any

import pytest

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver.custom.definition import KEY, find_condition
from seatrial.sandbox.apiserver.local import LocalApi
from tests.sandbox.apiserver.conftest import Served
from tests.sandbox.apiserver.custom.definitions import (
    BOATS,
    DEFINITIONS,
    GROUP,
    boat,
    define,
    definition,
    gone,
    until,
    version,
)

FIELD = "spec.selectableFields[0].jsonPath"


async def refusal(api: LocalApi, body: Object) -> list[str]:
    """What the server says against a definition, as `field: text`."""
    with pytest.raises(ApiError) as caught:
        await api.create(KEY, body)
    assert caught.value.code == 422
    return [f"{cause['field']}: {cause['message']}" for cause in caught.value.status["details"]["causes"]]


async def test_names_and_conversion_are_filled_in(api: LocalApi) -> None:
    """singular, listKind, scope and the strategy None follow from what is said."""
    body = definition()
    del body["spec"]["scope"]
    made = await api.create(KEY, body)
    assert made["spec"]["names"]["singular"] == "boat"
    assert made["spec"]["names"]["listKind"] == "BoatList"
    assert (made["spec"]["scope"], made["spec"]["conversion"]) == ("Namespaced", {"strategy": "None"})
    assert made["status"]["storedVersions"] == ["v1"]


async def test_a_definition_becomes_established_step_by_step(api: LocalApi) -> None:
    """First the names are accepted, then the kind is served: watchers see both."""
    made = await api.create(KEY, definition())
    seen = []
    async for event in api.watch(KEY, resource_version=made["metadata"]["resourceVersion"]):
        seen.append([(c["type"], c["status"], c["reason"]) for c in event.object["status"]["conditions"]])
        if len(seen) == 2:
            break
    accepted = ("NamesAccepted", "True", "NoConflicts")
    assert seen == [
        [accepted, ("Established", "False", "Installing")],
        [accepted, ("Established", "True", "InitialNamesAccepted")],
    ]


async def test_a_taken_name_is_not_accepted_until_it_is_free(api: LocalApi) -> None:
    """The second definition with a short name waits for the first to go."""
    await define(api, definition())
    second = definition(plural="bombs", kind="Bomb")
    second["spec"]["names"]["shortNames"] = ["bo"]
    made = await api.create(KEY, second)
    async for event in api.watch(KEY, resource_version=made["metadata"]["resourceVersion"]):
        condition = find_condition(event.object, "NamesAccepted")
        if condition:
            break
    assert (condition["reason"], condition["message"]) == ("ShortNamesConflict", '"bo" is already in use')
    await api.delete(KEY, BOATS)
    assert await until(api, f"bombs.{GROUP}", "Established")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"group": "nodots"}, ['spec.group: Invalid value: "nodots": should be a domain with at least one dot']),
        ({"scope": "World"}, ['spec.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"']),
        (
            {"versions": [version(), version("v2")]},
            ['spec.versions: Invalid value: ["v1","v2"]: must have exactly one version marked as storage version'],
        ),
        (
            {"versions": [version(), version(storage=False)]},
            ['spec.versions: Invalid value: ["v1","v1"]: must contain unique version names'],
        ),
        (
            {"conversion": {"strategy": "Magic"}},
            ['spec.conversion.strategy: Unsupported value: "Magic": supported values: "None", "Webhook"'],
        ),
        (
            {"versions": [version(selectableFields=[{"jsonPath": ".spec.nosuch"}])]},
            [f'{FIELD}: Invalid value: ".spec.nosuch": is an invalid path: does not refer to a valid field'],
        ),
        (
            {
                "versions": [
                    version(subresources={"scale": {"specReplicasPath": ".crew", "statusReplicasPath": ".status.n"}})
                ]
            },
            [
                'spec.subresources.scale.specReplicasPath: Invalid value: ".crew": should be a json path under .spec',
            ],
        ),
    ],
)
async def test_a_definition_that_makes_no_sense_is_refused(
    api: LocalApi, change: dict[str, Any], expected: list[str]
) -> None:
    """Each part of a definition has its rule, told with the field it is about."""
    body = definition()
    body["spec"] |= change
    found = await refusal(api, body)
    assert [line for line in found if not line.startswith("metadata.name")] == expected


SCHEMA_PATH = "spec.validation.openAPIV3Schema.properties[spec]"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"type": "object", "properties": {"a": {}}}, ".properties[a].type: Required value: must not be empty for "),
        ({"type": "array", "items": {}}, ".items.type: Required value: must not be empty for specified array items"),
        ({"type": "object", "$ref": "#/x"}, ".$ref: Forbidden: $ref is not supported"),
        ({"type": "strange"}, '.type: Unsupported value: "strange": supported values: "array", "boolean"'),
        (
            {"type": "object", "anyOf": [{"properties": {"a": {"minimum": 1}}}]},
            ".properties[a]: Required value: because it is defined in " + SCHEMA_PATH + ".anyOf[0].properties[a]",
        ),
        ({"type": "object", "not": {"type": "string"}}, ".not.type: Forbidden: must be empty to be structural"),
        ({"type": "string", "pattern": "("}, '.pattern: Invalid value: "(": must be a valid regular expression'),
        (
            {"type": "string", "pattern": "(?=x)"},
            '.pattern: Invalid value: "(?=x)": must be a valid regular expression',
        ),
        ({"type": "integer", "default": "x"}, '.default: Invalid value: "string": '),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "default": {"b": 1}},
            '.default: Invalid value: {"b":1}: must not have unknown fields: b',
        ),
        (
            {"type": "array", "x-kubernetes-list-type": "map", "items": {"type": "object"}},
            ".x-kubernetes-list-map-keys: ",
        ),
        (
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["n"],
                "items": {"type": "object", "properties": {"n": {"type": "string"}}},
            },
            ".items.properties[n].default: Required value: this property is in x-kubernetes-list-map-keys",
        ),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}},
            ".additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "x-kubernetes-validations": [{"rule": "self.b"}],
            },
            ".x-kubernetes-validations[0].rule: Invalid value: ",
        ),
    ],
)
async def test_a_schema_that_is_not_structural_is_refused(api: LocalApi, spec: Object, expected: str) -> None:
    """The first complaint names the field of the schema and what is wrong with it."""
    found = await refusal(api, definition(version(spec=spec)))
    assert found[0].startswith(SCHEMA_PATH + expected)


async def test_int_or_string_may_repeat_its_types(api: LocalApi) -> None:
    """The one pattern of anyOf with types that is structural."""
    port = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
    await define(api, definition(version(spec={"type": "object", "properties": {"port": port}})))


async def test_an_established_definition_keeps_scope_and_group(api: LocalApi) -> None:
    """What objects are addressed by can't change under them."""
    made = await define(api, definition())
    with pytest.raises(ApiError, match=r'spec\.scope: Invalid value: "Cluster": field is immutable'):
        await api.patch(KEY, BOATS, None, {"spec": {"scope": "Cluster"}})
    assert made["metadata"]["generation"] == 1


async def test_a_stored_version_can_not_be_removed(api: LocalApi) -> None:
    """Objects may lie in the store in it; who has moved them takes it out of the status."""
    await define(api, definition(version(), version("v2", storage=False)))
    await api.patch(KEY, BOATS, None, {"spec": {"versions": [version(storage=False), version("v2")]}})
    found = await api.get(KEY, BOATS)
    assert found["status"]["storedVersions"] == ["v1", "v2"]
    with pytest.raises(ApiError, match=r"missing from spec\.versions; v1 was previously a storage version"):
        await api.patch(KEY, BOATS, None, {"spec": {"versions": [version("v2")]}})
    await api.patch(KEY, BOATS, None, {"status": {"storedVersions": ["v2"]}}, subresource="status")
    await api.patch(KEY, BOATS, None, {"spec": {"versions": [version("v2")]}})


async def test_a_group_of_kubernetes_needs_an_approval(api: LocalApi) -> None:
    """Domains of Kubernetes' own ask for the annotation, and say in a condition what it says."""
    body = definition(group="boats.k8s.io")
    body["metadata"]["name"] = "boats.boats.k8s.io"
    assert any("protected groups must have approval annotation" in line for line in await refusal(api, body))
    body["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, experimental-only"}
    made = await define(api, body)
    assert find_condition(made, "KubernetesAPIApprovalPolicyConformant")["reason"] == "UnapprovedAnnotation"


async def test_the_group_appears_in_discovery_and_goes(served: Served) -> None:
    """Groups, versions by preference, resources with subresources; and nothing of it afterwards."""
    body = definition(version("v1beta1", storage=False), version("v1"), version("v2alpha1", storage=False))
    await define(served.api, body)
    async with served.session.get(f"/apis/{GROUP}") as answer:
        group = await answer.json()
    assert [entry["version"] for entry in group["versions"]] == ["v1", "v1beta1", "v2alpha1"]
    async with served.session.get(f"/apis/{GROUP}/v1beta1") as answer:
        names = [entry["name"] for entry in (await answer.json())["resources"]]
    assert names == ["boats", "boats/status", "boats/scale"]
    await served.api.delete(KEY, BOATS)
    await gone(served.api, BOATS)
    async with served.session.get(f"/apis/{GROUP}/v1") as answer:
        assert (answer.status, await answer.text()) == (404, "404 page not found\n")


async def test_openapi_describes_the_kind(served: Served) -> None:
    """Both forms hold the schema, and what every resource has, under a name made from the group."""
    await define(served.api, definition())
    name = "com.example.sea.v1.Boat"
    async with served.session.get(f"/openapi/v3/apis/{GROUP}/v1") as answer:
        schemas = (await answer.json())["components"]["schemas"]
    assert schemas[name]["properties"]["spec"]["properties"]["length"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 400,
    }
    assert "ObjectMeta" in schemas[name]["properties"]["metadata"]["allOf"][0]["$ref"]
    async with served.session.get("/openapi/v2", headers={"Accept": "application/json"}) as answer:
        found = (await answer.json())["definitions"][name]
    assert found["x-kubernetes-group-version-kind"] == [{"group": GROUP, "version": "v1", "kind": "Boat"}]
    assert "default" not in found["properties"]["spec"]["properties"]["crew"]


async def test_deletion_takes_the_instances_first(served: Served) -> None:
    """DELETE marks the definition; it goes after the last instance, and nothing is made meanwhile."""
    await define(served.api, definition())
    held = boat()
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await served.api.create(BOATS, held, "default")
    await served.api.create(BOATS, boat("free"), "default")
    async with served.session.delete(f"{DEFINITIONS}/{BOATS}") as answer:
        marked = await answer.json()
    assert marked["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    assert find_condition(marked, "Terminating")["reason"] == "InstanceDeletionPending"
    async for event in served.api.watch(BOATS, "default", resource_version=marked["metadata"]["resourceVersion"]):
        if event.type == "DELETED":
            assert event.object["metadata"]["name"] == "free"
            break
    with pytest.raises(ApiError, match="create not allowed while custom resource definition is terminating"):
        await served.api.create(BOATS, boat("late"), "default")
    now = await served.api.get(KEY, BOATS)
    assert find_condition(now, "Terminating")["reason"] == "InstanceDeletionInProgress"
    await served.api.patch(BOATS, "nina", "default", {"metadata": {"finalizers": None}})
    await gone(served.api, BOATS)
    with pytest.raises(ApiError, match="not found"):
        await served.api.get(KEY, BOATS)


async def test_hundreds_of_instances_go_with_their_definition(api: LocalApi) -> None:
    """However many there are, the definition follows the last of them."""
    await define(api, definition())
    for index in range(250):
        await api.create(BOATS, boat(f"boat-{index}"), "default")
    await api.delete(KEY, BOATS)
    await gone(api, BOATS)
    await define(api, definition())
    assert (await api.list(BOATS)).items == []
