"""May we, and who are we: the API server's own answers.

A plan names missing permissions before anything is touched. Source: Kubernetes documentation, "Authorization",
"Checking API access", and "Authenticating", "API access to authentication information for a client".
"""

from typing import Any

import msgspec

from seatrial.kube import errors
from seatrial.kube.resources import Resource
from seatrial.kube.transport import Transport

_ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
# Stable since 1.28; the beta form serves 1.27.
_SUBJECT_VERSIONS = ("v1", "v1beta1")


async def may(
    transport: Transport,
    verb: str,
    resource: Resource,
    *,
    namespace: str | None,
    name: str | None,
    subresource: str | None,
) -> bool:
    """Whether we may do this; `namespace` None asks for all namespaces."""
    attributes = {
        "verb": verb,
        "group": resource.group,
        "resource": resource.plural,
        "namespace": (namespace or "") if resource.namespaced else "",
        "name": name or "",
        "subresource": subresource or "",
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }
    answer = await _post(transport, _ACCESS, review)
    return bool((answer.get("status") or {}).get("allowed"))


async def user_name(transport: Transport) -> str:
    """The name under which the API server knows us; empty where it can't say (before Kubernetes 1.27)."""
    for version in _SUBJECT_VERSIONS:
        review = {"apiVersion": f"authentication.k8s.io/{version}", "kind": "SelfSubjectReview"}
        try:
            answer = await _post(transport, f"/apis/authentication.k8s.io/{version}/selfsubjectreviews", review)
        except errors.NotFound:
            continue
        return str(((answer.get("status") or {}).get("userInfo") or {}).get("username", ""))
    return ""


async def _post(transport: Transport, path: str, review: dict[str, Any]) -> dict[str, Any]:
    # A review changes nothing, so it may be sent again.
    answer = await transport.request("POST", path, body=msgspec.json.encode(review), repeatable=True)
    found = answer.json()
    return found if isinstance(found, dict) else {}
