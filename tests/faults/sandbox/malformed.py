"""Requests that went wrong on their way: recorded ones, each with a few things changed that no client should send."""

import base64
import copy
import json
import re
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

GOLDEN = Path(__file__).parents[2] / "conformance" / "golden" / "rest"
NAMESPACE = "fuzz"

_PROTOBUF_BODIES = GOLDEN.parents[2] / "sandbox" / "apiserver" / "data" / "protobuf_bodies.jsonl"

_RECORDED_NAMESPACE = re.compile(r"gold-[a-z0-9-]+")
# Not proxied requests: whom they reach is no part of the API server.
_LEFT_OUT = re.compile(r"/proxy\b|/proxy/")
_CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "boats.fuzz.example.com"},
    "spec": {
        "group": "fuzz.example.com",
        "scope": "Namespaced",
        "names": {"plural": "boats", "singular": "boat", "kind": "Boat", "listKind": "BoatList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.crew", "statusReplicasPath": ".status.crew"},
                },
                "additionalPrinterColumns": [{"name": "Crew", "type": "integer", "jsonPath": ".spec.crew"}],
                "selectableFields": [{"jsonPath": ".spec.port"}],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "crew": {"type": "integer", "minimum": 0, "default": 1},
                                    "port": {"type": "string", "pattern": "^[a-z]*$"},
                                    "size": {"x-kubernetes-int-or-string": True},
                                    "launched": {"type": "string", "format": "date-time"},
                                    "tags": {
                                        "type": "array",
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["name"],
                                        "items": {
                                            "type": "object",
                                            "required": ["name"],
                                            "properties": {"name": {"type": "string"}, "value": {"type": "number"}},
                                        },
                                    },
                                    "rest": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                },
                                "x-kubernetes-validations": [
                                    {"rule": "!has(self.port) || size(self.port) < 20", "message": "too long"}
                                ],
                            },
                            "status": {
                                "type": "object",
                                "properties": {"crew": {"type": "integer"}},
                            },
                        },
                    }
                },
            }
        ],
    },
}
_BOAT = {
    "apiVersion": "fuzz.example.com/v1",
    "kind": "Boat",
    "metadata": {"name": "boat", "labels": {"a": "b"}},
    "spec": {
        "crew": 2,
        "port": "kiel",
        "size": "big",
        "launched": "2026-01-02T03:04:05Z",
        "tags": [{"name": "x", "value": 1.5}],
        "rest": {"any": [1, {"thing": None}]},
    },
    "status": {"crew": 2},
}


@dataclass(frozen=True)
class Request:
    """A request; `text` is the body as it is sent, where the object can't say it."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    text: bytes | None = None

    @property
    def target(self) -> str:
        """Path and query, as in the first line."""
        query = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in self.query)
        return self.path + ("?" + query if query else "")

    @property
    def data(self) -> bytes:
        """The body's bytes."""
        if self.text is not None:
            return self.text
        return b"" if self.body is None else json.dumps(self.body).encode()


def definition() -> dict[str, Any]:
    """The custom resource that requests are about, besides the built-in ones."""
    return copy.deepcopy(_CRD)


