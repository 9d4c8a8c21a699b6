"""Where goldpinger is: the Service before its pods, found by the pods' image where nobody says which it is."""

from collections.abc import Mapping

from seatrial.by_hand.live.services import LiveService
from seatrial.errors import ClusterError, UsageError
from seatrial.policy.wording import counted
from seatrial.probes.service_endpoints import ServiceAddress
from seatrial.shell.listings.services import PodsByLabel
from seatrial.shell.listings.shown import zones_of_nodes
from seatrial.shell.look import ALL_NAMESPACES, check_namespace, guess, seen
from seatrial.shell.shell import Shell

_IMAGE = "goldpinger"
_USUAL_PORT = 8080
_HINT = "kubectl apply -f examples/manifests/goldpinger.yml installs it"


async def find_goldpinger(
    service: str | None, namespace: str | None, shell: Shell, *, port: int | None
) -> ServiceAddress:
    """The Service that is meant; without a name the one before goldpinger's pods, if there is one such.

    Raises:
        UsageError: there is none, or there are several.
        ClusterError: Services or pods may not be listed.
    """
    if namespace is not None:
        await check_namespace(namespace, shell)
    found = await _named(service, namespace, shell) if service else await _before_its_pods(namespace, shell)
    ports = [each.port for each in found.ports if each.protocol == "TCP"]
    usual = _USUAL_PORT if _USUAL_PORT in ports or not ports else ports[0]
    return ServiceAddress(namespace=found.namespace, name=found.name, port=port or usual)


async def _named(service: str, namespace: str | None, shell: Shell) -> LiveService:
    said, _, name = service.rpartition("/")
    place = namespace or said or shell.namespace
    services = {each.name: each for each in await seen(shell.live.services, place, shell)}
    if name not in services:
        raise UsageError(f"there is no Service {name!r} in namespace {place}", hint=guess(name, services) or _HINT)
    return services[name]


async def _before_its_pods(namespace: str | None, shell: Shell) -> LiveService:
    place = namespace or ALL_NAMESPACES
    pods = await seen(shell.live.pods, place, shell)
    instances = PodsByLabel(pod for pod in pods if any(_IMAGE in image for image in pod.images))
    services = await seen(shell.live.services, place, shell)
    found = [each for each in services if instances.selected(each.namespace, each.selector)]
    if not found:
        where = f"namespace {namespace}" if namespace else "the cluster"
        raise UsageError(f"no Service with goldpinger's pods behind it was found in {where}", hint=_HINT)
    # A headless Service beside the usual one leads to the same pods.
    found = [each for each in found if each.cluster_ip != "None"] or found
    if len(found) > 1:
        names = ", ".join(f"{each.namespace}/{each.name}" for each in found)
        raise UsageError(
            f"{counted(len(found), 'Service')} lead to goldpinger: {names}",
            hint=f"say which: mesh {found[0].name} {found[0].namespace}",
        )
    return found[0]


async def places_of(namespace: str, shell: Shell) -> Mapping[str, str]:
    """The node and zone of each pod of a namespace, in a few words, by its name; none where pods may not be listed."""
    try:
        pods = await seen(shell.live.pods, namespace, shell)
    except ClusterError:
        return {}
    zones, _ = await zones_of_nodes(shell)
    return {pod.name: f"{pod.node} {zones[pod.node]}" if zones.get(pod.node) else pod.node for pod in pods}
