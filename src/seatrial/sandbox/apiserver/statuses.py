"""The `Status` objects with which the API server refuses, worded as Kubernetes words them.

Clients decide by `reason`, `code` and `details.causes`; people read `message`. Each function makes one kind of refusal
as an `ApiError`, which the HTTP server writes out and `LocalApi` lets through. `FieldError` is one line of a 422.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from seatrial.sandbox.api import ApiError, Object


class FieldError(NamedTuple):
    """One thing wrong with one field: the reason for programs, the text for people."""

    reason: str
    field: str
    text: str


def go_json(value: object) -> str:
    """A value as Go's validation prints it: JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def required(field: str, detail: str = "") -> FieldError:
    """A field that must be there isn't."""
    return FieldError("FieldValueRequired", field, f"Required value: {detail}" if detail else "Required value")


def invalid(field: str, value: object, detail: str) -> FieldError:
    """A value that breaks a rule."""
    return FieldError("FieldValueInvalid", field, f"Invalid value: {go_json(value)}: {detail}")


def unsupported(field: str, value: object, allowed: Sequence[str]) -> FieldError:
    """A value outside a closed list."""
    choices = ", ".join(go_json(choice) for choice in allowed)
    return FieldError(
        "FieldValueNotSupported", field, f"Unsupported value: {go_json(value)}: supported values: {choices}"
    )


def duplicate(field: str, value: object) -> FieldError:
    """A value that may stand only once."""
    return FieldError("FieldValueDuplicate", field, f"Duplicate value: {go_json(value)}")


def forbidden_field(field: str, detail: str) -> FieldError:
    """A field that may not be set, or not be changed."""
    return FieldError("FieldValueForbidden", field, f"Forbidden: {detail}")


def not_found_field(field: str, value: object) -> FieldError:
    """A value that names nothing."""
    return FieldError("FieldValueNotFound", field, f"Not found: {go_json(value)}")


def too_long(field: str, limit: int) -> FieldError:
    """A text over its limit in bytes."""
    return FieldError("FieldValueTooLong", field, f"Too long: may not be more than {limit} bytes")


def failure(
    code: int, reason: str, message: str, *, details: Object | None = None, headers: dict[str, str] | None = None
) -> ApiError:
    """Any refusal; `headers` go out with the HTTP answer."""
    status: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    if reason:
        status["reason"] = reason
    if details is not None:
        status["details"] = details
    status["code"] = code
    return ApiError(status, headers)


def success(*, name: str = "", group: str = "", kind: str = "", uid: str = "") -> Object:
    """What a deletion answers when nothing remains to be seen."""
    details = {"name": name, "group": group, "kind": kind, "uid": uid}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }


def qualified(group: str, name: str) -> str:
    """`deployments.apps`, or `pods` for the core group."""
    return f"{name}.{group}" if group else name


def _details(group: str, kind: str, name: str, **more: Any) -> Object:
    details = {"name": name, "group": group, "kind": kind, **more}
    return {key: value for key, value in details.items() if value}


def not_found(group: str, plural: str, name: str) -> ApiError:
    """No such object."""
    message = f'{qualified(group, plural)} "{name}" not found'
    return failure(404, "NotFound", message, details=_details(group, plural, name))


def no_such_resource() -> ApiError:
    """No such resource or subresource in a group that exists."""
    return failure(404, "NotFound", "the server could not find the requested resource", details={})


def method_not_allowed() -> ApiError:
    """The resource exists, the method doesn't."""
    message = "the server does not allow this method on the requested resource"
    return failure(405, "MethodNotAllowed", message, details={})


def verb_not_supported(group: str, plural: str, verb: str) -> ApiError:
    """A verb that a custom resource, or its subresource, doesn't know."""
    message = f"{verb} is not supported on resources of kind {go_json(qualified(group, plural))}"
    return failure(405, "MethodNotAllowed", message, details=_details(group, plural, ""))


def already_exists(group: str, plural: str, name: str, *, terminating: bool = False) -> ApiError:
    """The name is taken."""
    prefix = "object is being deleted: " if terminating else ""
    message = f'{prefix}{qualified(group, plural)} "{name}" already exists'
    return failure(409, "AlreadyExists", message, details=_details(group, plural, name))


STALE = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(group: str, plural: str, name: str, why: str = STALE) -> ApiError:
    """Somebody else was quicker, or a precondition failed."""
    message = f'Operation cannot be fulfilled on {qualified(group, plural)} "{name}": {why}'
    return failure(409, "Conflict", message, details=_details(group, plural, name))


def bad_request(message: str) -> ApiError:
    """The request can't be understood."""
    return failure(400, "BadRequest", message)


def expired(message: str) -> ApiError:
    """A resourceVersion or continue token older than what is kept."""
    return failure(410, "Expired", message)


def gone_resource_version(asked: int, oldest: int) -> ApiError:
    """A watch can't begin so far back."""
    return expired(f"too old resource version: {asked} ({oldest})")


def forbidden(group: str, plural: str, name: str, why: str) -> ApiError:
    """Refused by authorization or admission."""
    subject = f'{qualified(group, plural)} "{name}"' if name else qualified(group, plural)
    return failure(403, "Forbidden", f"{subject} is forbidden: {why}", details=_details(group, plural, name))


def unprocessable(group: str, kind: str, name: str, errors: Iterable[FieldError]) -> ApiError:
    """422 with its causes; a repeated line is said once in the message."""
    listed = list(errors)
    lines = list(dict.fromkeys(f"{error.field}: {error.text}" for error in listed))
    text = lines[0] if len(lines) == 1 else "[" + ", ".join(lines) + "]"
    causes = [{"reason": error.reason, "message": error.text, "field": error.field} for error in listed]
    message = f'{qualified(group, kind)} "{name}" is invalid: {text}'
    return failure(422, "Invalid", message, details=_details(group, kind, name, causes=causes))


def unprocessable_patch() -> ApiError:
    """A JSON patch that can't be carried out; Kubernetes doesn't say why."""
    return failure(422, "Invalid", "the server rejected our request due to an error in our request", details={})
