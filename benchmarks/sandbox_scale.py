"""What pods cost the sandbox's control plane: a thousand ten times what a hundred cost, not a hundred times.

Run it with `python -m benchmarks.sandbox_scale`; it fails when a limit is exceeded. API server, controllers, scheduler
are the real ones, in one process and without HTTP; the kubelets only write what a kubelet would, as in the controllers'
tests, so that the figures are the control plane's alone.
"""

import asyncio
import logging
import sys
import time
from typing import NamedTuple

import structlog

from tests.sandbox.controllers.world import NAMESPACE, World, deployment, running_world, service

_SIZES = (100, 300, 1000)
_PODS_PER_NODE = 100
_MOST_SECONDS = 8.0  # of processor time, for the largest size to be Ready
_MOST_GROWTH = 2.0  # of the cost of one pod, from the smallest size to the largest


class Cost(NamedTuple):
    """Processor seconds that one size took, by stage."""

    pods: int
    to_ready: float
    to_replace_half: float
    to_delete: float

    @property
    def ms_per_pod(self) -> float:
        """Milliseconds to bring one pod up."""
        return self.to_ready / self.pods * 1000


async def cost_of(pods: int) -> Cost:
    async with running_world(nodes=max(3, -(-pods // _PODS_PER_NODE))) as world:
        await world.settled()
        return Cost(pods, await _bring_up(world, pods), await _kill_half(world, pods), await _delete(world))


async def _bring_up(world: World, pods: int) -> float:
    began = time.process_time()
    await world.api.create("services", service(), NAMESPACE)
    await world.api.create("deployments.apps", deployment(replicas=pods), NAMESPACE)
    await world.until(lambda: _available(world) == pods)
    return await _settled_since(world, began)


async def _kill_half(world: World, pods: int) -> float:
    began = time.process_time()
    killed = {pod["metadata"]["name"] for pod in world.seen("pods")[: pods // 2]}
    await asyncio.gather(*(world.api.delete("pods", name, NAMESPACE, grace_period_seconds=0) for name in killed))
    # What is cheap to ask comes first: this is asked at each change, and its cost counts as well.
    await world.until(
        lambda: _available(world) == pods and not _names(world) & killed and len(world.ready_pods()) == pods
    )
    return await _settled_since(world, began)


async def _delete(world: World) -> float:
    began = time.process_time()
    await world.api.delete("deployments.apps", "web", NAMESPACE, propagation_policy="Background")
    await world.until(lambda: not world.seen("pods"))
    return await _settled_since(world, began)


def _available(world: World) -> int:
    return int(world.one("deployments.apps", "web").get("status", {}).get("availableReplicas", 0))


def _names(world: World) -> set[str]:
    return {pod["metadata"]["name"] for pod in world.seen("pods")}


async def _settled_since(world: World, began: float) -> float:
    """What comes late belongs to the cost: a Service's last endpoints, the last statuses."""
    await world.settled()
    return time.process_time() - began


def main() -> bool:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print(f"{'pods':>6}{'to Ready':>12}{'per pod':>12}{'kill half':>12}{'delete':>12}   (processor seconds)")
    costs = []
    for pods in _SIZES:
        # The better of two runs: whatever else the machine does only ever adds.
        cost = min((asyncio.run(cost_of(pods)) for _ in range(2)), key=lambda found: found.to_ready)
        costs.append(cost)
        later = f"{cost.to_replace_half:10.2f} s{cost.to_delete:10.2f} s"
        print(f"{cost.pods:6}{cost.to_ready:10.2f} s{cost.ms_per_pod:9.2f} ms{later}", flush=True)
    least, most = costs[0], costs[-1]
    growth = most.ms_per_pod / least.ms_per_pod
    return all(
        [
            _judge(f"{most.pods} pods to Ready, s", most.to_ready, _MOST_SECONDS),
            _judge(f"cost per pod at {most.pods} against {least.pods}", growth, _MOST_GROWTH),
        ]
    )


def _judge(what: str, value: float, limit: float) -> bool:
    print(f"{what:<40} {value:6.2f}   limit {limit:g}   {'ok' if value <= limit else 'TOO MUCH'}")
    return value <= limit


if __name__ == "__main__":
    sys.exit(not main())
