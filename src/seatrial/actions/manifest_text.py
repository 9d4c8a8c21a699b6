"""Manifests as text: YAML documents or JSON, as kubectl reads them, taken apart into single objects.

A `List` of objects is its items. What is no Kubernetes object is said before anything is done with the others.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from seatrial.errors import ConfigurationError
from seatrial.kube.manifest_yaml import ManifestLoader

Manifest = dict[str, Any]


def read_manifests(path: Path) -> list[Manifest]:
    """The objects of a YAML or JSON file.

    Raises:
        ConfigurationError: the file can't be read, or holds something that is no Kubernetes object.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"can't read {path}: {error.strerror}") from error
    return parse_manifests(content, name=str(path))


def parse_manifests(content: str | bytes, *, name: str) -> list[Manifest]:
    """The objects of a text in order; none for a text without any.

    Args:
        content: YAML documents, or JSON objects one after the other.
        name: what to call the text in messages.

    Raises:
        ConfigurationError: it holds something that is no Kubernetes object; the message says which.
    """
    try:
        documents = [document for document in _documents(content) if document is not None]
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigurationError(f"{name} is no YAML: {' '.join(str(error).split())}") from error
    except RecursionError:
        raise ConfigurationError(f"{name} is nested too deeply") from None
    objects = [item for document in documents for item in _items(document)]
    for number, each in enumerate(objects, start=1):
        if problem := _problem_of(each):
            raise ConfigurationError(f"{name}: object {number} {problem}")
    return objects


def _documents(content: str | bytes) -> Iterator[Any]:
    if isinstance(content, bytes) and content[:1] != b"{":
        yield from yaml.load_all(content, Loader=ManifestLoader)
        return
    text = content.decode() if isinstance(content, bytes) else content
    objects = _json_objects(text) if text.lstrip().startswith("{") else None
    yield from yaml.load_all(text, Loader=ManifestLoader) if objects is None else objects


def _json_objects(text: str) -> list[Any] | None:
    """JSON objects that follow each other; None where it isn't JSON (YAML may begin with a brace, too)."""
    decoder, objects, position = json.JSONDecoder(), [], 0
    try:
        while rest := text[position:].lstrip():
            position = len(text) - len(rest)
            value, position = decoder.raw_decode(text, position)
            objects.append(value)
    except ValueError:
        return None
    return objects


def _items(document: Any) -> list[Manifest]:
    if not isinstance(document, dict):
        return [{}]
    kind, items = document.get("kind"), document.get("items")
    if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list):
        # Those of a typed list (PodList) need not repeat what the list's kind says.
        shared = {} if kind == "List" else {"apiVersion": document.get("apiVersion"), "kind": kind.removesuffix("List")}
        return [{**shared, **item} if isinstance(item, dict) else {} for item in items]
    return [document]


def _problem_of(manifest: Manifest) -> str:
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        return "has no metadata"
    if metadata.get("generateName") and not metadata.get("name"):
        return "has a generateName, which apply and delete can't work with: give it a name"
    named = (manifest.get("apiVersion"), manifest.get("kind"), metadata.get("name"))
    if not all(isinstance(each, str) and each for each in named):
        return "needs apiVersion, kind and metadata.name, each a text"
    if not isinstance(metadata.get("namespace") or "", str):
        return "has a namespace that is no text"
    for key in ("labels", "annotations"):
        if not isinstance(metadata.get(key) or {}, dict):
            return f"has {key} that are no map"
    return ""
