"""What tests of the scheduler ask for and look at."""

from typing import Any

from seatrial.sandbox.api import Object
from tests.sandbox.controllers.world import NAMESPACE, World, pod

PRIORITIES = "priorityclasses.scheduling.k8s.io"


def asking(cpu: str = "1", **more: str) -> list[Object]:
    """A container that asks for so much CPU."""
    return [{"name": "c", "image": "nginx", "resources": {"requests": {"cpu": cpu, **more}}}]


async def create(world: World, name: str, *, app: str = "", **spec: Any) -> None:
    """Create a pod with label app=APP (its name, if none is given)."""
    await world.api.create("pods", pod(name, labels={"app": app or name}, **spec), NAMESPACE)


def node_of(world: World, name: str) -> str | None:
    """Where a pod is bound."""
    found: str | None = world.one("pods", name)["spec"].get("nodeName")
    return found


def said_of(world: World, name: str) -> str:
    """Why a pod is not scheduled."""
    conditions = world.one("pods", name)["status"].get("conditions") or []
    return next((str(entry.get("message", "")) for entry in conditions if entry["type"] == "PodScheduled"), "")


async def placed(world: World, *names: str) -> list[str | None]:
    """Wait until these pods have nodes, and say which."""
    await world.until(lambda: all(node_of(world, name) for name in names))
    return [node_of(world, name) for name in names]


async def priorities(world: World, **values: int) -> None:
    """Create priority classes."""
    for name, value in values.items():
        await world.api.create(PRIORITIES, {"metadata": {"name": name}, "value": value})
