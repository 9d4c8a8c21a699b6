"""The resources that the API server serves, and everything discovery says about each.

A *resource* is what a URL names (`deployments` of `apps/v1`); its *key* is the name RBAC uses (`deployments.apps`).
`Registry` finds resources by URL or key; resources defined at run time are added to it.
What a resource adds to objects and forbids is its strategy (`strategies`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seatrial.sandbox.apiserver import schema
from seatrial.sandbox.apiserver.custom.definition import version_rank
from seatrial.sandbox.apiserver.publishing.group_priority import priority_of

if TYPE_CHECKING:
    from seatrial.sandbox.apiserver.custom.kind import CustomKind

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
NO_COLLECTION = tuple(verb for verb in ALL_VERBS if verb != "deletecollection")
READ_WRITE = ("get", "patch", "update")
CONNECT = ("create", "delete", "get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Subresource:
    """`pods/log` and its like: the kind it answers and the verbs it knows."""

    name: str
    kind: str
    verbs: tuple[str, ...] = READ_WRITE
    group: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of one group version."""

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    singular: str = ""
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[Subresource, ...] = ()
    stored_as: str = ""
    has_generation: bool = False
    returns_deleted: bool = False
    custom: "CustomKind | None" = None  # what a definition says of it; None for built-in resources

    @property
    def key(self) -> str:
        """The name in RBAC: `pods`, `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def table(self) -> str:
        """The store's table; two group versions of one thing share it."""
        return self.stored_as or self.key

    @property
    def api_version(self) -> str:
        """`v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def subresource(self, name: str) -> Subresource | None:
        """The subresource called `name`."""
        return next((sub for sub in self.subresources if sub.name == name), None)

    @property
    def structure(self) -> schema.Structure | None:
        """The fields of its objects."""
        return self.custom.structure if self.custom is not None else schema.root(self.api_version, self.kind)

    @property
    def is_extension(self) -> bool:
        """Whether this is a definition, or what a definition defines."""
        return self.custom is not None or self.group == "apiextensions.k8s.io"

    @property
    def selectable(self) -> tuple[str, ...] | None:
        """The fields a definition lets clients select by; None for a built-in resource."""
        return self.custom.selectable if self.custom is not None else None

    @property
    def list_kind(self) -> str:
        """The kind of a list of its objects."""
        return self.custom.list_kind if self.custom is not None else f"{self.kind}List"

    @property
    def has_status(self) -> bool:
        """Whether status is written through its own subresource."""
        return self.subresource("status") is not None

    def unowned(self, subresource: str) -> tuple[str, ...]:
        """The top-level fields that nobody comes to own by writing through a subresource."""
        if subresource == "status":
            return ("spec",)
        return ("status",) if self.has_status else ()


class Registry:
    """Finds resources; keeps the order in which discovery lists groups."""

    def __init__(self, resources: tuple[Resource, ...]) -> None:
        self._by_url: dict[tuple[str, str, str], Resource] = {}
        self._by_key: dict[str, Resource] = {}
        for resource in resources:
            self.add(resource)

    def add(self, resource: Resource) -> None:
        """Serve a resource."""
        self._by_url[resource.group, resource.version, resource.plural] = resource
        self._by_key.setdefault(resource.key, resource)

    def serve(self, key: str, resources: Iterable[Resource]) -> None:
        """Serve exactly these versions of the resource with this key, the one to prefer first; none to end it."""
        for url in [url for url, resource in self._by_url.items() if resource.key == key]:
            del self._by_url[url]
        self._by_key.pop(key, None)
        for resource in resources:
            self.add(resource)

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource that a URL names."""
        return self._by_url.get((group, version, plural))

    def of(self, key: str) -> Resource:
        """The resource with this key; KeyError for a programming mistake."""
        return self._by_key[key]

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource whose objects carry this apiVersion and kind."""
        return next((r for r in self if r.kind == kind and r.api_version == api_version), None)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._by_url.values())

    def is_built_in(self, group: str, version: str) -> bool:
        """Whether a group version is the server's own: others come and go with their definitions."""
        return any(r.custom is None and (r.group, r.version) == (group, version) for r in self)

    def groups(self) -> dict[str, list[str]]:
        """Every group with its versions, in the order of discovery; the core group is the empty name."""
        found: dict[str, list[str]] = {}
        custom: dict[str, list[str]] = {}
        for resource in self:
            versions = (found if resource.custom is None else custom).setdefault(resource.group, [])
            if resource.version not in versions:
                versions.append(resource.version)
        for group, versions in sorted(custom.items()):
            found[group] = sorted({*found.get(group, ()), *versions}, key=version_rank)
        return dict(sorted(found.items(), key=lambda entry: (-priority_of(entry[0]), entry[0])))

    def of_version(self, group: str, version: str) -> list[Resource]:
        """The resources of a group version, by name."""
        return sorted((r for r in self if (r.group, r.version) == (group, version)), key=lambda r: r.plural)
