"""Checks for the official client's two asynchronous forms, which have the same interface."""

from types import ModuleType
from typing import Any

import pytest

from tests.conformance.clients.checks import DEPLOYMENT, NAMESPACE, POD, Checks, kubeconfig

check = Checks()


@check
async def create(lib: ModuleType, api: Any) -> None:
    """Objects are created from plain dictionaries."""
    core, apps = lib.client.CoreV1Api(api), lib.client.AppsV1Api(api)
    await core.create_namespace({"metadata": {"name": NAMESPACE}})
    await apps.create_namespaced_deployment(NAMESPACE, DEPLOYMENT)
    await core.create_namespaced_pod(NAMESPACE, POD)


@check
async def watch_until_ready(lib: ModuleType, api: Any) -> None:
    """A watch sees the pods become Ready."""
    ready = set()
    async with lib.watch.Watch() as watching:
        pods = lib.client.CoreV1Api(api).list_namespaced_pod
        async for event in watching.stream(pods, NAMESPACE, timeout_seconds=30):
            pod = event["object"]
            if any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions or ()):
                ready.add(pod.metadata.name)
            if len(ready) == 3:
                break
    assert len(ready) == 3


@check
async def lists_and_pages(lib: ModuleType, api: Any) -> None:
    """Selectors and paging."""
    core = lib.client.CoreV1Api(api)
    assert len((await core.list_namespaced_pod(NAMESPACE, label_selector="app=web")).items) == 2
    first = await core.list_namespaced_pod(NAMESPACE, limit=2)
    rest = await core.list_namespaced_pod(NAMESPACE, limit=2, _continue=first.metadata._continue)
    assert len({pod.metadata.uid for pod in first.items + rest.items}) == 3


@check
async def patch_and_scale(lib: ModuleType, api: Any) -> None:
    """A patch, and the scale subresource."""
    apps = lib.client.AppsV1Api(api)
    done = await apps.patch_namespaced_deployment("web", NAMESPACE, {"metadata": {"labels": {"a": "b"}}})
    assert done.metadata.labels["a"] == "b"
    done = await apps.patch_namespaced_deployment_scale("web", NAMESPACE, {"spec": {"replicas": 1}})
    assert done.spec.replicas == 1


@check
async def logs(lib: ModuleType, api: Any) -> None:
    """A pod's log."""
    assert await lib.client.CoreV1Api(api).read_namespaced_pod_log("talk", NAMESPACE) == "one\ntwo\n"


@check
async def execute(lib: ModuleType, api: Any) -> None:
    """Exec over WebSocket."""
    del api
    async with lib.stream.WsApiClient() as ws:
        options = {"stdin": False, "stdout": True, "stderr": True, "tty": False}
        exec_in = lib.client.CoreV1Api(ws).connect_get_namespaced_pod_exec
        assert await exec_in("talk", NAMESPACE, command=["echo", "hi"], **options) == "hi\n"


@check
async def missing(lib: ModuleType, api: Any) -> None:
    """What isn't there is 404."""
    with pytest.raises(lib.client.exceptions.ApiException) as caught:
        await lib.client.CoreV1Api(api).read_namespaced_pod("nosuch", NAMESPACE)
    assert caught.value.status == 404


@check
async def delete(lib: ModuleType, api: Any) -> None:
    """A namespace is deleted with everything in it, as a watch sees."""
    core = lib.client.CoreV1Api(api)
    await core.delete_namespace(NAMESPACE)
    async with lib.watch.Watch() as watching:
        async for event in watching.stream(core.list_namespace, timeout_seconds=30):
            if event["type"] == "DELETED" and event["object"].metadata.name == NAMESPACE:
                return
    raise AssertionError("still there")


async def main(lib: ModuleType) -> None:
    """Run all checks with one of the two."""
    await lib.config.load_kube_config(kubeconfig())
    async with lib.client.ApiClient() as api:
        await check.run_async(lib=lib, api=api)