@cache
def recorded() -> tuple[Request, ...]:
    """What clients sent to a real cluster, and the objects that they got, sent back."""
    found = _boats() + _in_protobuf()
    for file in sorted(GOLDEN.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            found += _requests_in(_RECORDED_NAMESPACE.sub(NAMESPACE, line))
    return tuple(found)


def _boats() -> list[Request]:
    collection = f"/apis/fuzz.example.com/v1/namespaces/{NAMESPACE}/boats"
    patches = (
        ("application/merge-patch+json", _BOAT),
        ("application/apply-patch+yaml", {**_BOAT, "metadata": {"name": "boat"}}),
        ("application/json-patch+json", [{"op": "replace", "path": "/spec/tags/0/name", "value": "z"}]),
    )
    query = (("fieldManager", "fuzz"),)
    json_type = {"Content-Type": "application/json"}
    made = [
        Request("POST", collection, (), json_type, _BOAT),
        Request(
            "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", (), json_type, _renamed_definition()
        ),
        Request("PUT", f"{collection}/boat/scale", (), json_type, {"kind": "Scale", "spec": {"replicas": 3}}),
        Request("GET", collection, (("fieldSelector", "spec.port=kiel"),)),
    ]
    made += [
        Request("PATCH", f"{collection}/boat{suffix}", query, {"Content-Type": media}, patch)
        for media, patch in patches
        for suffix in ("", "/status")
    ]
    return made * 4


def _in_protobuf() -> list[Request]:
    """What kubectl sends in protobuf."""
    made = []
    for line in _PROTOBUF_BODIES.read_text().splitlines():
        sent = json.loads(_RECORDED_NAMESPACE.sub(NAMESPACE, line))
        if sent["from"] == "client":
            path, _, _ = sent["path"].partition("?")
            headers = {"Content-Type": "application/vnd.kubernetes.protobuf"}
            made.append(Request("POST", path, (), headers, text=base64.b64decode(sent["base64"])))
    return made * 4


def _renamed_definition() -> dict[str, Any]:
    made = definition()
    made["metadata"]["name"] = "ships.fuzz.example.com"
    made["spec"]["names"] = {"plural": "ships", "singular": "ship", "kind": "Ship", "listKind": "ShipList"}
    return made


def _requests_in(line: str) -> list[Request]:
    exchange = json.loads(line)
    if exchange["type"] != "exchange" or _LEFT_OUT.search(exchange["request"]["path"]):
        return []
    request, response = exchange["request"], exchange["response"]
    path, _, query = request["path"].partition("?")
    pairs = tuple((key, value) for key, _, value in (each.partition("=") for each in query.split("&") if each))
    body, headers = request.get("body"), dict(request["headers"])
    is_text = isinstance(body, str)
    if request["method"] == "DELETE" and path == f"/api/v1/namespaces/{NAMESPACE}":
        path += "-gone"  # the one that all is in stays
    made = Request(request["method"], path, pairs, headers, None if is_text else body)
    if is_text:
        made = replace(made, text=body.encode())
    again = []
    got = response.get("body")
    if isinstance(got, dict) and "spec" in got and request["method"] != "DELETE":
        name = got.get("metadata", {}).get("name", "")
        where = path if request["method"] != "POST" else f"{path}/{name}"
        got = {**got, "metadata": {k: v for k, v in got["metadata"].items() if k not in ("uid", "resourceVersion")}}
        again = [Request("PUT", where, (), {"Content-Type": "application/json"}, got)]
        again += [replace(again[0], path=f"{where}/status")] if "status" in got else []
    return [made, *again]


_DEEP: Any = None
for _ in range(300):
    _DEEP = [_DEEP]
_WORDS = (
    "", " ", "a", "A", "-", ".", "..", "/", "*", "a/b", "a/b/c", "\0", "\n", "\r\nX: y", "é", "\U0001f600",
    "\ud800", "x" * 300,
    "1", "-1", "0", "1.5", "1e999", "NaN", "10Gi", "1e1000000", "0x10", "50%", "-5%", "9" * 40, "true", "null",
    "None", "True",
    "2026-01-02T03:04:05Z", "2026-13-42T25:61:61Z", "2026-01-02T03:04:05.123456Z", "0001-01-01T00:00:00Z", "10s",
    "10.0.0.1", "::1", "300.1.2.3", "10.0.0.0/8", "*/0 * * * *", "* * * * *", "@every 1s", "61 * * * *",
    "$(X)", "{.a", "{.a[0]}", "spec.x", "((((", "[a-", "(?P<x", "a" * 64, "kubernetes.io/x", "a=b", "!a",
    "a in (b", "a,,b", "a==b,c!=d",
    "Pod", "v1", "apps/v1", "default", "kube-system", "fuzz", "p", "web", "node1", "Always", "Delete", "ClusterIP",
    "All", "Strict",
)  # fmt: skip
_SCALARS = (
    None, True, False, 0, 1, -1, 2, 80, 65536, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**40, 0.5, -0.0,
    1e308, 1e-320,
    float("nan"), float("inf"),
)  # fmt: skip
_TREES: tuple[Any, ...] = (
    [], {}, [None], [[]], [{}], {"": None}, {"a": {}}, {"a": [1, {"b": "c"}]}, [{"name": "x"}, {"name": "x"}], _DEEP,
)  # fmt: skip


def odd_text(draw: Random) -> str:
    """A text that somebody might not have thought of."""
    if draw.random() < 0.8:
        return draw.choice(_WORDS)
    return "".join(
        chr(draw.choice((draw.randrange(32), draw.randrange(256), 0x10FFFF))) for _ in range(draw.randrange(8))
    )


def odd_value(draw: Random) -> Any:
    """A JSON value of any shape."""
    shape = draw.randrange(6)
    if shape < 2:
        return odd_text(draw)
    if shape < 4:
        return draw.choice(_SCALARS)
    if shape == 4:
        return copy.deepcopy(draw.choice(_TREES))
    return {odd_text(draw): odd_text(draw) for _ in range(draw.randrange(3))}


_PARAMETERS = (
    "labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "resourceVersionMatch", "timeoutSeconds",
    "dryRun", "fieldManager", "fieldValidation", "watch", "allowWatchBookmarks", "sendInitialEvents", "pretty", "force",
    "gracePeriodSeconds", "propagationPolicy", "orphanDependents", "includeObject", "container", "tailLines",
    "sinceTime",
    "sinceSeconds", "limitBytes", "previous", "follow", "command", "stdin", "stdout", "stderr", "tty", "ports",
    "timeout", "x",
)  # fmt: skip
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_HEADERS = {
    "Accept": (
        "*/*", "", "text/plain", "application/yaml", "application/vnd.kubernetes.protobuf", _TABLE, "application/cbor",
        "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "application/json;as=Table;v=v9;g=x",
        ";;;,,,q=",
        "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io", "application/json;q=x",
        "application/json;as=",
        "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    ),
    "Content-Type": (
        "", "application/json", "application/yaml", "application/vnd.kubernetes.protobuf",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json", "application/json-patch+json", "application/apply-patch+yaml",
        "application/apply-patch+cbor", "text/plain", "application/json;charset=\xff", ";",
        "multipart/form-data; boundary=x",
    ),
    "Authorization": ("Bearer", "Bearer x", "Bearer a.b.c", "Bearer \udcff", "Basic eDp5", "Basic !", "Negotiate",
    "Bearer e30.e30.e30"),
    "Impersonate-User": ("", "bob", "\udcff", "system:serviceaccount:a:b", "system:node:node1", "system:anonymous"),
    "Impersonate-Group": ("", "system:masters", "\udcff"),
    "Impersonate-Uid": ("1", ""),
    "Impersonate-Extra-%zz": ("1",),
    "User-Agent": ("", "x" * 2000, "kubectl/v1.36.0 (linux/amd64) kubernetes/abc", "\udcff/1", "/", "\t"),
    "Content-Encoding": ("gzip", "deflate", "br", "zstd", "x"),
    "Accept-Encoding": ("gzip", "x"),
    "Transfer-Encoding": ("identity", "x"),
    "Range": ("bytes=0-1",),
    "If-None-Match": ("*", '"x"'),
    "Origin": ("null", "http://x"),
    "Expect": ("100-continue", "x"),
    "X-Forwarded-For": ("\udcff",),
    "Audit-ID": ("\udcff", "x" * 500, ""),
    "Upgrade": ("websocket", "SPDY/3.1", "h2c", "x"),
    "Connection": ("Upgrade", "close", "x"),
}  # fmt: skip
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "get", "BREW", "CONNECT")
_SUBRESOURCES = (
    "status", "scale", "binding", "eviction", "ephemeralcontainers", "resize", "log", "exec", "attach", "portforward",
    "token", "finalize", "approval", "x", "",
)  # fmt: skip
_PIECES = (
    "..", ".", "%2e%2e", "%2f", "%00", "%ff", "%", "%zz", "a%20b", "é", "x" * 3000, "", "namespaces", "pods",
    "status", ";a=b", "*",
    "watch", "proxy", "v1", "apis", "api", "a:b", "https:a:80", "%0d%0aX:%20y", "#", "?", "boats", "%d8%00",
)  # fmt: skip


def _change_path(draw: Random, request: Request) -> Request:
    parts = request.path.split("/")
    how = draw.choice(("replace", "insert", "remove", "append", "subresource"))
    at = draw.randint(1, max(1, len(parts) - 1))
    piece = draw.choice((draw.choice(_PIECES), quote(draw.choice(_WORDS), errors="replace")))
    if how == "replace":
        parts[at : at + 1] = [piece]
    elif how == "insert":
        parts[at:at] = [piece]
    elif how == "remove":
        parts[at : at + 1] = []
    elif how == "append":
        parts.append(piece)
    else:
        parts.append(draw.choice(_SUBRESOURCES))
    return replace(request, path="/".join(parts) or "/")


def _change_query(draw: Random, request: Request) -> Request:
    key = draw.choice(_PARAMETERS)
    value = odd_text(draw).replace("\ud800", "?").encode(errors="replace").decode()
    return replace(request, query=(*request.query, (key, value)))


def _change_header(draw: Random, request: Request) -> Request:
    name = draw.choice(sorted(_HEADERS))
    return replace(request, headers={**request.headers, name: draw.choice(_HEADERS[name])})


def _change_method(draw: Random, request: Request) -> Request:
    return replace(request, method=draw.choice(_METHODS))


def _change_body(draw: Random, request: Request) -> Request:
    if request.body is None:
        return replace(request, body=odd_value(draw))
    return replace(request, body=changed(draw, request.body))


def changed(draw: Random, value: Any) -> Any:
    """A copy with one thing, at some depth, replaced, removed or added."""
    copied = copy.deepcopy(value)
    holder, key, here = None, None, copied
    while isinstance(here, dict | list) and here and draw.randint(0, 4):
        key = draw.choice(sorted(here)) if isinstance(here, dict) else draw.randrange(len(here))
        holder, here = here, here[key]
    if holder is None:
        return odd_value(draw)
    how = draw.randint(0, 5)
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder, dict):
        holder[odd_text(draw)] = here
    elif how == 1:
        holder.append(copy.deepcopy(here))
    elif how == 2:
        holder[key] = draw.choice(([here], {"x": here}, [here, here], str(here)))
    else:
        holder[key] = odd_value(draw)
    return copied


def _change_text(draw: Random, request: Request) -> Request:
    data = bytearray(request.data)
    at = draw.randint(0, len(data))
    how = draw.randint(0, 3)
    if how == 0:
        del data[at:]
    elif how == 1:
        data[at : at + draw.randint(0, 3)] = draw.randbytes(draw.randrange(5))
    elif how == 2:
        data[at:at] = data[at // 2 : at]
    else:
        data[at:at] = draw.choice((b"\xff", b"\0", b"NaN", b'{"a":1,"a":2}', b"1e999", b"9" * 5000, b"[" * 5000))
    return replace(request, text=bytes(data))


def request_of(seed: int) -> Request:
    """A recorded request with up to four changes; the same for the same number."""
    draw = Random(seed)
    request = draw.choice(recorded())
    body = [_change_body] * 16 if request.body is not None else []
    changes = [_change_path, _change_query, _change_query, _change_header, _change_method, _change_text, *body]
    if request.text is not None:
        changes += [_change_text] * 10
    for _ in range(draw.randint(0, 4)):
        request = draw.choice(changes)(draw, request)
    return request
