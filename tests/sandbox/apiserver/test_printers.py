"""What `kubectl get` shows of kinds that a chaos engineer meets less often."""

from typing import Any

import pytest

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.printers.cells import cells_of
from seatrial.sandbox.apiserver.printers.cluster_cells import CLUSTER_CELLS
from seatrial.sandbox.apiserver.printers.columns import COLUMNS

CASES: list[tuple[str, Object, list[Any]]] = [
    (
        "persistentvolumes",
        {
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
                "persistentVolumeReclaimPolicy": "Delete",
                "claimRef": {"namespace": "default", "name": "data"},
                "storageClassName": "fast",
            },
            "status": {"phase": "Bound"},
        },
        ["x", "1Gi", "RWO,ROX", "Delete", "Bound", "default/data", "fast", "<unset>", "", "<unknown>", "<unset>"],
    ),
    (
        "storageclasses.storage.k8s.io",
        {
            "metadata": {"name": "x", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": "local",
        },
        ["x (default)", "local", "Delete", "Immediate", False, "<unknown>"],
    ),
    ("apiservices.apiregistration.k8s.io", {"spec": {}}, ["x", "Local", "Unknown", "<unknown>"]),
    (
        "apiservices.apiregistration.k8s.io",
        {
            "spec": {"service": {"namespace": "kube-system", "name": "metrics"}},
            "status": {"conditions": [{"type": "Available", "status": "False", "reason": "MissingEndpoints"}]},
        },
        ["x", "kube-system/metrics", "False (MissingEndpoints)", "<unknown>"],
    ),
    (
        "ingressclasses.networking.k8s.io",
        {"spec": {"controller": "c", "parameters": {"apiGroup": "g.io", "kind": "P", "name": "n"}}},
        ["x", "c", "P.g.io/n", "<unknown>"],
    ),
    (
        "ipaddresses.networking.k8s.io",
        {"spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "kubernetes"}}},
        ["x", "services/default/kubernetes", "<unknown>"],
    ),
    (
        "certificatesigningrequests.certificates.k8s.io",
        {
            "spec": {"signerName": "s", "username": "u", "expirationSeconds": 3600},
            "status": {"conditions": [{"type": "Approved"}], "certificate": "c"},
        },
        ["x", "<unknown>", "s", "u", "60m", "Approved,Issued"],
    ),
]


@pytest.mark.parametrize(("table", "obj", "cells"), CASES)
def test_cells(table: str, obj: Object, cells: list[Any]) -> None:
    """The cells are those that the server of a real cluster would print."""
    assert cells_of(table, {"metadata": {"name": "x"}, **obj}) == cells


@pytest.mark.parametrize("table", CLUSTER_CELLS)
def test_a_row_fits_its_columns(table: str) -> None:
    """Also an object with nothing in it has a cell for every column."""
    assert len(cells_of(table, {"metadata": {"name": "x"}, "spec": {}})) == len(COLUMNS[table])
