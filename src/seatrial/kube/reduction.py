"""Objects of which little is kept: read whole, reduced at once, so that many of them fit into memory.

A list or a watch whose `type` is a `Reduced` decodes the `whole` object, page by page, and keeps what `of` makes of
it. So ten thousand pods can be followed with what is derived from them (a pod's printed status), without themselves.
"""

from typing import Any, ClassVar, Self

import msgspec


class Reduced(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is kept of an object; `uid` and `version` (its resourceVersion) tell a watch which state of which it is."""

    whole: ClassVar[Any]
    """What it is decoded from: a structure of `objects`."""

    namespace: str
    name: str
    uid: str
    version: str

    @classmethod
    def of(cls, whole: Any) -> Self:
        """What is kept of an object."""
        raise NotImplementedError


def is_reduced(object_type: Any) -> bool:
    """Whether a type of objects is kept reduced."""
    return isinstance(object_type, type) and issubclass(object_type, Reduced)
