"""What the node and its containers use."""

import os
import time

import pytest

from seatrial.sandbox.kubelet.protocol import Container, ContainerRecord
from seatrial.sandbox.kubelet.usage import UsageMeter, resource_metrics

POD = {"metadata": {"name": "web", "namespace": "shop", "uid": "u-1"}, "status": {"startTime": "2026-01-01T00:00:00Z"}}


def record(*, pid: int, started_at: float, finished_at: float = 0.0) -> ContainerRecord:
    """A container of the pod."""
    container = Container(
        id="c1",
        pod_uid="u-1",
        pod_name="web",
        namespace="shop",
        name="c",
        attempt=0,
        image="busybox",
        argv=("true",),
        environ={},
        working_directory="/",
        log_file="/dev/null",
    )
    return ContainerRecord(container=container, pid=pid, started_at=started_at, finished_at=finished_at)


def spin(seconds: float) -> None:
    """Use a processor for so long."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_a_summary_tells_time_and_memory_of_processes() -> None:
    """The first look's rate goes back to the container's start, a later one's to a look ten seconds ago."""
    now = 1000.0
    meter = UsageMeter(node_name="node1", machine_pid=os.getpid(), clock=lambda: now)
    containers = [record(pid=os.getpid(), started_at=900.0)]
    spin(0.05)
    first = meter.summary(containers, {"u-1": POD})["pods"][0]
    assert first["podRef"] == {"name": "web", "namespace": "shop", "uid": "u-1"}
    used = first["containers"][0]["cpu"]["usageCoreNanoSeconds"]
    assert used > 0
    assert first["containers"][0]["cpu"]["usageNanoCores"] == pytest.approx(used / 100, abs=1)
    assert first["containers"][0]["memory"]["workingSetBytes"] > 1_000_000
    now = 1020.0
    spin(0.1)
    later = meter.summary(containers, {"u-1": POD})["pods"][0]["containers"][0]["cpu"]
    assert later["usageNanoCores"] == pytest.approx((later["usageCoreNanoSeconds"] - used) / 20, abs=1)


def test_a_container_that_ended_uses_nothing() -> None:
    """Its pod is listed without containers."""
    meter = UsageMeter(node_name="node1", machine_pid=os.getpid())
    summary = meter.summary([record(pid=os.getpid(), started_at=1.0, finished_at=2.0)], {"u-1": POD})
    assert summary["pods"][0]["containers"] == []
    assert summary["node"]["nodeName"] == "node1"
    assert summary["node"]["memory"]["availableBytes"] > 0


def test_the_same_is_there_for_prometheus() -> None:
    """Counters of seconds, gauges of bytes, with the labels that Kubernetes gives them."""
    meter = UsageMeter(node_name="node1", machine_pid=os.getpid(), clock=lambda: 1000.0)
    text = resource_metrics(meter.summary([record(pid=os.getpid(), started_at=900.0)], {"u-1": POD}), now=1000.0)
    assert 'container_memory_working_set_bytes{container="c",namespace="shop",pod="web"} ' in text
    assert 'pod_cpu_usage_seconds_total{namespace="shop",pod="web"} ' in text
    assert "# TYPE node_cpu_usage_seconds_total counter\nnode_cpu_usage_seconds_total " in text
    assert "resource_scrape_error 0\n" in text
