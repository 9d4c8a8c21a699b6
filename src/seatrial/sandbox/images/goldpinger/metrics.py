"""Goldpinger's Prometheus metrics, under the names and labels of the real one, in the text exposition format 0.0.4."""

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_Labels = tuple[tuple[str, str], ...]

_HELP = {
    "goldpinger_stats_total": ("counter", "Calls received and made, by action"),
    "goldpinger_errors_total": ("counter", "Errors by type"),
    "goldpinger_dns_errors_total": ("counter", "Failed name look-ups by host"),
    "goldpinger_tcp_errors_total": ("counter", "Failed TCP checks by host"),
    "goldpinger_http_errors_total": ("counter", "Failed HTTP checks by host"),
    "goldpinger_nodes_health_total": ("gauge", "Instances seen healthy and unhealthy from this one"),
    "goldpinger_cluster_health_total": ("gauge", "1 when all instances see all others, else 0"),
    "goldpinger_peers_response_time_s": ("histogram", "Response times of peers in seconds, by call"),
    "goldpinger_kube_master_response_time_s": ("histogram", "Response times of the API server when listing peers"),
}


@dataclass
class _Histogram:
    buckets: list[int] = field(default_factory=lambda: [0] * (len(_BUCKETS) + 1))
    total: float = 0.0

    def observe(self, value: float) -> None:
        self.buckets[bisect_left(_BUCKETS, value)] += 1
        self.total += value


class Metrics:
    """The numbers of one instance."""

    def __init__(self, instance: str) -> None:
        self._instance = ("goldpinger_instance", instance)
        self._values: dict[str, dict[_Labels, float]] = defaultdict(lambda: defaultdict(float))
        self._histograms: dict[str, dict[_Labels, _Histogram]] = defaultdict(lambda: defaultdict(_Histogram))

    def count(self, name: str, **labels: str) -> None:
        """Add one to a counter."""
        self._values[name][self._labels(labels)] += 1

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._values[name][self._labels(labels)] = value

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Add one observation to a histogram."""
        self._histograms[name][self._labels(labels)].observe(seconds)

    def forget_peers(self, *, keep: set[str]) -> None:
        """Drop the response times of pods that are gone, or a long-lived instance would grow without end."""
        series = self._histograms["goldpinger_peers_response_time_s"]
        for labels in [labels for labels in series if dict(labels)["pod_ip"] not in keep]:
            del series[labels]

    def render(self) -> str:
        """The exposition text."""
        lines: list[str] = []
        for name, (kind, text) in _HELP.items():
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
            lines += [f"{name}{_written(labels)} {value:g}" for labels, value in sorted(self._values[name].items())]
            for labels, histogram in sorted(self._histograms[name].items(), key=lambda item: item[0]):
                lines += _histogram_lines(name, labels, histogram)
        return "\n".join(lines) + "\n"

    def _labels(self, labels: dict[str, str]) -> _Labels:
        return (self._instance, *sorted(labels.items()))


def _histogram_lines(name: str, labels: _Labels, histogram: _Histogram) -> list[str]:
    lines, cumulative = [], 0
    for bound, number in zip((*map(str, _BUCKETS), "+Inf"), histogram.buckets, strict=True):
        cumulative += number
        lines.append(f"{name}_bucket{_written((*labels, ('le', bound.removesuffix('.0'))))} {cumulative}")
    return [*lines, f"{name}_sum{_written(labels)} {histogram.total:g}", f"{name}_count{_written(labels)} {cumulative}"]


def _written(labels: _Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
