"""A client's checks: functions in the order in which they were defined, each told apart by its docstring.

A client's module is a program of its own (`python -m tests.conformance.clients.NAME KUBECONFIG`), so that no client
meets another's event loop, warnings or patches. It prints one JSON line per check: its name, and its problem if any.
"""

import asyncio
import inspect
import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAMESPACE = "clients"

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": NAMESPACE, "labels": {"app": "web"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "web", "image": "nginx:1.27", "ports": [{"containerPort": 80}]}],
            },
        },
    },
}

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "talk", "namespace": NAMESPACE, "labels": {"app": "talk"}},
    "spec": {
        "terminationGracePeriodSeconds": 0,
        "containers": [
            {"name": "talk", "image": "busybox:1.36", "command": ["sh", "-c", "echo one; echo two; sleep 3600"]}
        ],
    },
}

BOATS: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "boats.clients.example.com"},
    "spec": {
        "group": "clients.example.com",
        "names": {"kind": "Boat", "plural": "boats", "singular": "boat"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "properties": {"length": {"type": "integer", "minimum": 1}}},
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}


class Checks:
    """Collects checks and runs them."""

    def __init__(self) -> None:
        self._checks: list[Callable[..., Any]] = []

    def __call__(self, check: Callable[..., Any]) -> Callable[..., Any]:
        """Use it as a decorator; the check is given what `main` is given."""
        self._checks.append(check)
        return check

    def run(self, **given: Any) -> None:
        """Run synchronous checks."""
        for check in self._checks:
            try:
                check(**{name: given[name] for name in inspect.signature(check).parameters})
            except Exception as error:  # noqa: BLE001 -- whatever goes wrong is the check's problem
                _tell(check, error)
            else:
                _tell(check, None)

    async def run_async(self, **given: Any) -> None:
        """Run asynchronous checks, each within 30 s."""
        for check in self._checks:
            try:
                async with asyncio.timeout(30):
                    await check(**{name: given[name] for name in inspect.signature(check).parameters})
            except Exception as error:  # noqa: BLE001 -- whatever goes wrong is the check's problem
                _tell(check, error)
            else:
                _tell(check, None)


def _tell(check: Callable[..., Any], error: Exception | None) -> None:
    problem = ""
    if error is not None:
        where = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in where if "conformance" in frame.filename]
        line = f"{Path(own[-1].filename).name}:{own[-1].lineno}: " if own else ""
        problem = f"{line}{type(error).__name__}: {error}"
    print(json.dumps({"case": (check.__doc__ or check.__name__).strip(), "problem": problem}), flush=True)  # noqa: T201


def kubeconfig() -> str:
    """The kubeconfig on the command line."""
    return sys.argv[1]
