"""What a machine is cut off from, as addresses: the API server's, other nodes' and their pods', everybody's."""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from seatrial.actions.machine_firewall import Peer
from seatrial.kube.objects import EndpointSlice
from seatrial.kube.resources import ENDPOINTSLICES
from seatrial.runtime.context import Context
from seatrial.targets.node_selection import NodeTargetMatcher, describe, matching_nodes
from seatrial.targets.nodes import NodeTarget, pods_on

_API_SERVER_SLICES = "kubernetes.io/service-name=kubernetes"


class Peers(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a machine can't reach any more.

    `silences` tells whether its kubelet is among those that can't be heard. `nobody` says why there is nobody.
    """

    in_words: str
    addresses: tuple[Peer, ...] = ()
    everything: bool = False
    kubelets_server: bool = False
    silences: bool = False
    nobody: str = ""


async def the_api_server(context: Context) -> Peers:
    """Every API server that the cluster itself knows; the machine adds the one that its kubelet is configured with."""
    return Peers(in_words="the API server", addresses=await _api_servers(context), kubelets_server=True, silences=True)


EVERYBODY = Peers(in_words="everything", everything=True, silences=True)


async def other_nodes(matchers: Sequence[NodeTargetMatcher], target: NodeTarget, context: Context) -> Peers:
    """The nodes that are matched, but for the target itself, and the pods on them."""
    words = " and ".join(describe(each) for each in matchers)
    others = [each for each in await matching_nodes(matchers, context) if each.name != target.name]
    if not others:
        return Peers(in_words=words, nobody=f"there are no {words} beside {target.name}")
    addresses = tuple([peer for each in others for peer in await _addresses(each, context)])
    if not addresses:
        return Peers(in_words=words, nobody=f"no address of {words} is known")
    api_servers = {each.network for each in await _api_servers(context)}
    silences = bool(api_servers) and api_servers <= {each.network for each in addresses}
    return Peers(in_words=words, addresses=addresses, silences=silences)


async def _addresses(target: NodeTarget, context: Context) -> list[Peer]:
    """A node's own addresses and its range of pods; where it has none to tell, the addresses that its pods have."""
    networks = [*target.addresses, *target.node.spec.pod_cidrs]
    if not target.node.spec.pod_cidrs:
        pods = [each for each in await pods_on(target.name, context) if not each.spec.host_network]
        networks += [each.ip for pod in pods for each in pod.status.pod_ips if each.ip]
    return list(_peers(networks))


async def _api_servers(context: Context) -> tuple[Peer, ...]:
    """Source: Kubernetes documentation, "Access Clusters Using the Kubernetes API": the Service `kubernetes`."""
    listed = await context.cluster.list(
        ENDPOINTSLICES, namespace="default", label_selector=_API_SERVER_SLICES, type=EndpointSlice
    )
    return tuple(
        peer
        for each in listed.items
        for endpoint in each.endpoints or ()
        for port in each.ports or ()
        if port.port
        for peer in _peers(endpoint.addresses, port.port)
    )


def _peers(texts: Iterable[str], port: int | None = None) -> Iterator[Peer]:
    """Those that are addresses or ranges: clouds and nodes may have names among them, and a shell reads them all."""
    for text in texts:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            continue
        if "%" not in text:
            yield Peer(text if "/" in text else str(network.network_address), port)
