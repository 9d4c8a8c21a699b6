"""ServiceAccount: each pod runs as an account of its namespace and finds that account's token mounted."""

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.admission.attempt import Attempt
from seatrial.sandbox.apiserver.metadata import generated_suffix
from seatrial.sandbox.apiserver.strategies.base import Surroundings

TOKEN_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 -- a path, not a secret
_MIRROR = "kubernetes.io/config.mirror"


def admit(attempt: Attempt, around: Surroundings) -> None:
    """Settle the account of a new pod and mount its token; 403 when there is no such account."""
    spec, metadata = attempt.new["spec"], attempt.new["metadata"]
    if _MIRROR in (metadata.get("annotations") or {}):
        return
    name = spec.get("serviceAccountName") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    namespace = attempt.namespace
    account = around.lookup("serviceaccounts", namespace, name)
    if account is None:
        why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
        raise attempt.refusal(why)
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [dict(secret) for secret in account["imagePullSecrets"]]
    if spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True)):
        _mount_token(spec)


def _mount_token(spec: Object) -> None:
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    missing = [c for c in containers if all(m.get("mountPath") != TOKEN_MOUNT for m in c.get("volumeMounts") or ())]
    if not missing:
        return
    volume = f"kube-api-access-{generated_suffix()}"
    for container in missing:
        mount = {"name": volume, "readOnly": True, "mountPath": TOKEN_MOUNT}
        container.setdefault("volumeMounts", []).append(mount)
    spec.setdefault("volumes", []).append({"name": volume, "projected": _token_sources()})


def _token_sources() -> Object:
    namespace_item = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [namespace_item]}},
        ],
        "defaultMode": 420,
    }
