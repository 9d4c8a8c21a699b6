"""READY, STATUS and RESTARTS: as `kubectl get pods` prints them."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from seatrial.kube.objects import Pod
from seatrial.kube.pod_status import printed_ready, printed_status, restart_count

_CASES = json.loads((Path(__file__).parent / "data" / "pod-status-printed.json").read_text())["cases"]


def _pod(given: dict[str, Any]) -> Pod:
    """The recording shortens containers to their names."""
    spec = {
        key: [{"name": item} if isinstance(item, str) else item for item in value]
        if key.endswith("ontainers")
        else value
        for key, value in given["spec"].items()
    }
    return msgspec.convert({**given, "spec": spec}, Pod)


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case["case"])
def test_a_pod_is_printed_as_recorded(case: dict[str, Any]) -> None:
    """For each recorded pod the three columns are what a real API server printed."""
    pod, printed = _pod(case["given"]), case["printed"]
    assert printed_status(pod) == printed["STATUS"]
    assert printed_ready(pod) == printed["READY"]
    assert str(restart_count(pod)) == printed["RESTARTS"].split()[0]


def test_there_are_recordings() -> None:
    """An empty data file would make the test above pass with nothing tested."""
    assert len(_CASES) == 63
