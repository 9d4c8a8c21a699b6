"""What all kinds keep of an object, one copy of what many have in common: labels, namespaces, names of images."""

import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from seatrial.kube.objects import ObjectMeta

_MOST_SETS = 4096


def of_meta(meta: ObjectMeta) -> dict[str, Any]:
    """What is kept of an object's metadata, by the names of the attributes."""
    return {
        "namespace": sys.intern(meta.namespace),
        "name": meta.name,
        "uid": meta.uid,
        "version": meta.resource_version,
        "labels": shared_labels(meta.labels),
        "created": meta.creation_timestamp,
        "deleted": meta.deletion_timestamp,
    }


def shared_labels(labels: Mapping[str, str] | None) -> Mapping[str, str]:
    """The labels; those of a ReplicaSet's pods are one mapping. It is not to be changed."""
    return _shared_labels(tuple(labels.items())) if labels else _NONE


@lru_cache(_MOST_SETS)
def _shared_labels(labels: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    return {sys.intern(key): sys.intern(value) for key, value in labels}


@lru_cache(_MOST_SETS)
def shared_texts(texts: tuple[str, ...]) -> tuple[str, ...]:
    """The same texts, once for all who have them."""
    return tuple(sys.intern(text) for text in texts)


_NONE: Mapping[str, str] = {}
