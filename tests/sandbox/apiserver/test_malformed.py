"""What the fuzzer found: each request here is one that no client should send, with the answer that it gets."""

import asyncio
import json
import ssl
import time
from typing import Any

import pytest
from yarl import URL

from seatrial.sandbox.apiserver import json_text, yaml_text
from seatrial.sandbox.apiserver.patching.given_fields import is_entry
from tests.sandbox.apiserver.conftest import ADMIN_TOKEN, Served

_CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
_JSON = {"Content-Type": "application/json"}


async def _post(served: Served, data: bytes, **headers: str) -> tuple[int, Any]:
    async with served.session.post(_CONFIG_MAPS, data=data, headers={**_JSON, **headers}) as answer:
        return answer.status, await answer.json()


def _bomb() -> bytes:
    """A document of a few lines that stands for billions of nodes."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    "data",
    [
        _bomb(),
        b"a: &a [*a]",
        b"[" * 3000,
        b"[" * 50_000 + b"]" * 50_000,
        b"{a: " * 50_000,
        b"# " * 300_000,
        b"x: !!python/name:os.system",
        b"a: .nan",
        b"- " * 100_000,
    ],
)
async def test_yaml_that_expands(served: Served, data: bytes) -> None:
    """A YAML document that is no object, or becomes endless when its aliases are followed, is 400 within moments."""
    began = time.monotonic()
    status, _ = await _post(served, data, **{"Content-Type": "application/yaml"})
    assert status == 400
    assert time.monotonic() - began < 30


async def test_depth(served: Served) -> None:
    """JSON that lies deeper than the server follows is 400; 200 levels are read."""
    status, _ = await _post(served, b'{"data":' + b"[" * 5000 + b"]" * 5000 + b"}")
    assert status == 400
    assert json_text.depth_of(json_text.decode(b"[" * 200 + b"]" * 200)) == 200


async def test_depth_by_patches(served: Served) -> None:
    """A JSON patch that nests deeper with each operation is 400, and changes nothing."""
    steps = [{"op": "add", "path": "/metadata/annotations", "value": {}}]
    steps += [{"op": "add", "path": "/metadata/annotations" + "/a" * n, "value": {}} for n in range(1, 900)]
    headers = {"Content-Type": "application/json-patch+json"}
    path = f"{_CONFIG_MAPS}/kube-root-ca.crt"
    async with served.session.patch(path, data=json.dumps(steps).encode(), headers=headers) as answer:
        assert answer.status in (400, 422)
    async with served.session.get(path) as answer:
        assert "a" not in (await answer.json())["metadata"]["annotations"]


async def test_bytes_that_are_no_utf8(served: Served) -> None:
    """Bytes that are no UTF-8, and halves of surrogate pairs, become replacement characters, as Go reads them."""
    status, made = await _post(
        served, b'{"metadata":{"name":"odd"},"data":{"a":"x\xffy","b":"\\ud800","c":"\\ud83d\\ude00"}}'
    )
    assert (status, made["data"]) == (201, {"a": "x\ufffdy", "b": "\ufffd", "c": "\U0001f600"})


async def test_headers_that_are_no_utf8(served: Served) -> None:
    """A User-Agent that is no UTF-8 is kept as a manager's name that can be read back."""
    body = json.dumps({"metadata": {"name": "agent"}, "data": {"a": "b"}}).encode()
    head = f"POST {_CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n"
    head += f"Content-Length: {len(body)}\r\n"
    tls = ssl.create_default_context(cafile=str(served.authority.ca_file))
    address = URL(served.server.url)
    reader, writer = await asyncio.open_connection(address.host, address.port, ssl=tls)
    writer.write(head.encode() + b"Connection: close\r\nUser-Agent: od\xffd/1\r\n\r\n" + body)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert '"manager":"od\ufffdd"' in answer.decode()


