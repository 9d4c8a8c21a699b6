"""A pod: where it runs, how its containers are, what counts on it, and what a kill would mean."""

from collections.abc import Iterable
from datetime import datetime

from seatrial.by_hand.pod_orders import kill_order, why_left_out
from seatrial.by_hand.session import HandSession
from seatrial.kube.client import Client
from seatrial.kube.objects import Container, ContainerStatus, Pod
from seatrial.kube.pod_status import printed_ready, printed_status
from seatrial.policy.wording import counted
from seatrial.runtime.plan import StepPlan
from seatrial.shell.ages import age_seconds, age_text
from seatrial.shell.describing.account import Account, Fact, Section, facts, known
from seatrial.shell.describing.related import (
    budget_facts,
    condition_facts,
    event_facts,
    impact_facts,
    meta_pairs,
    owner_chain,
    resources_text,
    service_facts,
)
from seatrial.shell.states import BAD, CHANGING, state_style


async def pod_account(pod: Pod, session: HandSession, *, zone: str, now: datetime) -> Account:
    """All there is to say about a pod."""
    cluster, meta, status = session.context.cluster, pod.metadata, printed_status(pod)
    namespace = meta.namespace
    sections = [
        Section("", await _what_it_is(pod, cluster, zone=zone, now=now)),
        Section("containers", _container_facts(pod, now)),
        Section("conditions", condition_facts(pod.status.conditions, now=now, good={"DisruptionTarget": "False"})),
        Section("Services", await service_facts(meta.labels, namespace, cluster, gets_traffic=_gets_traffic(pod))),
        Section("budgets", await budget_facts(meta.labels, namespace, cluster)),
        Section("a kill", await _kill_facts(pod, session)),
        Section("events", await event_facts("Pod", meta, cluster, now=now)),
    ]
    return Account(f"Pod {namespace}/{meta.name}: {status}, {printed_ready(pod)} ready", state_style(status), sections)


def _gets_traffic(pod: Pod) -> bool:
    return pod.is_ready and not pod.is_terminating


async def _what_it_is(pod: Pod, cluster: Client, *, zone: str, now: datetime) -> list[Fact]:
    meta, spec, status = pod.metadata, pod.spec, pod.status
    chain = " of ".join(f"{owner.kind}/{owner.name}" for owner in await owner_chain(meta, cluster))
    node = f"{spec.node_name}{f' in {zone}' if zone else ''}" if spec.node_name else "none yet"
    grace = spec.termination_grace_period_seconds
    return facts(
        ("node", node),
        ("address", f"{status.pod_ip} (its node's)" if spec.host_network else status.pod_ip),
        ("owner", chain or "none: nothing replaces it"),
        *meta_pairs(meta, now=now),
        ("account", spec.service_account_name),
        ("priority", spec.priority_class_name),
        ("quality", status.qos_class),
        ("grace", None if grace is None else f"{grace} s to end"),
        ("reason", ": ".join(filter(None, (status.reason, status.message)))),
    )


def _container_facts(pod: Pod, now: datetime) -> list[Fact]:
    spec, status = pod.spec, pod.status
    found: list[Fact] = []
    for kind, containers, statuses in (
        ("init ", spec.init_containers, status.init_container_statuses),
        ("", spec.containers, status.container_statuses),
    ):
        by_name = {each.name: each for each in statuses}
        for container in containers:
            is_sidecar = kind and container.restart_policy == "Always"
            label = f"{'sidecar ' if is_sidecar else kind}{container.name}"
            found += _one_container(label, container, by_name.get(container.name), now)
    for added in status.ephemeral_container_statuses:
        found.append(Fact(f"added {added.name}", f"{added.image}, {_state(added, now)}"))
    return found


def _one_container(label: str, container: Container, status: ContainerStatus | None, now: datetime) -> Iterable[Fact]:
    ports = ", ".join(f"{each.container_port}/{each.protocol}" for each in container.ports)
    yield Fact(label, f"{container.image}{f', listens on {ports}' if ports else ''}")
    if resources := resources_text(container.resources):
        yield Fact("", resources)
    if status is None:
        yield Fact("", "nothing is known of it yet", CHANGING)
        return
    ready = "" if status.state.terminated else ", ready" if status.ready else ", not ready"
    well = status.ready or (status.state.terminated is not None and status.state.terminated.exit_code == 0)
    restarts = f", {counted(status.restart_count, 'restart')}" if status.restart_count else ""
    yield Fact("", f"{_state(status, now)}{ready}{restarts}", "" if well else CHANGING)
    if ended := status.last_state.terminated:
        yield Fact("", f"before that {_ended(ended.reason, ended.exit_code, ended.finished_at, now)}", CHANGING)


def _state(status: ContainerStatus, now: datetime) -> str:
    state = status.state
    if state.running is not None:
        return f"running for {age_text(age_seconds(state.running.started_at, now=now)) or 'some time'}"
    if state.terminated is not None:
        end = state.terminated
        return _ended(end.reason, end.exit_code, end.finished_at, now)
    if state.waiting is not None:
        return f"waits: {': '.join(filter(None, (state.waiting.reason, state.waiting.message)))}"
    return "in no state yet"


def _ended(reason: str, exit_code: int, finished_at: datetime | None, now: datetime) -> str:
    ago = age_text(age_seconds(finished_at, now=now))
    return f"ended{f' {ago} ago' if ago else ''} with {exit_code}{f' ({reason})' if reason else ''}"


async def _kill_facts(pod: Pod, session: HandSession) -> list[Fact]:
    """What a kill would mean, by the plan that `kill` itself shows."""
    if why := why_left_out(pod, session.context.identity):
        return [Fact("nothing", why)]
    plan = await known(_planned(pod, session))
    if isinstance(plan, Fact):
        return [plan]
    found = impact_facts(plan.owners, plan.budgets)
    if plan.unowned:
        found.append(Fact("for good", "no controller replaces it", BAD))
    found += [Fact("refused", reason, BAD) for reason in plan.refused]
    found += [Fact("forbidden", f"you may not {what}", BAD) for what in plan.missing_permissions]
    return found + facts(("unknown", plan.unknown), style=CHANGING)


async def _planned(pod: Pod, session: HandSession) -> StepPlan:
    return await session.preview(await kill_order([pod], session.context.cluster))
