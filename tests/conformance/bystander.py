"""The other client in a kubectl flow: what is made beforehand, waited for, and done while a command runs.

What it does is told by the words of the recordings ("DELETE the first pod by name (grace 2 s)"), of which it
understands those that occur; another action is an error, not a step that is passed over. Where it doesn't know what is
waited for, it waits for the end of all rollouts.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from seatrial.kube.client import Client, connect
from seatrial.kube.resources import (
    CONFIGMAPS,
    DEPLOYMENTS,
    NAMESPACES,
    PODDISRUPTIONBUDGETS,
    PODS,
    REPLICASETS,
    SERVICEACCOUNTS,
    STATEFULSETS,
    Resource,
)
from tests.conformance.kubectl_masking import mask_text

Object = dict[str, Any]
_WAIT_SECONDS = 45
_REST_SECONDS = 8
_LOOK_SECONDS = 0.05
_FIELD_MANAGER = "unknown"


class NeverReachedError(Exception):
    """What the recording waited for didn't come about; the message says what did."""


class Bystander:
    """A client of the sandbox, in the flow's namespace.

    Args:
        client: the connection.
        namespace: the flow's; the default one where it has none.
    """

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._called: dict[str, str] = {}

    @classmethod
    async def connect(cls, kubeconfig: Path, namespace: str | None) -> Self:
        """Connect with a kubeconfig."""
        return cls(await connect(kubeconfig=kubeconfig), namespace or "default")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def create_namespace(self, name: str) -> None:
        """Make the flow's namespace, with what every namespace holds."""
        await self._client.create(NAMESPACES, {"metadata": {"name": name}})
        await self._until(lambda: self._exists(SERVICEACCOUNTS, "default"))
        await self._until(lambda: self._exists(CONFIGMAPS, "kube-root-ca.crt"))

    async def create(self, objects: Iterable[Object]) -> None:
        """Create objects in order."""
        for each in objects:
            resource = await self._client.resource_for(each["apiVersion"], each["kind"])
            path = f"{resource.path(self._namespace)}?fieldManager={_FIELD_MANAGER}"
            headers = {"Content-Type": "application/json"}
            answer = await self._client.request("POST", path, body=json.dumps(each).encode(), headers=headers)
            if answer.status >= 400:
                raise RuntimeError(f"{each['kind']} {each['metadata']['name']}: {answer.body!r}")

    async def wait(self, state: str) -> None:
        """Wait for a state of the namespace, by the recording's words."""
        try:
            await self._until(self._state(state))
        except TimeoutError as error:
            found = {pod["metadata"]["name"]: pod.get("status") for pod in await self._pods()}
            raise NeverReachedError(f"not reached: {state}; pods: {found}") from error

    async def rest(self) -> None:
        """Let a rollout come to its end, if it does soon."""
        with contextlib.suppress(TimeoutError):
            await self._until(self._has_settled, within_seconds=_REST_SECONDS)

    async def act(self, action: str, *, argv: Sequence[str]) -> None:
        """Do what another client did, by the recording's words."""
        if action.startswith("GET / through the forwarded port"):
            port = next(each for each in argv if re.fullmatch(r"\d+:\d+", each)).partition(":")[0]
            await _get(f"http://127.0.0.1:{port}/")
        elif "pod" in action and action.startswith("DELETE"):
            named = re.fullmatch(r"DELETE pod (\S+)", action)
            name = named[1] if named else (await self._pods())[0]["metadata"]["name"]
            grace = 0 if "gracePeriodSeconds=0" in action else None
            await self._client.delete(PODS, name, namespace=self._namespace, grace_period_seconds=grace)
        elif found := re.fullmatch(r"PATCH scale to (\d+)", action):
            await self._client.scale(DEPLOYMENTS, "web", namespace=self._namespace, replicas=int(found[1]))
        elif found := re.fullmatch(r"create ConfigMap (\S+)", action):
            await self._client.create(CONFIGMAPS, {"metadata": {"name": found[1]}}, namespace=self._namespace)
        else:
            raise NotImplementedError(action)

    async def called_like(self, name: str) -> str:
        """What is called here as something generated is called in the recording: `web-849fbbfd5b`.

        The same name means the same thing each time, another name another one.
        """
        if name not in self._called:
            for resource in (REPLICASETS, PODS):
                for each in await self._list(resource):
                    ours = str(each["metadata"]["name"])
                    if mask_text(ours) == mask_text(name) and ours not in self._called.values():
                        return self._called.setdefault(name, ours)
        return self._called.get(name, name)

    async def node_of(self, names: Sequence[str]) -> str:
        """The node that has a pod of each of these recorded names, and no other pod of the namespace."""
        found: dict[str, list[str]] = {}
        for pod in await self._pods():
            found.setdefault(pod["spec"].get("nodeName", ""), []).append(mask_text(pod["metadata"]["name"]))
        wanted = sorted(mask_text(name) for name in names)
        return next((node for node, pods in found.items() if sorted(pods) == wanted), "none")

    async def node_for(self, pod: str, *, elsewhere: bool) -> str:
        """The node of a pod, or one of the others."""
        node: str = (await self._client.get(PODS, pod, namespace=self._namespace))["spec"]["nodeName"]
        return node if not elsewhere else "node2" if node == "node1" else "node1"

    def _state(self, state: str) -> Callable[[], Awaitable[bool]]:
        match state:
            case "ready" | "all pods Ready":
                return self._is_ready
            case "PDB counted":
                return self._budgets_are_counted
            case "crash restarted once":
                return self._crash_restarted
            case "ephemeral container ended":
                return self._ephemeral_ended
            case "scaled down":
                return self._has_settled
            case "gone":
                return self._is_gone
        return self._has_settled

    async def _is_ready(self) -> bool:
        """All pods that can be are Ready; those that nobody schedules or that crash can't."""
        if not await self._has_settled():
            return False
        return all(_condition(pod, "Ready") for pod in await self._pods() if not _is_hopeless(pod))

    async def _has_settled(self) -> bool:
        """Every Deployment and StatefulSet has the pods that it should have, all of the newest kind, and no other."""
        workloads = [*await self._list(DEPLOYMENTS), *await self._list(STATEFULSETS)]
        wanted = sum(each["spec"]["replicas"] for each in workloads)
        owned = [pod for pod in await self._pods() if _owner_kind(pod) in ("ReplicaSet", "StatefulSet")]
        return len(owned) == wanted and all(_is_rolled_out(each) for each in workloads)

    async def _budgets_are_counted(self) -> bool:
        budgets = await self._list(PODDISRUPTIONBUDGETS)
        return bool(budgets) and all(
            each.get("status", {}).get("observedGeneration") == each["metadata"]["generation"] for each in budgets
        )

    async def _crash_restarted(self) -> bool:
        crash = await self._client.get(PODS, "crash", namespace=self._namespace)
        return any(each["restartCount"] > 0 for each in crash["status"].get("containerStatuses", ()))

    async def _ephemeral_ended(self) -> bool:
        found = [each for pod in await self._pods() for each in pod["status"].get("ephemeralContainerStatuses", ())]
        return bool(found) and all("terminated" in each["state"] for each in found)

    async def _is_gone(self) -> bool:
        return not await self._pods() and not await self._list(REPLICASETS)

    async def _exists(self, resource: Resource, name: str) -> bool:
        return any(each["metadata"]["name"] == name for each in await self._list(resource))

    async def _pods(self) -> list[Object]:
        return await self._list(PODS)

    async def _list(self, resource: Resource) -> list[Object]:
        return (await self._client.list(resource, namespace=self._namespace)).items

    async def _until(self, holds: Callable[[], Awaitable[bool]], *, within_seconds: float = _WAIT_SECONDS) -> None:
        """Look again and again: what is waited for shows in several kinds of objects."""
        async with asyncio.timeout(within_seconds):
            while not await holds():  # noqa: ASYNC110 -- the server tells no single event for it
                await asyncio.sleep(_LOOK_SECONDS)


def _owner_kind(pod: Mapping[str, Any]) -> str:
    owners = pod["metadata"].get("ownerReferences") or [{}]
    return str(owners[0].get("kind", ""))


def _is_rolled_out(workload: Mapping[str, Any]) -> bool:
    status, replicas = workload.get("status") or {}, workload["spec"]["replicas"]
    counts = [status.get(name, 0) for name in ("readyReplicas", "updatedReplicas")]
    is_seen = status.get("observedGeneration") == workload["metadata"]["generation"]
    return is_seen and (counts == [replicas, replicas] or bool(workload["spec"].get("paused")))


def _condition(pod: Mapping[str, Any], kind: str) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(each["type"] == kind and each["status"] == "True" for each in conditions)


def _is_hopeless(pod: Mapping[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    statuses = pod["status"].get("containerStatuses", ())
    crashes = any(each.get("restartCount") or "terminated" in each["state"] for each in statuses)
    is_nobodys = pod["spec"].get("schedulerName") != "default-scheduler"
    return crashes or is_nobodys or any(each.get("reason") == "Unschedulable" for each in conditions)


async def _get(url: str) -> None:
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            await answer.read()
    except aiohttp.ClientError:
        return  # nobody listens there: kubectl says so, and that is compared
