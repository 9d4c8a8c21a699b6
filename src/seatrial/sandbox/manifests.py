"""Manifests: reading files of several YAML or JSON documents, and applying them to a sandbox."""

import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from seatrial.errors import SandboxError, UsageError
from seatrial.kube.manifest_yaml import ManifestLoader
from seatrial.sandbox.client import ApplyError, SandboxClient


def read_manifests(files: Iterable[Path]) -> list[tuple[str, dict[str, Any]]]:
    """All objects of the files in their order, each with the place it comes from; `-` is standard input.

    Raises:
        UsageError: a file can't be read, isn't YAML, or holds something that is no Kubernetes object.
    """
    return [found for file in files for found in _objects_in(file)]


async def apply_manifests(client: SandboxClient, objects: Iterable[tuple[str, dict[str, Any]]]) -> AsyncIterator[str]:
    """Apply objects one after the other; yields a line for each.

    Raises:
        SandboxError: the API server refused one; those before it are applied.
    """
    for place, document in objects:
        try:
            yield await client.apply(document)
        except ApplyError as error:
            raise SandboxError(f"{place}: {error}") from error


def _objects_in(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
        documents = list(yaml.load_all(text, ManifestLoader))
    except OSError as error:
        raise UsageError(f"can't read {file}: {error.strerror}") from error
    except RecursionError:
        raise UsageError(f"{file} is nested too deeply") from None
    except (ValueError, yaml.YAMLError) as error:
        problem = " ".join(str(error).split())
        raise UsageError(f"{file} isn't valid YAML: {problem}") from error
    for number, document in enumerate(documents, start=1):
        if document is not None:
            yield from _flattened(f"{file}, document {number}", document)


def _flattened(place: str, document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The object itself, or the items of a `List`."""
    if not isinstance(document, dict) or not document.get("kind") or not document.get("apiVersion"):
        raise UsageError(f"{place}: not a Kubernetes object: it needs apiVersion and kind")
    if document["kind"] == "List":
        for number, item in enumerate(document.get("items") or (), start=1):
            yield from _flattened(f"{place}, item {number}", item)
    else:
        yield place, document
