from pathlib import Path

import yaml

from seatrial.telemetry.monitoring.files import monitoring_files

MONITORING = Path(__file__).parents[3] / "deploy" / "monitoring"


def test_the_files_are_what_the_code_says():
    """`make docs` would change none in deploy/monitoring, and there is no other."""
    assert {path.name: path.read_text() for path in MONITORING.iterdir()} == monitoring_files()


def test_the_monitor_finds_the_service_and_the_service_seatrial():
    """A ServiceMonitor selects Services by their labels, and names one of their ports; a Service selects pods."""
    service, monitor = yaml.safe_load_all((MONITORING / "service-monitor.yaml").read_text())
    assert (monitor["apiVersion"], monitor["kind"]) == ("monitoring.coreos.com/v1", "ServiceMonitor")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    [endpoint] = monitor["spec"]["endpoints"]
    assert endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
    assert service["spec"]["selector"] == {"app": "seatrial"}
