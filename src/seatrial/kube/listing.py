"""Reading a collection: page by page underneath, one list to the caller.

Pages keep the memory and time of a big list bounded on both sides. Their continue token expires after some minutes:
then the list starts again, in the end without pages, as Kubernetes documentation ("API Concepts", "Retrieving
large results sets in chunks") advises.
"""

import asyncio
import functools
from typing import Any, Generic, TypeVar

import msgspec

from seatrial.kube import errors
from seatrial.kube.reduction import is_reduced
from seatrial.kube.transport import JSON, Decoder, Transport, decoded

T = TypeVar("T")

_AT_A_STRETCH = 100


class ObjectList(msgspec.Struct, Generic[T], frozen=True):
    """The objects of a collection, and the resourceVersion at which they were read."""

    items: list[T]
    resource_version: str


class Selection(msgspec.Struct, frozen=True):
    """Which objects are asked for, and how much of each."""

    path: str
    label_selector: str = ""
    field_selector: str = ""
    metadata_only: bool = False

    @property
    def params(self) -> dict[str, str | int | bool | None]:
        """The query that selects them."""
        return {"labelSelector": self.label_selector or None, "fieldSelector": self.field_selector or None}

    def accept(self, kind: str) -> str:
        """The Accept header for one object (`PartialObjectMetadata`) or a list of them (`...List`)."""
        return f"{JSON};as={kind};v=v1;g=meta.k8s.io,{JSON}" if self.metadata_only else JSON


class _ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class _Page(msgspec.Struct, Generic[T], frozen=True):
    metadata: _ListMeta
    items: list[T] | None  # an empty list of metadata has null


async def list_objects(
    transport: Transport,
    selection: Selection,
    object_type: type[T],
    *,
    page_size: int = 500,
    resource_version: str | None = None,
) -> ObjectList[T]:
    """Read all objects of a selection; `page_size` 0 asks for them in one piece."""
    try:
        return await _all_pages(transport, selection, object_type, page_size, resource_version)
    except errors.Gone:
        if not page_size:
            raise
    try:
        return await _all_pages(transport, selection, object_type, page_size, resource_version)
    except errors.Gone:
        return await _all_pages(transport, selection, object_type, 0, resource_version)


async def _all_pages(
    transport: Transport, selection: Selection, object_type: type[T], page_size: int, resource_version: str | None
) -> ObjectList[T]:
    items: list[T] = []
    headers = {"Accept": selection.accept("PartialObjectMetadataList")}
    decoder = page_decoder(object_type)  # type: ignore[arg-type]  # types are hashable
    params = {**selection.params, "limit": page_size or None, "resourceVersion": resource_version}
    while True:
        answer = await transport.request("GET", selection.path, params=params, headers=headers)
        page: _Page[Any] = decoded(decoder, answer.body)
        items += await _reduced(page.items or [], object_type) if is_reduced(object_type) else page.items or []
        if not page.metadata.continue_:
            return ObjectList(items, page.metadata.resource_version)
        # The token holds the version; the server refuses both together.
        params = {**params, "resourceVersion": None, "continue": page.metadata.continue_}


async def _reduced(items: list[msgspec.Raw], object_type: type[T]) -> list[T]:
    """What is kept of a page's objects: others have their turn between some of them."""
    decoder = object_decoder(object_type)  # type: ignore[arg-type]  # types are hashable
    kept: list[T] = []
    for start in range(0, len(items), _AT_A_STRETCH):
        await asyncio.sleep(0)
        kept += [decoded(decoder, item) for item in items[start : start + _AT_A_STRETCH]]
    return kept


@functools.lru_cache(maxsize=64)
def page_decoder(object_type: Any) -> Decoder[Any]:
    """The decoder of a page of such objects; of a page of which little is kept, to objects that are still JSON."""
    kept: Any = msgspec.Raw if is_reduced(object_type) else object_type
    return msgspec.json.Decoder(_Page[kept])


@functools.lru_cache(maxsize=64)
def object_decoder(object_type: Any) -> Decoder[Any]:
    """The decoder of such an object."""
    return _ReducedObjects(object_type) if is_reduced(object_type) else msgspec.json.Decoder(object_type)


class _ReducedObjects:
    """Decodes an object and keeps what is wanted of it."""

    def __init__(self, object_type: Any) -> None:
        self._of = object_type.of
        self._whole = msgspec.json.Decoder(object_type.whole)

    def decode(self, body: bytes | msgspec.Raw) -> Any:
        return self._of(self._whole.decode(body))
