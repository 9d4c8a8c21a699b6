"""NamespaceLifecycle: nothing is made in a namespace that is missing or on its way out."""

from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.apiserver.admission.attempt import Attempt
from seatrial.sandbox.apiserver.strategies.base import Surroundings


def admit(attempt: Attempt, around: Surroundings) -> None:
    """404 for a missing namespace, 403 for one that is being deleted."""
    name = attempt.namespace
    namespace = around.lookup("namespaces", "", name)
    if namespace is None:
        raise statuses.not_found("", "namespaces", name)
    if not namespace["metadata"].get("deletionTimestamp"):
        return
    error = attempt.refusal(f"unable to create new content in namespace {name} because it is being terminated")
    error.status["details"]["causes"] = [
        {
            "reason": "NamespaceTerminating",
            "message": f"namespace {name} is being terminated",
            "field": "metadata.namespace",
        }
    ]
    raise error
