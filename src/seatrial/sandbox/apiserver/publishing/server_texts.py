"""The plain texts about the server that monitoring reads: `/metrics`, `/metrics/slis`, `/statusz`, `/flagz`.

Small on purpose: how many objects are stored, and that every check is well. Names are those of Kubernetes' metrics.
"""

from seatrial.sandbox.apiserver.operations import Operations
from seatrial.sandbox.apiserver.publishing import health
from seatrial.sandbox.apiserver.publishing.discovery import VERSION

PATHS = ("/flagz", "/metrics", "/metrics/slis", "/statusz")


def text_of(path: str, operations: Operations) -> str:
    """The text at one of `PATHS`."""
    texts = {"/metrics": lambda: _metrics(operations), "/metrics/slis": _indicators, "/statusz": _status}
    return texts[path]() if path in texts else "kube-apiserver flagz\n"


def _metrics(operations: Operations) -> str:
    lines = ["# TYPE apiserver_storage_objects gauge"]
    tables = sorted({(resource.table, resource.key) for resource in operations.registry if "list" in resource.verbs})
    lines += [f'apiserver_storage_objects{{resource="{key}"}} {operations.store.count(table)}' for table, key in tables]
    version = f'git_version="{VERSION["gitVersion"]}",major="{VERSION["major"]}",minor="{VERSION["minor"]}"'
    lines += ["# TYPE kubernetes_build_info gauge", f"kubernetes_build_info{{{version}}} 1"]
    return "\n".join([*lines, ""])


def _indicators() -> str:
    lines = ["# TYPE kubernetes_healthcheck gauge"]
    for root in health.ROOTS:
        kind = root.strip("/")
        lines += [f'kubernetes_healthcheck{{name="{name}",type="{kind}"}} 1' for name in health.checks(root)]
    return "\n".join([*lines, ""])


def _status() -> str:
    return f"kube-apiserver statusz\n\nGo version: {VERSION['goVersion']}\nBinary version: {VERSION['gitVersion']}\n"
