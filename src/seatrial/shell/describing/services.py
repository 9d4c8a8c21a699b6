"""A Service: where it listens, and which pods get its traffic and which don't."""

from datetime import datetime

from seatrial.kube.client import Client
from seatrial.kube.objects import Endpoint, EndpointSlice, Service
from seatrial.kube.resources import ENDPOINTSLICES
from seatrial.policy.wording import counted
from seatrial.shell.describing.account import Account, Fact, Section, facts, known
from seatrial.shell.describing.related import event_facts, labels_text, meta_pairs
from seatrial.shell.listings.workloads import port_text
from seatrial.shell.states import BAD, CHANGING, WELL


async def service_account(service: Service, cluster: Client, *, now: datetime) -> Account:
    """All there is to say about a Service."""
    meta, spec = service.metadata, service.spec
    endpoints = await known(_endpoints(service, cluster))
    behind = [endpoints] if isinstance(endpoints, Fact) else [_endpoint_fact(each) for each in endpoints]
    ports = ", ".join(f"{port_text(each)} to {each.target_port or each.port}" for each in spec.ports)
    sections = [
        Section(
            "",
            facts(
                ("address", spec.cluster_ip or spec.external_name),
                ("ports", ports),
                ("selects", labels_text(spec.selector)),
                *meta_pairs(meta, now=now),
            ),
        ),
        Section("behind it", behind),
        Section("events", await event_facts("Service", meta, cluster, now=now)),
    ]
    title, style = f"Service {meta.namespace}/{meta.name}: {spec.type}", ""
    if not isinstance(endpoints, Fact) and spec.selector:
        ready = sum(_takes_traffic(each) for each in endpoints)
        title += f", traffic goes to {counted(ready, 'pod')}"
        style = "" if ready else BAD
    return Account(title, style, sections)


async def _endpoints(service: Service, cluster: Client) -> list[Endpoint]:
    meta = service.metadata
    selector = f"kubernetes.io/service-name={meta.name}"
    slices = await cluster.list(ENDPOINTSLICES, namespace=meta.namespace, label_selector=selector, type=EndpointSlice)
    found = {_name(each): each for piece in slices.items for each in piece.endpoints or ()}
    return [found[name] for name in sorted(found)]


def _takes_traffic(endpoint: Endpoint) -> bool:
    return endpoint.conditions.ready is not False


def _endpoint_fact(endpoint: Endpoint) -> Fact:
    place = f" on {endpoint.node_name}" if endpoint.node_name else ""
    zone = f" in {endpoint.zone}" if endpoint.zone else ""
    takes = _takes_traffic(endpoint)
    label = "traffic" if takes else "leaving" if endpoint.conditions.terminating else "no traffic"
    return Fact(label, f"{_name(endpoint)} ({', '.join(endpoint.addresses)}){place}{zone}", WELL if takes else CHANGING)


def _name(endpoint: Endpoint) -> str:
    target = endpoint.target_ref
    return target.name if target is not None else ", ".join(endpoint.addresses)
