"""Small objects for tests."""

from seatrial.sandbox.api import Object


def pod(name: str, *, labels: dict[str, str] | None = None, **spec: object) -> Object:
    """A pod with one container."""
    metadata: Object = {"name": name, **({"labels": labels} if labels else {})}
    return {"metadata": metadata, "spec": {"containers": [{"name": "c", "image": "nginx:1.27"}], **spec}}


def deployment(name: str, *, replicas: int = 1) -> Object:
    """A Deployment whose pods are labelled with its name."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "nginx:1.27"}]}}
    return {
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def config_map(name: str, **data: str) -> Object:
    """A ConfigMap."""
    return {"metadata": {"name": name}, "data": data}
