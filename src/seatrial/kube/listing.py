"""Reading a collection: page by page underneath, one list to the caller.

Pages keep the memory and time of a big list bounded on both sides. Their continue token expires after some minutes:
then the list starts again, in the end without pages, as Kubernetes documentation ("API Concepts", "Retrieving
large results sets in chunks") advises.
"""

import functools
from typing import Any, Generic, TypeVar

import msgspec

from seatrial.kube import errors
from seatrial.kube.transport import JSON, Transport, decoded

T = TypeVar("T")


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
        page: _Page[T] = decoded(decoder, answer.body)
        items += page.items or ()
        if not page.metadata.continue_:
            return ObjectList(items, page.metadata.resource_version)
        # The token holds the version; the server refuses both together.
        params = {**params, "resourceVersion": None, "continue": page.metadata.continue_}


@functools.lru_cache(maxsize=64)
def page_decoder(object_type: Any) -> msgspec.json.Decoder[Any]:
    """The decoder of a page of such objects."""
    return msgspec.json.Decoder(_Page[object_type])


@functools.lru_cache(maxsize=64)
def object_decoder(object_type: Any) -> msgspec.json.Decoder[Any]:
    """The decoder of such an object."""
    return msgspec.json.Decoder(object_type)
