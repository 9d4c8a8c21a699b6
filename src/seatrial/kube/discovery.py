"""From what a person writes (`deploy`, `deployments.apps`, `Deployment`) to a `Resource`.

The kinds that Seatrial knows need no question to the server; for others the server's discovery documents are
read, once: the aggregated form where it is served (one request for everything), else one document a group version.
Source: Kubernetes documentation, "The Kubernetes API", "Discovery API".
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from seatrial.errors import UsageError
from seatrial.kube import errors
from seatrial.kube.resources import WELL_KNOWN, Resource
from seatrial.kube.transport import JSON, Transport, decoded

_AGGREGATED = ",".join(
    f"{JSON};g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList" for version in ("v2", "v2beta1")
)
_decoder = msgspec.json.Decoder(dict[str, Any])


class UnknownKindError(UsageError):
    """The cluster has no such kind of object."""


class Kind(msgspec.Struct, frozen=True):
    """A resource, all names it goes by, in lower case, and what can be done with it, where the server was asked."""

    resource: Resource
    names: frozenset[str]
    verbs: frozenset[str] = frozenset()


class Discovery:
    """The kinds of one cluster; asked for when needed, then kept."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._kinds: list[Kind] = []
        self._reading = asyncio.Lock()

    async def find(self, text: str) -> Resource:
        """The resource that a plural, singular, short name or kind means, with `.group` or `.version.group` after it.

        Raises:
            UnknownKindError: there is none.
        """
        name, _, qualifier = text.strip().lower().partition(".")
        found = await self._first(lambda kind: name in kind.names and _is_meant(kind.resource, qualifier))
        if found is None:
            raise UnknownKindError(
                f"the cluster has no kind of object called {text!r}", hint="see: kubectl api-resources"
            )
        return found

    async def for_kind(self, api_version: str, kind: str) -> Resource:
        """The resource of a manifest's `apiVersion` and `kind`.

        Raises:
            UnknownKindError: there is none.
        """
        wanted = (api_version, kind)
        found = await self._first(lambda known: (known.resource.api_version, known.resource.kind) == wanted)
        if found is None:
            raise UnknownKindError(
                f"the cluster has no {kind} in {api_version}", hint="is its CustomResourceDefinition installed?"
            )
        return found

    async def deletable(self) -> tuple[Resource, ...]:
        """Every kind of object that can be listed and deleted, each once: in the version the server puts first."""
        found: dict[tuple[str, str], Resource] = {}
        for kind in await self._read():
            if {"list", "delete"} <= kind.verbs:
                found.setdefault((kind.resource.group, kind.resource.plural), kind.resource)
        return tuple(found.values())

    async def _first(self, is_meant: Callable[[Kind], bool]) -> Resource | None:
        """The first kind that is meant: of those known by heart, of those read before, of those there are by now."""
        for kinds in (_BY_HEART, self._kinds, None):
            searched = await self._read() if kinds is None else kinds
            found = next((kind.resource for kind in searched if is_meant(kind)), None)
            if found is not None:
                return found
        return None

    async def _read(self) -> list[Kind]:
        async with self._reading:
            core, groups = await asyncio.gather(self._document("/api"), self._document("/apis"))
            if "items" in groups:
                self._kinds = [*_aggregated(core), *_aggregated(groups)]
            else:
                self._kinds = await self._read_legacy(groups)
            return self._kinds

    async def _read_legacy(self, groups: dict[str, Any]) -> list[Kind]:
        versions = [("", "v1")]
        for group in groups.get("groups") or ():
            preferred = group.get("preferredVersion", {}).get("version", "")
            names = [version["version"] for version in group.get("versions") or ()]
            versions += [(group["name"], name) for name in sorted(names, key=lambda name: name != preferred)]
        documents = await asyncio.gather(*(self._legacy_document(group, version) for group, version in versions))
        return [kind for document in documents for kind in document]

    async def _legacy_document(self, group: str, version: str) -> list[Kind]:
        try:
            # An extension whose server is down must neither hide all other kinds nor hold them up.
            path = f"/apis/{group}/{version}" if group else f"/api/{version}"
            document = await self._document(path, repeatable=not group)
        except (errors.NotFound, errors.ServerError):
            return []
        return [
            _kind(
                Resource(group, version, item["name"], item["kind"], item["namespaced"]),
                _other_names(item),
                item.get("verbs") or (),
            )
            for item in document.get("resources") or ()
            if "/" not in item["name"]
        ]

    async def _document(self, path: str, *, repeatable: bool = True) -> dict[str, Any]:
        headers = {"Accept": f"{_AGGREGATED},{JSON}"}
        answer = await self._transport.request("GET", path, headers=headers, repeatable=repeatable)
        return decoded(_decoder, answer.body)


def _aggregated(document: dict[str, Any]) -> Iterator[Kind]:
    for group in document.get("items") or ():
        for version in group.get("versions") or ():
            for item in version.get("resources") or ():
                # A resource that has subresources only has no kind of its own.
                if item.get("responseKind", {}).get("kind"):
                    yield _kind(
                        Resource(
                            group.get("metadata", {}).get("name") or "",
                            version["version"],
                            item["resource"],
                            item["responseKind"]["kind"],
                            item.get("scope") == "Namespaced",
                        ),
                        _other_names(item),
                        item.get("verbs") or (),
                    )


def _other_names(item: dict[str, Any]) -> list[str]:
    return [item.get("singularResource") or item.get("singularName") or "", *(item.get("shortNames") or ())]


def _kind(resource: Resource, other_names: Iterable[str], verbs: Iterable[str] = ()) -> Kind:
    names = {resource.plural, resource.kind, *other_names} - {""}
    return Kind(resource, frozenset(name.lower() for name in names), frozenset(verbs))


def _is_meant(resource: Resource, qualifier: str) -> bool:
    """Whether what stands after the name fits: nothing, the group, or the version and the group."""
    return qualifier in {"", resource.group, f"{resource.version}.{resource.group}".rstrip(".")}


_BY_HEART = [_kind(resource, ()) for resource in WELL_KNOWN]
