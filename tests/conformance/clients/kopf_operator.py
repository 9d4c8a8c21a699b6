"""A small operator written with kopf: it gives each Boat a ConfigMap, and says so in the Boat's status."""

import asyncio
import os
from typing import Any

import kopf
from kubernetes import client, config

from tests.conformance.clients.checks import BOATS, NAMESPACE, Checks, kubeconfig

check = Checks()
WHERE = ("clients.example.com", "v1", NAMESPACE, "boats")


@kopf.on.login()
def login(**given: Any) -> Any:
    return kopf.login_with_kubeconfig(**given)


@kopf.on.create("clients.example.com", "v1", "boats")
async def launched(spec: Any, name: str, namespace: str, **_: Any) -> dict[str, int]:
    body = {"metadata": {"name": name}, "data": {"length": str(spec["length"])}}
    kopf.adopt(body)
    await asyncio.to_thread(client.CoreV1Api().create_namespaced_config_map, namespace, body)
    return {"length": spec["length"]}


@kopf.on.update("clients.example.com", "v1", "boats", field="spec.length")
async def lengthened(new: int, name: str, namespace: str, **_: Any) -> None:
    patch = {"data": {"length": str(new)}}
    await asyncio.to_thread(client.CoreV1Api().patch_namespaced_config_map, name, namespace, patch)


@kopf.on.delete("clients.example.com", "v1", "boats")
async def sunk(body: Any, **_: Any) -> None:
    kopf.info(body, reason="Sunk", message="The boat is gone")


async def until(condition: Any) -> None:
    """Ask until it holds: an operator tells nobody when it is done."""
    while not await asyncio.to_thread(condition):  # noqa: ASYNC110 -- see above
        await asyncio.sleep(0.05)


@check
async def create() -> None:
    """A new object is handled: its child is there, its status says so, its finalizer holds it."""
    core, objects = client.CoreV1Api(), client.CustomObjectsApi()
    boat = {"apiVersion": "clients.example.com/v1", "kind": "Boat", "metadata": {"name": "nina"}, "spec": {"length": 9}}
    objects.create_namespaced_custom_object(*WHERE, boat)
    await until(lambda: "launched" in objects.get_namespaced_custom_object(*WHERE, "nina").get("status", {}))
    found = objects.get_namespaced_custom_object(*WHERE, "nina")
    assert found["status"]["launched"] == {"length": 9}
    assert found["metadata"]["finalizers"]
    child = core.read_namespaced_config_map("nina", NAMESPACE)
    assert child.metadata.owner_references[0].uid == found["metadata"]["uid"]


@check
async def update() -> None:
    """A change is handled."""
    client.CustomObjectsApi().patch_namespaced_custom_object(*WHERE, "nina", {"spec": {"length": 12}})
    core = client.CoreV1Api()
    await until(lambda: core.read_namespaced_config_map("nina", NAMESPACE).data == {"length": "12"})


@check
async def delete() -> None:
    """A deletion is handled, then the object goes, and its child with it."""
    client.CustomObjectsApi().delete_namespaced_custom_object(*WHERE, "nina")
    core = client.CoreV1Api()
    await until(lambda: not client.CustomObjectsApi().list_namespaced_custom_object(*WHERE)["items"])
    names = lambda: [item.metadata.name for item in core.list_namespaced_config_map(NAMESPACE).items]  # noqa: E731
    await until(lambda: "nina" not in names())
    await until(lambda: "Sunk" in {event.reason for event in core.list_namespaced_event(NAMESPACE).items})


async def main() -> None:
    os.environ["KUBECONFIG"] = kubeconfig()
    config.load_kube_config(kubeconfig())
    client.CoreV1Api().create_namespace({"metadata": {"name": NAMESPACE}})
    extensions = client.ApiextensionsV1Api()
    extensions.create_custom_resource_definition(BOATS)
    settings = kopf.OperatorSettings()
    settings.posting.enabled = True
    stop, ready = asyncio.Event(), asyncio.Event()
    operator = asyncio.create_task(
        kopf.operator(
            settings=settings,
            namespaces=[NAMESPACE],
            standalone=True,
            stop_flag=stop,
            ready_flag=ready,
        )
    )
    await ready.wait()
    await check.run_async()
    stop.set()
    await operator
    extensions.delete_custom_resource_definition(BOATS["metadata"]["name"])
    client.CoreV1Api().delete_namespace(NAMESPACE)


if __name__ == "__main__":
    asyncio.run(main())
