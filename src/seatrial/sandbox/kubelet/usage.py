"""What the node and its containers use, measured when somebody asks.

Behind `kubectl top`: processor time and memory of each container's processes, from proc(5). A rate needs two looks; the
first one goes back to the container's start, where its time was zero, later ones to a look some seconds ago.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.process_usage import (
    available_memory,
    exclusive_memory,
    processor_seconds,
    resident_memory,
    tree_of,
)
from seatrial.sandbox.kubelet.protocol import ContainerRecord
from seatrial.sandbox.timestamps import format_seconds

_NANO: Final = 1_000_000_000
# A look is compared with one that is at least so old, and a new one is kept as often.
_SHORTEST_WINDOW_SECONDS: Final = 10.0
_NODE: Final = ""


@dataclass(frozen=True)
class Look:
    """Processor time and memory of a set of processes at a moment."""

    time: float
    processor_seconds: float
    exclusive_bytes: int = 0
    resident_bytes: int = 0


@dataclass(frozen=True)
class Usage:
    """A look, and how many processors were used since an earlier one."""

    look: Look
    processors: float
    window_seconds: float


class UsageMeter:
    """Measures a node's containers.

    Args:
        node_name: the node's.
        machine_pid: the process that everything on the node is below of.
        clock: seconds since the epoch.
    """

    def __init__(self, *, node_name: str, machine_pid: int, clock: Callable[[], float] = time.time) -> None:
        self._node_name = node_name
        self._machine_pid = machine_pid
        self._clock = clock
        self._started_at = clock()
        self._looks: dict[str, tuple[Look, Look]] = {}

    def summary(self, records: Iterable[ContainerRecord], pods: Mapping[str, Object]) -> Object:
        """The kubelet's `/stats/summary`.

        Args:
            records: the runtime's containers.
            pods: the node's pods by uid.
        """
        running = [r for r in records if r.running and r.container.pod_uid in pods]
        containers = {r.container.id: self._measure(r.container.id, r.pid, since=r.started_at) for r in running}
        node = self._measure(_NODE, self._machine_pid, since=self._started_at)
        self._forget_all_but({_NODE, *containers})
        return {
            "node": {
                "nodeName": self._node_name,
                "startTime": format_seconds(self._started_at),
                **_stats(node, available=available_memory()),
            },
            "pods": [_pod_stats(pod, running, containers) for pod in pods.values()],
        }

    def _measure(self, key: str, pid: int, *, since: float) -> Usage:
        look = take_look(pid, now=self._clock())
        older, newer = self._looks.get(key) or (Look(since, 0.0), Look(since, 0.0))
        if look.time - newer.time >= _SHORTEST_WINDOW_SECONDS:
            older, newer = newer, look
        self._looks[key] = (older, newer)
        # The newer one may be this very look.
        base = older if look.time - newer.time < _SHORTEST_WINDOW_SECONDS else newer
        window = max(look.time - base.time, 0.001)
        return Usage(look, max(look.processor_seconds - base.processor_seconds, 0.0) / window, window)

    def _forget_all_but(self, keys: set[str]) -> None:
        for key in self._looks.keys() - keys:
            del self._looks[key]


def take_look(pid: int, *, now: float) -> Look:
    """Look at a process and all below it."""
    tree = tree_of(pid)
    return Look(
        time=now,
        processor_seconds=sum(map(processor_seconds, tree)),
        exclusive_bytes=sum(map(exclusive_memory, tree)),
        resident_bytes=sum(map(resident_memory, tree)),
    )


def resource_metrics(summary: Object, *, now: float) -> str:
    """The kubelet's `/metrics/resource`: the summary for Prometheus."""
    stamp = int(now * 1000)
    series: dict[str, list[str]] = {name: [] for name in _SERIES}

    def add(prefix: str, labels: str, stats: Object) -> None:
        seconds = stats["cpu"]["usageCoreNanoSeconds"] / _NANO
        series[f"{prefix}_cpu_usage_seconds_total"].append(f"{labels} {seconds:g} {stamp}")
        series[f"{prefix}_memory_working_set_bytes"].append(f"{labels} {stats['memory']['workingSetBytes']} {stamp}")

    add("node", "", summary["node"])
    for pod in summary["pods"]:
        where = f'namespace="{pod["podRef"]["namespace"]}",pod="{pod["podRef"]["name"]}"'
        for container in pod["containers"]:
            add("container", f'{{container="{container["name"]}",{where}}}', container)
        if "cpu" in pod:
            add("pod", f"{{{where}}}", pod)
    series["resource_scrape_error"] = [" 0"]
    lines = []
    for name, (kind, text) in _SERIES.items():
        lines += [f"# HELP {name} [STABLE] {text}", f"# TYPE {name} {kind}", *(name + line for line in series[name])]
    return "\n".join(lines) + "\n"


_SERIES: Final[Mapping[str, tuple[str, str]]] = {
    "container_cpu_usage_seconds_total": (
        "counter",
        "Cumulative cpu time consumed by the container in core-seconds",
    ),
    "container_memory_working_set_bytes": ("gauge", "Current working set of the container in bytes"),
    "node_cpu_usage_seconds_total": ("counter", "Cumulative cpu time consumed by the node in core-seconds"),
    "node_memory_working_set_bytes": ("gauge", "Current working set of the node in bytes"),
    "pod_cpu_usage_seconds_total": ("counter", "Cumulative cpu time consumed by the pod in core-seconds"),
    "pod_memory_working_set_bytes": ("gauge", "Current working set of the pod in bytes"),
    "resource_scrape_error": ("gauge", "1 if there was an error while getting container metrics, 0 otherwise"),
}


def _pod_stats(pod: Object, running: Sequence[ContainerRecord], usages: Mapping[str, Usage]) -> Object:
    metadata = pod["metadata"]
    own = [record for record in running if record.container.pod_uid == metadata["uid"]]
    containers = [
        {
            "name": record.container.name,
            "startTime": format_seconds(record.started_at),
            **_stats(usages[record.container.id]),
        }
        for record in own
    ]
    stats: Object = {
        "podRef": {"name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]},
        "startTime": (pod.get("status") or {}).get("startTime"),
        "containers": containers,
    }
    if own:
        parts = [usages[record.container.id] for record in own]
        look = Look(
            time=parts[0].look.time,
            processor_seconds=sum(part.look.processor_seconds for part in parts),
            exclusive_bytes=sum(part.look.exclusive_bytes for part in parts),
            resident_bytes=sum(part.look.resident_bytes for part in parts),
        )
        window = max(part.window_seconds for part in parts)
        stats |= _stats(Usage(look, sum(part.processors for part in parts), window))
    return stats


def _stats(usage: Usage, *, available: int | None = None) -> Object:
    look = usage.look
    stamp = format_seconds(look.time)
    memory: Object = {
        "time": stamp,
        "usageBytes": look.exclusive_bytes,
        "workingSetBytes": look.exclusive_bytes,
        "rssBytes": look.resident_bytes,
    }
    if available is not None:
        memory["availableBytes"] = available
    return {
        "cpu": {
            "time": stamp,
            "usageNanoCores": round(usage.processors * _NANO),
            "usageCoreNanoSeconds": round(look.processor_seconds * _NANO),
        },
        "memory": memory,
    }
