"""READY, STATUS and RESTARTS of pods, case by case as a real API server printed them."""

import json
import re
from typing import Any

import pytest

from seatrial.sandbox.apiserver.printers.columns import COLUMNS
from seatrial.sandbox.apiserver.printers.pod_cells import pod_cells
from tests.conformance.__main__ import GOLDEN

CASES = json.loads((GOLDEN / "pod-status-printed.json").read_text(encoding="utf-8"))["cases"]


def pod_of(case: dict[str, Any]) -> dict[str, Any]:
    """The pod a case describes: containers are given by name, or as they are."""
    given = case["given"]
    spec = dict(given["spec"])
    for key in ("containers", "initContainers"):
        if key in spec:
            spec[key] = [{"name": entry} if isinstance(entry, str) else entry for entry in spec[key]]
    metadata = {"name": case["printed"]["NAME"], "creationTimestamp": case["at"], **given["metadata"]}
    return {"metadata": metadata, "spec": spec, "status": given["status"]}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_a_pod_is_printed_as_by_kubernetes(case: dict[str, Any]) -> None:
    """The cells are those of the recorded row; how long ago a restart was depends on the clock."""
    names = [column.name.upper() for column in COLUMNS["pods"]]
    cells = dict(zip(names, pod_cells(pod_of(case)), strict=True))
    printed = case["printed"]
    for name in ("READY", "STATUS", "IP", "NODE", "NOMINATED NODE", "READINESS GATES"):
        assert cells[name] == printed[name], name
    ago = re.compile(r"\(.+ ago\)")
    assert ago.sub("(ago)", cells["RESTARTS"]) == ago.sub("(ago)", printed["RESTARTS"])
