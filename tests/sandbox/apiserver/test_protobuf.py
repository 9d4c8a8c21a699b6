import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.protobuf.objects import (
    MEDIA_TYPE,
    UnknownKindError,
    is_describable,
    read_object,
    write_event,
    write_object,
)
from seatrial.sandbox.apiserver.protobuf.wire import WireError
from tests.sandbox.apiserver.conftest import Served
from tests.sandbox.apiserver.objects import config_map, deployment, pod

DATA = Path(__file__).parent / "data"
GOLDEN = Path(__file__).parents[2] / "conformance" / "golden"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
PROTOBUF = {"Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE}


def recorded_bytes() -> list[bytes]:
    """Bodies in protobuf that kubectl 1.36 and a real API server sent each other."""
    lines = (DATA / "protobuf_bodies.jsonl").read_text(encoding="utf-8").splitlines()
    return [base64.b64decode(json.loads(line)["base64"]) for line in lines]


def recorded_objects() -> Iterator[Object]:
    """Every object of a kind that has a protobuf form in the answers of a real API server."""
    for path in sorted((GOLDEN / "rest").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            body = json.loads(line).get("response", {}).get("body")
            if isinstance(body, dict) and is_describable(str(body.get("apiVersion")), str(body.get("kind"))):
                yield body


def without_nothing(value: Any) -> Any:
    """A value without what JSON may leave out or write as it likes: null, zero, and what is empty."""
    if isinstance(value, dict):
        kept = {key: without_nothing(entry) for key, entry in value.items()}
        return {key: entry for key, entry in kept.items() if entry not in (None, {}, [], "", 0)}
    return [without_nothing(entry) for entry in value] if isinstance(value, list) else value


def encoded(kind: str, obj: Object, api_version: str = "v1") -> bytes:
    """An object of a kind in protobuf."""
    return write_object({"kind": kind, "apiVersion": api_version, **obj})


def test_what_clients_and_servers_send_is_read_and_written_back_byte_for_byte() -> None:
    """Nothing is lost of the bodies that kubectl 1.36 and a real server exchanged, and ours look the same."""
    bodies = recorded_bytes()
    assert len(bodies) > 40
    assert [read_object(data, api_version="", kind="")["kind"] for data in bodies]
    assert all(write_object(read_object(data, api_version="", kind="")) == data for data in bodies)


def test_every_recorded_object_survives_the_way_there_and_back() -> None:
    """Reading what was written gives the object again, for each kind."""
    kinds = set()
    for recorded in recorded_objects():
        obj = dict(recorded)
        kinds.add(obj["kind"])
        if obj["kind"] == "PartialObjectMetadataList":  # its items carry a kind in JSON only
            obj["items"] = [{"metadata": item["metadata"]} for item in obj["items"] or ()]
        back = read_object(write_object(obj), api_version="", kind="")
        assert without_nothing(back) == without_nothing(obj)
    assert len(kinds) > 40


def test_zero_behind_a_pointer_is_told_apart_from_nothing() -> None:
    """`replicas: 0` is a wish; a `minReadySeconds` of zero is what Go writes for none."""
    written = deployment("d", replicas=0)
    written["spec"]["minReadySeconds"] = 0
    written["spec"]["template"]["spec"]["automountServiceAccountToken"] = False
    spec = read_object(encoded("Deployment", written, "apps/v1"), api_version="", kind="")["spec"]
    assert spec["replicas"] == 0
    assert "minReadySeconds" not in spec
    assert spec["template"]["spec"]["automountServiceAccountToken"] is False
    assert "hostNetwork" not in spec["template"]["spec"]


def test_values_take_the_form_they_have_in_json() -> None:
    """Quantities, times, numbers or names, bytes, documents."""
    probe = {"httpGet": {"port": "web", "path": "/"}, "periodSeconds": 3}
    container = {"name": "c", "resources": {"limits": {"memory": "64Mi"}}, "livenessProbe": probe}
    volume = {"name": "v", "emptyDir": {}}
    spec = {"containers": [container], "volumes": [volume], "tolerations": [{"tolerationSeconds": 0}]}
    metadata = {"name": "p", "deletionTimestamp": "2026-01-02T03:04:05Z"}
    back = read_object(encoded("Pod", {"metadata": metadata, "spec": spec}), api_version="", kind="")
    assert back == {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec}
    secret = {"data": {"a": "AAH/"}, "immutable": False}
    assert read_object(encoded("Secret", secret), api_version="", kind="") | secret == {
        "kind": "Secret",
        "apiVersion": "v1",
        **secret,
    }
    runtime = {"handler": "runsc"}
    read = read_object(encoded("RuntimeClass", runtime, "node.k8s.io/v1"), api_version="", kind="")
    assert read["handler"] == "runsc"
    lease = {"spec": {"renewTime": "2026-01-02T03:04:05.000006Z", "leaseDurationSeconds": 40}}
    read = read_object(encoded("Lease", lease, "coordination.k8s.io/v1"), api_version="", kind="")
    assert read["spec"] == lease["spec"]
    usage = {"window": "1m0.5s", "containers": [{"name": "c", "usage": {"cpu": "3m"}}]}
    read = read_object(encoded("PodMetrics", usage, "metrics.k8s.io/v1beta1"), api_version="", kind="")
    assert {key: read[key] for key in usage} == usage


def test_a_kind_missing_in_the_envelope_is_the_one_expected() -> None:
    """DeleteOptions may come without a name."""
    data = write_object({"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})
    bare = data.replace(bytes([10, 19, 10, 2]) + b"v1" + bytes([18, 13]) + b"DeleteOptions", b"")
    assert len(bare) < len(data)
    found = read_object(bare, api_version="policy/v1", kind="DeleteOptions")
    assert found == {"kind": "DeleteOptions", "apiVersion": "policy/v1", "gracePeriodSeconds": 0}


@given(st.binary(max_size=200))
def test_bytes_that_are_no_message_are_refused_as_such(data: bytes) -> None:
    """Whatever follows the magic bytes is an object or a WireError."""
    for api_version, kind in (("v1", "Pod"), ("apps/v1", "Deployment"), ("v1", "Event")):
        envelope = b"k8s\0\x12" + len(data).to_bytes(1, "big") if len(data) < 128 else b"k8s\0"
        try:
            assert read_object(envelope + data, api_version=api_version, kind=kind)["kind"]
        except (WireError, UnknownKindError):
            continue


@given(st.integers(min_value=4, max_value=2000), st.integers(min_value=0, max_value=255))
def test_one_wrong_byte_is_no_crash(position: int, byte: int) -> None:
    """A damaged pod is another pod or a WireError."""
    data = bytearray(encoded("Pod", pod("p", labels={"a": "b"}, nodeSelector={"zone": "x"}, hostNetwork=True)))
    data[position % len(data)] = byte
    try:
        assert isinstance(read_object(bytes(data), api_version="v1", kind="Pod"), dict)
    except (WireError, UnknownKindError):
        return


async def test_bodies_may_be_protobuf(served: Served) -> None:
    """Create, replace and delete take it, and the answer is JSON for those who take JSON."""
    headers = {"Content-Type": MEDIA_TYPE, "Accept": f"{MEDIA_TYPE},application/json"}
    body = encoded("ConfigMap", config_map("c", a="1"))
    async with served.session.post(CONFIG_MAPS, data=body, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (201, "application/json")
        made = await answer.json()
    assert made["data"] == {"a": "1"}
    body = encoded("ConfigMap", {**made, "data": {"a": "2"}})
    async with served.session.put(f"{CONFIG_MAPS}/c", data=body, headers=headers) as answer:
        assert (await answer.json())["data"] == {"a": "2"}
    options = write_object(
        {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "somebody-else"}, "dryRun": ["All"]}
    )
    async with served.session.delete(f"{CONFIG_MAPS}/c", data=options, headers=headers) as answer:
        assert answer.status == 409


async def test_subresources_take_protobuf(served: Served) -> None:
    """Evictions, token requests and scales are read as their own kinds."""
    await served.api.create("pods", pod("p"), "default")
    await served.api.create("deployments.apps", deployment("d"), "default")
    headers = {"Content-Type": MEDIA_TYPE}
    eviction = encoded("Eviction", {"metadata": {"name": "p"}, "deleteOptions": {"dryRun": ["All"]}}, "policy/v1")
    async with served.session.post(f"{PODS}/p/eviction", data=eviction, headers=headers) as answer:
        assert answer.status == 201
    wanted = encoded("TokenRequest", {"spec": {"expirationSeconds": 700}}, "authentication.k8s.io/v1")
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    async with served.session.post(path, data=wanted, headers=headers) as answer:
        assert (await answer.json())["spec"]["expirationSeconds"] == 700
    scale = {"metadata": {"name": "d", "namespace": "default"}, "spec": {"replicas": 3}}
    path = "/apis/apps/v1/namespaces/default/deployments/d/scale"
    async with served.session.put(path, data=encoded("Scale", scale, "autoscaling/v1"), headers=headers) as answer:
        assert (await answer.json())["spec"] == {"replicas": 3}


async def test_those_who_take_nothing_else_get_protobuf(served: Served) -> None:
    """Objects, lists, refusals and watches, as Go's clients read them."""
    await served.api.create("configmaps", config_map("c", a="1"), "default")
    async with served.session.get(f"{CONFIG_MAPS}/c", headers=PROTOBUF) as answer:
        assert answer.headers["Content-Type"] == MEDIA_TYPE
        assert read_object(await answer.read(), api_version="", kind="")["data"] == {"a": "1"}
    async with served.session.get(CONFIG_MAPS, headers=PROTOBUF) as answer:
        found = read_object(await answer.read(), api_version="", kind="")
    assert found["kind"] == "ConfigMapList"
    assert "c" in [item["metadata"]["name"] for item in found["items"]]
    async with served.session.get(f"{CONFIG_MAPS}/missing", headers=PROTOBUF) as answer:
        assert answer.status == 404
        assert read_object(await answer.read(), api_version="", kind="")["reason"] == "NotFound"
    selected = {"watch": "1", "fieldSelector": "metadata.name=c"}
    async with served.session.get(CONFIG_MAPS, params=selected, headers=PROTOBUF) as answer:
        assert answer.headers["Content-Type"] == f"{MEDIA_TYPE};stream=watch"
        length = int.from_bytes(await answer.content.readexactly(4), "big")
        event = await answer.content.readexactly(length)
    current = await served.api.get("configmaps", "c", "default")
    assert write_event("ADDED", current)[4:] == event


async def test_discovery_speaks_protobuf(served: Served) -> None:
    """Groups and resources have messages of their own; what has no kind is JSON for everybody."""
    for path, kind in (("/api", "APIVersions"), ("/apis", "APIGroupList"), ("/api/v1", "APIResourceList")):
        async with served.session.get(path, headers=PROTOBUF) as answer:
            assert read_object(await answer.read(), api_version="", kind="")["kind"] == kind
    async with served.session.get("/version", headers=PROTOBUF) as answer:
        assert (await answer.json())["major"] == "1"


async def test_malformed_protobuf_is_400(served: Served) -> None:
    """Neither rubbish nor a kind that doesn't exist is the server's fault."""
    headers = {"Content-Type": MEDIA_TYPE}
    truncated = encoded("ConfigMap", config_map("c", a="1"))[:-9]
    unknown = encoded("ConfigMap", config_map("c")).replace(b"ConfigMap", b"NoSuchOne")
    for body in (b"", b"{}", b"k8s\0\xff\xff", truncated, unknown, encoded("Pod", pod("p"))):
        async with served.session.post(CONFIG_MAPS, data=body, headers=headers) as answer:
            assert (answer.status, (await answer.json())["reason"]) == (400, "BadRequest")
    async with served.session.patch(f"{CONFIG_MAPS}/c", data=b"k8s\0", headers=headers) as answer:
        assert answer.status == 415


@pytest.mark.parametrize("api_version", ["example.com/v1", "core.example.com/v1"])
def test_custom_kinds_have_no_protobuf_form(api_version: str) -> None:
    """A group of somebody else's is never taken for one of Kubernetes' own."""
    with pytest.raises(UnknownKindError):
        write_object({"apiVersion": api_version, "kind": "Pod", "metadata": {}})
