"""Deployments, StatefulSets, DaemonSets and Services as tables."""

from collections.abc import Sequence
from datetime import datetime

from seatrial.by_hand.live.services import LiveService
from seatrial.by_hand.live.workloads import LiveWorkload
from seatrial.kube.objects import ServicePort
from seatrial.shell.ages import age_seconds, age_text, utc_text
from seatrial.shell.states import ready_style
from seatrial.shell.tables import Column, Row

_NAMESPACE = Column(heading="NAMESPACE", key="namespace")
_AGE = Column(heading="AGE", key="ageSeconds", show=age_text, align="right", drop=2)

_REPLICAS = (
    Column(heading="NAME", key="name"),
    Column(heading="READY", key="ready", style=ready_style),
    Column(heading="UP-TO-DATE", key="updated", align="right", drop=3),
    Column(heading="AVAILABLE", key="available", align="right", drop=1),
    _AGE,
    Column(heading="SELECTOR", key="selector", drop=4),
)
_DAEMONS = (
    Column(heading="NAME", key="name"),
    Column(heading="DESIRED", key="wanted", align="right"),
    Column(heading="CURRENT", key="current", align="right", drop=3),
    Column(heading="READY", key="ready", align="right"),
    Column(heading="UP-TO-DATE", key="updated", align="right", drop=4),
    Column(heading="AVAILABLE", key="available", align="right", drop=1),
    _AGE,
    Column(heading="SELECTOR", key="selector", drop=5),
)
_SERVICES = (
    Column(heading="NAME", key="name"),
    Column(heading="TYPE", key="type", drop=1),
    Column(heading="CLUSTER-IP", key="clusterIP", drop=4),
    Column(heading="PORTS", key="ports"),
    Column(heading="PODS", key="pods", style=ready_style),
    _AGE,
    Column(heading="SELECTOR", key="selector", drop=3),
)


def workload_columns(*, daemons: bool, one_namespace: bool) -> Sequence[Column]:
    """The columns of a table of DaemonSets, or of workloads with replicas."""
    columns = _DAEMONS if daemons else _REPLICAS
    return columns if one_namespace else (_NAMESPACE, *columns)


def service_columns(*, one_namespace: bool) -> Sequence[Column]:
    """The columns of a table of Services."""
    return _SERVICES if one_namespace else (_NAMESPACE, *_SERVICES)


def replicas_row(workload: LiveWorkload, *, now: datetime) -> Row:
    """A Deployment or a StatefulSet as `--output json` prints it."""
    return {
        **_common(workload, now=now),
        "ready": f"{workload.ready}/{workload.wanted}",
        "wanted": workload.wanted,
        "current": workload.current,
        "updated": workload.updated,
        "available": workload.available,
        "selector": selector_text(workload),
    }


def daemons_row(workload: LiveWorkload, *, now: datetime) -> Row:
    """A DaemonSet as `--output json` prints it."""
    return {**replicas_row(workload, now=now), "ready": workload.ready}


def service_row(service: LiveService, *, pods: int | None, ready: int | None, now: datetime) -> Row:
    """A Service as `--output json` prints it; `pods` are those that it selects, `ready` those that get its traffic."""
    selector = ",".join(f"{key}={value}" for key, value in service.selector.items())
    return {
        **_common(service, now=now),
        "type": service.type,
        "clusterIP": service.cluster_ip or service.external_name or None,
        "ports": ",".join(map(port_text, service.ports)) or None,
        "pods": f"{ready}/{pods}" if pods is not None and service.selector else None,
        "selector": selector or None,
    }


def port_text(port: ServicePort) -> str:
    """A port as kubectl writes it: `80/TCP`, `80:30080/TCP`."""
    return f"{port.port}{f':{port.node_port}' if port.node_port else ''}/{port.protocol}"


def selector_text(workload: LiveWorkload) -> str | None:
    """What it selects its pods by, as kubectl takes it."""
    from seatrial.kube.selectors import LabelSelector

    return str(LabelSelector.from_dict(dict(workload.selector))) if workload.selector else None


def _common(item: LiveWorkload | LiveService, *, now: datetime) -> Row:
    return {
        "namespace": item.namespace,
        "name": item.name,
        "ageSeconds": age_seconds(item.created, now=now),
        "created": utc_text(item.created),
    }
