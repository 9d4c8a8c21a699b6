"""Which form an answer takes: JSON, YAML or protobuf, the object itself, a Table or metadata alone.

Objects are kept as JSON. So a client that takes JSON as well as protobuf gets JSON, in whatever order it names them;
protobuf is for those who take nothing else.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from seatrial.sandbox.api import ApiError
from seatrial.sandbox.apiserver import yaml_text
from seatrial.sandbox.apiserver.protobuf import objects as protobuf
from seatrial.sandbox.apiserver.statuses import failure

_AVAILABLE = (
    "application/json, application/yaml, application/vnd.kubernetes.protobuf, application/json;stream=watch, "
    "application/vnd.kubernetes.protobuf;stream=watch"
)
TRANSFORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")


@dataclass(frozen=True, slots=True)
class Form:
    """One acceptable form."""

    media: str = "json"  # json, yaml or protobuf
    transform: str = ""  # one of TRANSFORMS, or empty
    version: str = "v1"

    @property
    def content_type(self) -> str:
        """The header to answer with."""
        return protobuf.MEDIA_TYPE if self.media == "protobuf" else f"application/{self.media}"


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
    last_resort: Form | None = None
    for media, parameters in _clauses(accept):
        if media in ("*/*", "application/*"):
            return PLAIN
        form = _form(media, parameters)
        if form is not None and form.media != "protobuf":
            return form
        last_resort = last_resort or form
    if last_resort is None:
        raise not_acceptable()
    return last_resort


def _form(media: str, parameters: dict[str, str]) -> Form | None:
    """The form that one clause asks for; None for what can't be given."""
    kind = {"application/json": "json", "application/yaml": "yaml", protobuf.MEDIA_TYPE: "protobuf"}.get(media)
    wanted, version = parameters.get("as", ""), parameters.get("v", "")
    if kind is None or (kind, wanted) == ("protobuf", "Table"):
        return None
    if not wanted:
        return Form(kind)
    known = wanted in TRANSFORMS and parameters.get("g") == "meta.k8s.io" and version in ("v1", "v1beta1")
    return Form(kind, wanted, version) if known else None


def not_acceptable() -> ApiError:
    """406: nothing that the client takes can be given."""
    text = f"406: Not Acceptable\n\nAvailable representations: {_AVAILABLE}"
    return failure(406, "NotAcceptable", text, details={})


def refusal_form(accept: str) -> Form:
    """The form of a Status: as asked for where that is possible, and JSON for those who ask for nothing that is."""
    try:
        return Form(negotiate(accept).media)
    except ApiError:
        return PLAIN


def wants_aggregated(accept: str) -> bool | None:
    """Whether discovery should answer in one document; None when no acceptable form was named."""
    if not accept:
        return False
    for media, parameters in _clauses(accept):
        if media in ("*/*", "application/*"):
            return False
        if media not in ("application/json", "application/yaml", protobuf.MEDIA_TYPE):
            continue
        if "as" not in parameters:
            return False
        names = (parameters.get("as"), parameters.get("g"), parameters.get("v"))
        if names == ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2"):
            return True
    return None


def encode(value: Any, form: Form, *, pretty: bool = False) -> bytes:
    """An answer's bytes; 406 for what has no form in protobuf."""
    if form.media == "protobuf":
        try:
            return protobuf.write_object(value)
        except protobuf.UnknownKindError as error:
            raise not_acceptable() from error
    if form.media == "yaml":
        return yaml_text.dump(value)
    data = msgspec.json.encode(value)
    return (msgspec.json.format(data, indent=2) if pretty else data) + b"\n"
