"""Which form an answer takes: JSON or YAML, the object itself, a Table or metadata alone."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from seatrial.sandbox.apiserver.statuses import failure

_AVAILABLE = (
    "application/json, application/yaml, application/vnd.kubernetes.protobuf, application/json;stream=watch, "
    "application/vnd.kubernetes.protobuf;stream=watch"
)
TRANSFORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")


@dataclass(frozen=True, slots=True)
class Form:
    """One acceptable form."""

    media: str = "json"  # json or yaml
    transform: str = ""  # one of TRANSFORMS, or empty
    version: str = "v1"

    @property
    def content_type(self) -> str:
        """The header to answer with."""
        return f"application/{self.media}"


PLAIN = Form()


def _clauses(accept: str) -> list[tuple[str, dict[str, str]]]:
    found = []
    for clause in accept.split(","):
        media, *parameters = [piece.strip() for piece in clause.split(";")]
        if media:
            pairs = dict(piece.partition("=")[::2] for piece in parameters)
            found.append((media, pairs))
    found.sort(key=lambda entry: -_weight(entry[1]))
    return found


def _weight(parameters: dict[str, str]) -> float:
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 0.0


@lru_cache(maxsize=256)
def negotiate(accept: str) -> Form:
    """The first form of an Accept header that can be given; 406."""
    if not accept:
        return PLAIN
    for media, parameters in _clauses(accept):
        if media in ("*/*", "application/*"):
            return PLAIN
        if media not in ("application/json", "application/yaml"):
            continue
        kind = media.rpartition("/")[2]
        wanted = parameters.get("as", "")
        if not wanted:
            return Form(kind)
        version = parameters.get("v", "")
        if wanted in TRANSFORMS and parameters.get("g") == "meta.k8s.io" and version in ("v1", "v1beta1"):
            return Form(kind, wanted, version)
    text = f"406: Not Acceptable\n\nAvailable representations: {_AVAILABLE}"
    raise failure(406, "NotAcceptable", text, details={})


def wants_aggregated(accept: str) -> bool | None:
    """Whether discovery should answer in one document; None when no acceptable form was named."""
    if not accept:
        return False
    for media, parameters in _clauses(accept):
        if media in ("*/*", "application/*"):
            return False
        if media not in ("application/json", "application/yaml"):
            continue
        if "as" not in parameters:
            return False
        names = (parameters.get("as"), parameters.get("g"), parameters.get("v"))
        if names == ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2"):
            return True
    return None


def encode(value: Any, form: Form, *, pretty: bool = False) -> bytes:
    """An answer's bytes."""
    if form.media == "yaml":
        import yaml  # noqa: PLC0415 -- hardly any client asks for YAML

        return yaml.safe_dump(value, default_flow_style=False, sort_keys=True, allow_unicode=True).encode()
    data = msgspec.json.encode(value)
    return (msgspec.json.format(data, indent=2) if pretty else data) + b"\n"
