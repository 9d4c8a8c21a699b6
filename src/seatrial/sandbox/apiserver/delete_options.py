"""Reads how something is to be deleted: DeleteOptions from the body of a request or from its query.

What the options mean is `deletion`'s business.
"""

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.bodies import read_delete_options
from seatrial.sandbox.apiserver.calls import DeleteOptions
from seatrial.sandbox.apiserver.json_text import type_name
from seatrial.sandbox.apiserver.request_info import is_true, read_integer


def delete_options(data: bytes, request: web.BaseRequest) -> DeleteOptions:
    """The options of a DELETE request; a body, where there is one, replaces the query."""
    body = read_delete_options(data, request.headers.get("Content-Type"))
    _check_types(body)
    query: Mapping[str, str] = {} if body else request.query
    preconditions = body.get("preconditions") or {}
    grace = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    policy = body.get("propagationPolicy", query.get("propagationPolicy"))
    orphan = body.get("orphanDependents", query.get("orphanDependents"))
    dry_run: list[str] = body["dryRun"] if body.get("dryRun") else request.query.getall("dryRun", [])
    _check_delete_options(policy, orphan, dry_run)
    if orphan is not None:
        policy = "Orphan" if is_true(str(orphan)) else "Background"
    seconds = None if grace is None else read_integer(str(grace))
    uid, version = preconditions.get("uid"), preconditions.get("resourceVersion")
    return DeleteOptions(seconds, policy, uid, version, bool(dry_run))


_TYPES: Final[Mapping[str, tuple[type, str]]] = {
    "gracePeriodSeconds": (int, "int64"),
    "propagationPolicy": (str, "v1.DeletionPropagation"),
    "orphanDependents": (bool, "bool"),
    "preconditions": (dict, "v1.Preconditions"),
    "dryRun": (list, "[]string"),
}


def _check_types(body: Mapping[str, Any]) -> None:
    """400 for an option of the wrong type."""
    preconditions = body.get("preconditions")
    wrong = [
        (key, wanted)
        for key, (kind, wanted) in _TYPES.items()
        if body.get(key) is not None and (type(body[key]) is not kind)
    ]
    if not wrong and preconditions is not None:
        wrong = [
            (f"preconditions.{key}", "string")
            for key in ("uid", "resourceVersion")
            if not isinstance(preconditions.get(key), str | None)
        ]
    for field, wanted in wrong:
        value = (preconditions or {}).get(field.rpartition(".")[2]) if "." in field else body[field]
        text = f"json: cannot unmarshal {type_name(value)} into Go struct field DeleteOptions.{field} of type {wanted}"
        raise statuses.bad_request(f'DeleteOptions in version "v1" cannot be handled as a DeleteOptions: {text}')


def _check_delete_options(policy: Any, orphan: Any, dry_run: list[str]) -> None:
    errors = []
    if policy is not None and orphan is not None:
        text = "orphanDependents and deletionPropagation cannot be both set"
        errors.append(statuses.invalid("propagationPolicy", policy, text))
    if policy not in (None, "Background", "Foreground", "Orphan"):
        choices = ("Background", "Foreground", "Orphan", "nil")
        errors.append(statuses.unsupported("propagationPolicy", policy, choices))
    if any(value != "All" for value in dry_run):
        errors.append(statuses.unsupported("dryRun", list(dry_run), ("All",)))
    if errors:
        raise statuses.unprocessable("meta.k8s.io", "DeleteOptions", "", errors)
