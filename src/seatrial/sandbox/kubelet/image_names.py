"""Image names as container runtimes write them: with registry, path and tag."""

import hashlib
import re
from typing import Final

_DEFAULT_REGISTRY: Final = "docker.io"
_COMPONENT: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG: Final = re.compile(r"[\w][\w.-]{0,127}")


class InvalidImageNameError(ValueError):
    """An image name that no registry could have; the text is the kubelet's."""


def canonical_name(image: str) -> str:
    """The full name: `busybox` is `docker.io/library/busybox:latest`.

    Raises:
        InvalidImageNameError: it breaks the grammar of image references.
    """
    name, _, digest = image.partition("@")
    path, _, tag = name.rpartition(":") if ":" in name.rpartition("/")[2] else (name, "", "")
    registry, slash, rest = path.partition("/")
    if slash and ("." in registry or ":" in registry or registry == "localhost"):
        path = rest
    else:
        registry = _DEFAULT_REGISTRY
        path = path if slash else f"library/{path}"
    if path != path.lower():
        raise InvalidImageNameError(_message(image, f"repository name ({path}) must be lowercase"))
    if not all(_COMPONENT.fullmatch(part) for part in path.split("/")) or (tag and not _TAG.fullmatch(tag)):
        raise InvalidImageNameError(_message(image))
    suffix = f"@{digest}" if digest else f":{tag or 'latest'}"
    return f"{registry}/{path}{suffix}"


def image_id(canonical: str) -> str:
    """A stable id for an image that has no content to hash."""
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def pull_policy(container_image: str, policy: str | None) -> str:
    """The pull policy in effect: Always for `latest`, as the API server defaults it."""
    if policy:
        return policy
    return "Always" if canonical_name(container_image).endswith(":latest") else "IfNotPresent"


def _message(image: str, detail: str = "") -> str:
    reason = f"invalid reference format: {detail}" if detail else "invalid reference format"
    return f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": {reason}'
