"""Chaos Toolkit with chaostoolkit-kubernetes: an experiment that terminates a pod."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from kubernetes import client, config, watch

from tests.conformance.clients.checks import DEPLOYMENT, NAMESPACE, Checks, kubeconfig

check = Checks()
EXPERIMENT = {
    "title": "A pod is terminated",
    "description": "The Deployment replaces it",
    "steady-state-hypothesis": {
        "title": "Two pods run",
        "probes": [
            {
                "type": "probe",
                "name": "all-running",
                "tolerance": True,
                "provider": {
                    "type": "python",
                    "module": "chaosk8s.deployment.probes",
                    "func": "deployment_available_and_healthy",
                    "arguments": {"name": "web", "ns": NAMESPACE},
                },
            }
        ],
    },
    "method": [
        {
            "type": "action",
            "name": "terminate",
            "provider": {
                "type": "python",
                "module": "chaosk8s.pod.actions",
                "func": "terminate_pods",
                "arguments": {"label_selector": "app=web", "ns": NAMESPACE, "qty": 1, "rand": True, "grace_period": 0},
            },
        },
        {
            "type": "probe",
            "name": "wait",
            "provider": {
                "type": "python",
                "module": "chaosk8s.deployment.probes",
                "func": "deployment_fully_available",
                "arguments": {"name": "web", "ns": NAMESPACE, "timeout": 30},
            },
        },
    ],
    "rollbacks": [],
}


@check
def experiment(core: Any) -> None:
    """The experiment completes, its hypothesis holds before and after, and a pod was replaced."""
    before = {pod.metadata.uid for pod in core.list_namespaced_pod(NAMESPACE).items}
    with tempfile.TemporaryDirectory() as directory:
        file, journal = Path(directory, "experiment.json"), Path(directory, "journal.json")
        file.write_text(json.dumps(EXPERIMENT))
        chaos = str(Path(sys.executable).with_name("chaos"))
        command = [chaos, "--no-version-check", "--log-file", str(file.with_suffix(".log")), "run"]
        done = subprocess.run(
            [*command, "--journal-path", str(journal), str(file)],
            env={**os.environ, "KUBECONFIG": kubeconfig(), "HOME": directory},
            cwd=directory, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        written = json.loads(journal.read_text())
    assert (written["status"], written["deviated"]) == ("completed", False)
    assert all(step["status"] == "succeeded" for step in written["run"])
    after = {pod.metadata.uid for pod in core.list_namespaced_pod(NAMESPACE).items}
    assert len(before - after) == 1
    assert len(after) == 2


def main() -> None:
    config.load_kube_config(kubeconfig())
    core, apps = client.CoreV1Api(), client.AppsV1Api()
    core.create_namespace({"metadata": {"name": NAMESPACE}})
    apps.create_namespaced_deployment(NAMESPACE, DEPLOYMENT)
    for event in watch.Watch().stream(apps.list_namespaced_deployment, NAMESPACE, timeout_seconds=30):
        if event["object"].status.available_replicas == 2:
            break
    check.run(core=core)
    core.delete_namespace(NAMESPACE)


if __name__ == "__main__":
    main()