async def test_warnings_with_control_characters(served: Served) -> None:
    """A warning that no header can carry is left out; the request is answered."""
    body = json.dumps({"metadata": {"name": "warned"}, "a\r\nX-Evil: 1": 1}).encode()
    async with served.session.post(_CONFIG_MAPS, data=body, headers=_JSON) as answer:
        assert answer.status == 201
        assert "Warning" not in answer.headers
        assert "X-Evil" not in answer.headers


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": []},
        {"metadata": {"name": 1}},
        {"metadata": {"name": "x"}, "kind": {}},
        {"metadata": {"name": "x"}, "apiVersion": []},
    ],
)
async def test_objects_without_the_shape_of_one(served: Served, body: Any) -> None:
    """An object whose kind, version, metadata or name are no such thing is 400."""
    status, answer = await _post(served, json.dumps(body).encode())
    assert status == 400
    assert "json: cannot unmarshal" in answer["message"]


async def test_numbers_out_of_range(served: Served) -> None:
    """A number that an int32 can't hold is 400."""
    body = json.dumps({"metadata": {"name": "d"}, "spec": {"replicas": 2**31}}).encode()
    async with served.session.post("/apis/apps/v1/namespaces/default/deployments", data=body, headers=_JSON) as answer:
        assert answer.status == 400
        assert "number 2147483648 into Go struct field" in (await answer.json())["message"]


async def test_compressed_bodies_are_not_opened(served: Served) -> None:
    """A Content-Encoding is ignored, as Kubernetes ignores it: what isn't JSON as it stands is 400."""
    status, _ = await _post(served, b"\x1f\x8b\x08\x00garbage", **{"Content-Encoding": "gzip"})
    assert status == 400


@pytest.mark.parametrize(
    "options",
    [
        {"gracePeriodSeconds": {}},
        {"gracePeriodSeconds": "5"},
        {"preconditions": []},
        {"preconditions": {"uid": 1}},
        {"dryRun": "All"},
        {"orphanDependents": "x"},
    ],
)
async def test_delete_options_of_other_types(served: Served, options: Any) -> None:
    """DeleteOptions of the wrong types are 400."""
    body = json.dumps(options).encode()
    async with served.session.delete(f"{_CONFIG_MAPS}/kube-root-ca.crt", data=body, headers=_JSON) as answer:
        assert answer.status == 400, await answer.text()


async def test_a_watch_that_has_no_protobuf(served: Served) -> None:
    """A watch in protobuf of a kind that has no such form is 406, before the stream begins."""
    path = "/apis/apiregistration.k8s.io/v1/apiservices?watch=1&timeoutSeconds=1"
    async with served.session.get(path, headers={"Accept": "application/vnd.kubernetes.protobuf"}) as answer:
        assert answer.status == 406


@pytest.mark.parametrize("token", ["/", "a", "%FF", "e30", "bnVsbA", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6e319"])
async def test_continue_tokens(served: Served, token: str) -> None:
    """A continue token that is none is 400 or has expired."""
    async with served.session.get(
        URL(f"{served.server.url}{_CONFIG_MAPS}?limit=1&continue={token}", encoded=True)
    ) as answer:
        assert answer.status in (400, 410)


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"fieldsV1": []},
        {"fieldsV1": {"f:a": 1}},
        {"fieldsV1": {"x": {}}},
        {"fieldsV1": {"k:{": {}}},
        {"fieldsV1": {"v:": {}}},
        {"fieldsV1": {"i:x": {}}},
        {"fieldsV1": {}, "manager": 1},
        {"fieldsV1": {}, "operation": "Guess"},
    ],
)
def test_managed_fields_that_are_none(entry: Any) -> None:
    """A writer's managedFields that couldn't be read back aren't taken."""
    whole = {"manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", **entry}
    assert not is_entry(whole)
    assert is_entry({**whole, "manager": "m", "operation": "Apply", "fieldsV1": {"f:a": {'k:{"b":1}': {".": {}}}}})


def test_yaml_as_it_is_meant() -> None:
    """Aliases within reason are followed, and JSON is YAML too."""
    assert yaml_text.load(b"a: &x {k: [1, y]}\nb: *x") == {"a": {"k": [1, True]}, "b": {"k": [1, True]}}
    assert yaml_text.load(b'{"a": 1e3}') == {"a": 1000.0}
