"""Requests that no client should send: each is answered in time and in kind, and what is stored stays readable."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.sandbox.malformed import NAMESPACE, Request, definition, recorded, request_of
from tests.faults.sandbox.raw_http import RawClient
from tests.faults.sandbox.servers import Served, serving

pytestmark = pytest.mark.timeout(600)

# What Kubernetes, too, answers with 500 and more: each of these is in the recordings or in its documentation.
_BY_DESIGN = re.compile(
    rb"failed to create typed patch object|resourceVersion should not be set on objects to be created"
    rb"|does not contain declared merge key|resourceVersion: Invalid value|Too large resource version"
    rb"|target\.name: Required value|target\.kind: Unsupported value|context deadline exceeded"
    rb"|no preferred addresses found|error dialing backend|failed to verify|dial tcp|more than one PodDisruptionBudget"
)
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_PARTIAL = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_PROTOBUF = "application/vnd.kubernetes.protobuf"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with what the recorded requests are about; what it holds can be read when all is over."""
    with serving(tmp_path_factory.mktemp("fuzz")) as found:
        client = found.client()
        _create(client, "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        _create(client, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition())
        for request in recorded():
            if request.method == "POST":
                _send(client, request)
        yield found
        assert_readable(client)
        client.close()


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[RawClient]:
    """A client for all requests."""
    made = served.client()
    yield made
    made.close()


def _create(client: RawClient, path: str, obj: Any) -> None:
    answer = client.request("POST", path, body=json.dumps(obj).encode())
    assert answer.status == 201, answer


def _send(client: RawClient, request: Request) -> tuple[int, bytes]:
    answer = client.request(request.method, request.target, headers=request.headers, body=request.data)
    return answer.status, answer.body


def assert_readable(client: RawClient) -> None:
    """Every object can be got, listed in every form, and watched."""
    for path in _collections(client):
        listed = client.request("GET", path)
        assert listed.status == 200, (path, listed.body)
        for accept in (_TABLE, _PARTIAL, _PROTOBUF, "application/yaml"):
            answer = client.request("GET", path, headers={"Accept": accept})
            assert answer.status in (200, 406), (path, accept, answer.body)
            watch = client.request("GET", f"{path}?watch=1&timeoutSeconds=1", headers={"Accept": accept})
            assert watch.status in (200, 405, 406), (path, accept, watch.body)
        for item in json.loads(listed.body)["items"]:
            for entry in item["metadata"].get("managedFields", ()):
                assert entry["operation"] in ("Apply", "Update")
                assert isinstance(entry["fieldsV1"], dict)


def _collections(client: RawClient) -> list[str]:
    """The paths of all resources that can be listed and watched, in all namespaces."""
    groups = json.loads(client.request("GET", "/apis").body)["groups"]
    versions = ["/api/v1", *(f"/apis/{each['groupVersion']}" for group in groups for each in group["versions"])]
    return [
        f"{version}/{resource['name']}"
        for version in versions
        for resource in json.loads(client.request("GET", version).body)["resources"]
        if {"list", "watch"} <= set(resource["verbs"])
    ]


@given(seeds=st.lists(st.integers(0, 2**40), min_size=20, max_size=20))
def test_every_request_is_answered_in_kind(served: Served, client: RawClient, seeds: list[int]) -> None:
    """A malformed request gets an answer below 500, or the 500 that Kubernetes gives; nothing is logged as an error."""
    for request in map(request_of, seeds):
        status, body = _send(client, request)
        assert status < 500 or _BY_DESIGN.search(body) or request.method == "HEAD", (request, status, body)
        assert served.complaints.texts == [], request


@given(
    data=st.binary(max_size=400),
    head=st.sampled_from((b"", b"GET ", b"GET / HTTP/1.1\r\n", b"POST /api HTTP/1.1\r\nContent-Length: ")),
)
def test_bytes_that_are_no_http(served: Served, data: bytes, head: bytes) -> None:
    """Bytes of any kind in place of a request break nothing: the next client is served."""
    with served.client().connect() as garbage:
        garbage.sendall(head + data + b"\r\n\r\n")
    client = served.client()
    assert client.request("GET", "/version").status == 200
    client.close()
    assert served.complaints.texts == []
