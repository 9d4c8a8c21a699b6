"""Keeping a partition up to date: pods that come while it lasts have addresses that its policies don't know yet.

Many network plugins take a policy's address ranges to mean pods, too. So each address that a pod of the other side has
is left out of them; when one comes or goes, the policy is patched. It is safe to be late: only that pod gets through
meanwhile, and only where a plugin works so.
"""

from collections.abc import Iterable

import msgspec

from seatrial.kube.client import Client
from seatrial.kube.errors import NotFound
from seatrial.kube.objects import Pod
from seatrial.kube.resources import NETWORKPOLICIES, PODS
from seatrial.runtime.context import Context
from seatrial.runtime.scope import Observation
from seatrial.runtime.verdict import PASSED, Outcome
from seatrial.steps.partition.model import PodGroup
from seatrial.steps.partition.network_policies import Addresses, Cut, network_policy


class Keeper(msgspec.Struct, frozen=True, kw_only=True):
    """Follows the addresses of the pods that one policy closes out."""

    cut: Cut
    group: PodGroup
    name: str
    addresses: Addresses
    context: Context

    async def watch(self, observation: Observation) -> Outcome:
        """Follow them until the scenario ends.

        Raises:
            ClusterError: the pods can't be watched, or the policy can't be patched.
        """
        await observation.follow(self._follow(), name=f"addresses of {self.name}")
        return PASSED

    async def _follow(self) -> None:
        cluster, known = self.context.cluster, self.addresses.closed
        pods: dict[str, Pod] = {}
        selector = str(self.group.labels)
        async with cluster.watch(PODS, namespace=self.group.namespace, label_selector=selector, type=Pod) as watch:
            pods.update((pod.metadata.uid, pod) for pod in watch.snapshot)
            known = await self._bring_up_to_date(pods.values(), known, cluster)
            async for event in watch:
                if event.type == "DELETED":
                    pods.pop(event.object.metadata.uid, None)
                else:
                    pods[event.object.metadata.uid] = event.object
                known = await self._bring_up_to_date(pods.values(), known, cluster)

    async def _bring_up_to_date(self, pods: Iterable[Pod], known: frozenset[str], cluster: Client) -> frozenset[str]:
        closed = frozenset(addresses_of(pods))
        if closed == known:
            return known
        addresses = Addresses(closed, self.addresses.versions)
        body = network_policy(self.cut, name=self.name, addresses=addresses)
        try:
            namespace = self.cut.selects.namespace
            await cluster.patch(NETWORKPOLICIES, self.name, {"spec": body["spec"]}, namespace=namespace)
        except NotFound:
            # Somebody has deleted the policy: there is nothing to keep.
            return known
        return closed


def addresses_of(pods: Iterable[Pod]) -> list[str]:
    """The addresses that pods have as long as they run; those with their node's network have none of their own."""
    return [
        each.ip
        for pod in pods
        if not pod.spec.host_network and not pod.is_finished
        for each in pod.status.pod_ips
        if each.ip
    ]
