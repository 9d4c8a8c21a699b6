"""`/healthz`, `/livez`, `/readyz`: whether the server is well, as a word or as a list of checks.

The checks bear the names that Kubernetes gives its own, so that a client which asks for one of them finds it. Here all
of them are one: a server that answers is well.
"""

from collections.abc import Mapping, Sequence

ROOTS = ("/healthz", "/livez", "/readyz")
_FIRST = {
    "/healthz": ("ping", "log", "loopback-serving-certificate", "etcd"),
    "/livez": ("ping", "log", "loopback-serving-certificate", "etcd"),
    "/readyz": ("ping", "log", "informer-sync"),
}
_HOOKS = (
    "start-apiserver-admission-initializer", "generic-apiserver-start-informers",
    "priority-and-fairness-config-consumer", "priority-and-fairness-filter", "storage-object-count-tracker-hook",
    "start-apiextensions-informers", "start-apiextensions-controllers", "crd-informer-synced",
    "start-system-namespaces-controller", "peer-endpoint-reconciler-controller",
    "start-cluster-authentication-info-controller", "start-kube-apiserver-identity-lease-controller",
    "start-kube-apiserver-identity-lease-garbage-collector", "storage-readiness",
    "start-legacy-token-tracking-controller", "start-service-ip-repair-controllers", "rbac/bootstrap-roles",
    "scheduling/bootstrap-system-priority-classes", "priority-and-fairness-config-producer", "bootstrap-controller",
    "start-kubernetes-service-cidr-controller", "aggregator-reload-proxy-client-cert",
    "start-kube-aggregator-informers", "apiservice-status-local-available-controller",
    "apiservice-status-remote-available-controller", "apiservice-registration-controller",
    "apiservice-wait-for-first-sync", "apiservice-discovery-controller", "kube-apiserver-autoregistration",
    "autoregister-completion", "apiservice-openapi-controller", "apiservice-openapiv3-controller",
)  # fmt: skip
_NO_HOOKS = frozenset({"autoregister-completion"})
_LAST = {"/readyz": ("shutdown",)}


def checks(root: str) -> list[str]:
    """The names of the checks under one of `ROOTS`, in order."""
    hooks = [name if name in _NO_HOOKS else f"poststarthook/{name}" for name in _HOOKS]
    return [*_FIRST[root], *hooks, *_LAST.get(root, ())]


def root_of(path: str) -> str | None:
    """Which of `ROOTS` a path is under."""
    return next((root for root in ROOTS if path == root or path.startswith(f"{root}/")), None)


def report(path: str, query: Mapping[str, Sequence[str]]) -> str | None:
    """The text for a path under one of `ROOTS`; None for a check that doesn't exist."""
    root = root_of(path) or ""
    name = path[len(root) :].strip("/")
    if name:
        return "ok" if name in checks(root) else None
    if "verbose" not in query:
        return "ok"
    excluded = query.get("exclude", ())
    lines = [f"[+]{check} excluded: ok" if check in excluded else f"[+]{check} ok" for check in checks(root)]
    unknown = [check for check in excluded if check not in checks(root)]
    if unknown:
        quoted = ", ".join(f'"{check}"' for check in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {quoted}")
    return "\n".join([*lines, f"{root.strip('/')} check passed", ""])
