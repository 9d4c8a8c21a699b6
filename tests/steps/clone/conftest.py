"""Deployments as the API server has them, and clones as policies have them."""

from typing import Any

import pytest

from seatrial.steps.clone.model import Clone

SOURCE = {"deployment": {"name": "web", "namespace": "default"}}


def deployment(name="web", **spec) -> dict[str, Any]:
    """A Deployment with one container that listens on 8080; `spec` replaces fields of its spec."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container()]}},
            **spec,
        },
    }


def container(name="app", *, ports=(("http", 8080),), **fields) -> dict[str, Any]:
    listed = [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports]
    return {"name": name, "image": "nginx", **({"ports": listed} if listed else {}), **fields}


def service(name="web", *, selector=None, namespace="default") -> dict[str, Any]:
    selected = {"app": "web"} if selector is None else selector
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"ports": [{"port": 80, "targetPort": 8080}], **({"selector": selected} if selected else {})},
    }


def latency(target="8080", milliseconds=250, **toxic) -> dict[str, Any]:
    """A toxic that delays."""
    attributes = [{"name": "latency", "value": milliseconds}]
    return {"targetProxy": target, "toxicType": "latency", "toxicAttributes": attributes, **toxic}


@pytest.fixture
def clone():
    """What a policy says, as its model."""

    def of(**fields) -> Clone:
        return Clone.model_validate({"source": SOURCE, **fields})

    return of
