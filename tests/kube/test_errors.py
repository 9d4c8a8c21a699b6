"""Errors: each failure is of the kind that says what to do, and reads well."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from seatrial.errors import ClusterError
from seatrial.kube import errors

_RECORDED: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "statuses.json").read_text())
_KINDS = {
    (400, "BadRequest"): errors.BadRequest,
    (401, "Unauthorized"): errors.Unauthorized,
    (403, "Forbidden"): errors.Forbidden,
    (404, "NotFound"): errors.NotFound,
    (405, "MethodNotAllowed"): errors.BadRequest,
    (406, "NotAcceptable"): errors.BadRequest,
    (409, "AlreadyExists"): errors.AlreadyExists,
    (409, "Conflict"): errors.Conflict,
    (410, "Expired"): errors.Gone,
    (415, "UnsupportedMediaType"): errors.BadRequest,
    (422, "Invalid"): errors.Invalid,
    (429, "TooManyRequests"): errors.DisruptionBudgetBlocked,
    (500, None): errors.ServerError,
    (503, "ServiceUnavailable"): errors.ServerError,
    (504, "Timeout"): errors.ServerError,
}


def _error(recorded: dict[str, Any]) -> errors.ApiStatusError:
    body = msgspec.json.encode(recorded["status"])
    code = recorded["status"]["code"]
    return errors.error_for_status(errors.status_of(body, code=code), code=code)


@pytest.mark.parametrize("recorded", _RECORDED, ids=lambda recorded: recorded["status"]["message"][:60])
def test_a_recorded_status_becomes_the_error_of_its_kind(recorded: dict[str, Any]) -> None:
    """Each answer of a real API server is an error of its own kind, with the server's words in it."""
    status = recorded["status"]
    error = _error(recorded)
    assert type(error) is _KINDS[status["code"], status.get("reason")]
    assert isinstance(error, ClusterError)
    assert str(error).startswith(status["message"].rstrip("."))
    assert error.code == status["code"]


def _forbidden(message: str) -> errors.Forbidden:
    error = errors.error_for_status(errors.Status(message=message, reason="Forbidden"), code=403)
    assert isinstance(error, errors.Forbidden)
    return error


def test_a_missing_permission_is_taken_apart() -> None:
    """Verb, resource, group, namespace and user are fields; the hint says how to check."""
    error = _forbidden(
        'deployments.apps "web" is forbidden: User "system:serviceaccount:a:bob" cannot patch resource '
        '"deployments/scale" in API group "apps" in the namespace "prod"'
    )
    found = (error.user, error.verb, error.resource, error.group, error.namespace)
    assert found == ("system:serviceaccount:a:bob", "patch", "deployments/scale", "apps", "prod")
    assert "kubectl auth can-i patch deployments.apps --subresource=scale -n prod" in error.hint


def test_a_permission_for_all_namespaces_is_said_so() -> None:
    """At the cluster scope there is no namespace."""
    error = _forbidden(
        'nodes is forbidden: User "bob" cannot list resource "nodes" in API group "" at the cluster scope'
    )
    assert (error.resource, error.namespace) == ("nodes", "")
    assert "--all-namespaces" in error.hint


def test_a_refusal_for_another_reason_keeps_its_words() -> None:
    """An admission rule forbids without naming a permission: nothing is made up."""
    error = _forbidden('pods "x" is forbidden: exceeded quota: q')
    assert (error.verb, error.hint) == ("", "")
    assert "exceeded quota" in str(error)


def test_a_disruption_budget_says_which_and_by_how_much() -> None:
    """The cause is part of the one line that a user sees."""
    recorded = next(recorded for recorded in _RECORDED if recorded["status"]["code"] == 429)
    assert "The disruption budget" in str(_error(recorded))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"404 page not found\n", "HTTP 404: 404 page not found"),
        (b"", "HTTP 404"),
        (b"<html>" + b"x" * 10_000, "HTTP 404: <html>"),
        (b'{"kind": "Pod"}', "HTTP 404: {"),
        (b"\xff\xfe", "HTTP 404: "),
    ],
)
def test_what_is_no_status_is_quoted_in_short(body: bytes, message: str) -> None:
    """Proxies answer with pages of their own."""
    status = errors.status_of(body, code=404)
    assert status.message.startswith(message)
    assert len(status.message) < 250


def test_the_server_s_wish_to_come_back_later_is_kept() -> None:
    """It stands in the header or in the details."""
    recorded = next(recorded for recorded in _RECORDED if recorded["status"]["code"] == 504)
    assert _error(recorded).retry_after_seconds == 1
    status = errors.Status(message="slow down")
    assert errors.error_for_status(status, code=429, retry_after_seconds=7).retry_after_seconds == 7


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    """Every error class stands in the docstring, and nothing else."""
    classes = {
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, ClusterError)
    }
    docs = errors.__doc__ or ""
    drawn = {word for line in docs.splitlines() if "──" in line or line == "    ClusterError" for word in line.split()}
    assert classes == classes & drawn
