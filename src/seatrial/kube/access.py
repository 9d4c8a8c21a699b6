"""Which cluster, and as whom: the first that is found of all the places where it may be said.

In order, as kubectl looks for it: the kubeconfig given, those of KUBECONFIG, `~/.kube/config`, the account of the pod
that this runs in (Kubernetes documentation, "Accessing the Kubernetes API from a Pod").
"""

import os
from collections.abc import Mapping
from pathlib import Path

from seatrial.errors import ConfigurationError
from seatrial.kube.kubeconfig import Access, Cluster, Kubeconfig, User, kubeconfig_files

IN_CLUSTER_DIRECTORY = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def find_access(
    *,
    kubeconfig: Path | str | None = None,
    context: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Access:
    """The cluster and user that `connect()` would take.

    Raises:
        ConfigurationError: with all places that were tried.
    """
    files, tried = kubeconfig_files(kubeconfig, environ)
    merged = Kubeconfig.read(files)
    if merged.contexts or kubeconfig is not None or (context is not None and files):
        return merged.access(context)
    in_cluster = in_cluster_access(environ)
    if in_cluster is not None:
        return in_cluster
    tried += [f"{path} (has no contexts)" for path in files]
    raise ConfigurationError(
        f"no cluster found; tried: {', '.join([*tried, 'in-cluster account (not in a pod)'])}",
        hint="name a kubeconfig with --kubeconfig, or use --sandbox for a cluster that comes with the tool",
    )


def in_cluster_access(environ: Mapping[str, str], directory: Path = IN_CLUSTER_DIRECTORY) -> Access | None:
    """The account of the pod that this runs in; None outside of a cluster."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    token = directory / "token"
    if not host or not port or not token.is_file():
        return None
    authority = directory / "ca.crt"
    namespace = directory / "namespace"
    return Access(
        context_name="in-cluster",
        namespace=namespace.read_text(encoding="ascii").strip() if namespace.is_file() else "default",
        cluster=Cluster(
            server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
            certificate_authority=str(authority) if authority.is_file() else "",
        ),
        user=User(token_file=str(token)),
        user_name="in-cluster",
    )
