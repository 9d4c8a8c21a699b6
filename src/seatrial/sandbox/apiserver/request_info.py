"""What a URL and method ask for, in the API's terms: verb, group, version, resource, namespace, name, subresource."""

import re
from dataclasses import dataclass
from typing import Final

from seatrial.sandbox.apiserver.access.authorization import Attributes
from seatrial.sandbox.apiserver.statuses import bad_request

_INTEGER: Final = re.compile(r"[+-]?[0-9]+\Z")
CONNECTING: Final = frozenset({"log", "exec", "attach", "portforward", "proxy"})
"""Subresources that are connections to somewhere else, for as long as these last."""

_MOST_DIGITS: Final = 100  # Python refuses to read thousands of them
_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_COLLECTION_VERBS: Final = ("list", "watch", "deletecollection")


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request about resources, or (with `resource` empty) about a path."""

    path: str
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""  # what follows a proxy subresource
    has_namespace: bool = False
    selected_name: str = ""  # of the one object that a list or watch is about

    def attributes(self) -> Attributes:
        """What authorization decides on."""
        if not self.resource:
            return Attributes(verb=self.verb, path=self.path)
        return Attributes(
            self.verb, self.group, self.resource, self.subresource, self.namespace, self.name or self.selected_name
        )


def parse(method: str, path: str, query: dict[str, str]) -> RequestInfo:
    """Read a request's line; never fails, since unknown paths are authorized before they are refused."""
    parts = [part for part in path.split("/") if part]
    prefix = 2 if parts[:1] == ["api"] else 3
    if parts[:1] not in (["api"], ["apis"]) or len(parts) <= prefix or path.startswith("//"):
        return RequestInfo(path, method.lower())
    group, version = ("", parts[1]) if prefix == 2 else (parts[1], parts[2])
    parts = parts[prefix:]
    watched = parts[0] in ("watch", "proxy") and len(parts) > 1
    if watched:
        parts = parts[1:]
    namespace, has_namespace = "", False
    if parts[0] == "namespaces" and len(parts) > 1:
        namespace = parts[1]
        if len(parts) > 2 and parts[2] not in ("status", "finalize"):
            parts, has_namespace = parts[2:], True
    resource, name = parts[0], parts[1] if len(parts) > 1 else ""
    verb = _verb(method, name, query, watched=watched)
    return RequestInfo(
        path=path,
        verb=verb,
        group=group,
        version=version,
        resource=resource,
        namespace=namespace,
        name=name,
        subresource=parts[2] if len(parts) > 2 else "",
        rest="/".join(parts[3:]) + ("/" if len(parts) > 3 and path.endswith("/") else ""),
        has_namespace=has_namespace,
        selected_name=_selected_name(query.get("fieldSelector", "")) if verb in _COLLECTION_VERBS else "",
    )


def _selected_name(selector: str) -> str:
    """The name that a field selector asks for: with it, a rule for that name alone lets list and watch pass."""
    pairs = [part.partition("=") for part in selector.split(",")]
    return next((value.removeprefix("=") for key, _, value in pairs if key == "metadata.name"), "")


def _verb(method: str, name: str, query: dict[str, str], *, watched: bool) -> str:
    verb = _VERBS.get(method, method.lower())
    if verb == "get" and watched:
        return "watch"
    if verb == "get" and not name:
        return "watch" if is_true(query.get("watch")) else "list"
    if verb == "delete" and not name:
        return "deletecollection"
    return verb


def is_true(text: str | None) -> bool:
    """Whether a query's flag is set, as Go reads it: anything but false and 0."""
    return text is not None and text.lower() not in ("false", "0")


def read_integer(text: str) -> int:
    """A number in a query; 400 in Go's words for what is none."""
    if not _INTEGER.match(text):
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if len(text) > _MOST_DIGITS or not -(2**63) <= int(text) < 2**63:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
    return int(text)
