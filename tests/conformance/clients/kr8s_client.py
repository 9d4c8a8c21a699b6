"""kr8s."""

import asyncio
from typing import Any

import kr8s
from kr8s.asyncio.objects import ConfigMap, Deployment, Namespace, Pod

from tests.conformance.clients.checks import DEPLOYMENT, NAMESPACE, POD, Checks, kubeconfig

check = Checks()


@check
async def create(api: Any) -> None:
    """Objects are created and waited for."""
    await (await Namespace({"metadata": {"name": NAMESPACE}}, api=api)).create()
    deployment = await Deployment(DEPLOYMENT, api=api)
    await deployment.create()
    await deployment.wait("condition=Available", timeout=30)
    pod = await Pod(POD, api=api)
    await pod.create()
    await pod.wait("condition=Ready", timeout=30)


@check
async def get(api: Any) -> None:
    """Lists with selectors; one by name."""
    pods = [pod async for pod in api.get("pods", namespace=NAMESPACE, label_selector={"app": "web"})]
    assert len(pods) == 2
    assert (await Pod.get("talk", namespace=NAMESPACE, api=api)).status.phase == "Running"


@check
async def change(api: Any) -> None:
    """Patch, label, scale."""
    deployment = await Deployment.get("web", namespace=NAMESPACE, api=api)
    await deployment.label(a="b")
    await deployment.patch({"metadata": {"annotations": {"x": "y"}}})
    await deployment.scale(1)
    await deployment.refresh()
    assert deployment.labels["a"] == "b"
    assert deployment.annotations["x"] == "y"
    assert deployment.replicas == 1


@check
async def logs_and_exec(api: Any) -> None:
    """A pod's log, and a command in it."""
    pod = await Pod.get("talk", namespace=NAMESPACE, api=api)
    assert [line async for line in pod.logs()] == ["one", "two"]
    done = await pod.exec(["sh", "-c", "echo hi"])
    assert (done.stdout, done.returncode) == (b"hi\n", 0)


@check
async def forward(api: Any) -> None:
    """A forwarded port."""
    pod = next(iter([pod async for pod in api.get("pods", namespace=NAMESPACE, label_selector={"app": "web"})]))
    async with pod.portforward(80) as port:
        reader, writer = await asyncio.open_connection("localhost", port)
        writer.write(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        assert b"Welcome to nginx" in await reader.read()
        writer.close()


@check
async def watching(api: Any) -> None:
    """A watch from now on."""
    config_map = await ConfigMap({"metadata": {"name": "cm", "namespace": NAMESPACE}, "data": {"a": "1"}}, api=api)

    async def first() -> str:
        async for kind, obj in api.watch("configmaps", namespace=NAMESPACE):
            if obj.name == "cm":
                return str(kind)
        return ""

    seen = asyncio.create_task(first())
    await asyncio.sleep(0)
    await config_map.create()
    assert await seen == "ADDED"


@check
async def missing(api: Any) -> None:
    """What isn't there is not found."""
    try:
        await Pod.get("nosuch", namespace=NAMESPACE, api=api, timeout=1)
    except kr8s.NotFoundError:
        return
    raise AssertionError("found")


@check
async def delete(api: Any) -> None:
    """A namespace is deleted with everything in it."""
    namespace = await Namespace.get(NAMESPACE, api=api)
    await namespace.delete()
    await namespace.wait("delete", timeout=30)


async def main() -> None:
    await check.run_async(api=await kr8s.asyncio.api(kubeconfig=kubeconfig()))


if __name__ == "__main__":
    asyncio.run(main())
