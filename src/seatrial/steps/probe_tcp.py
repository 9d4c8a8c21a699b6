"""The step `probeTCP`: connect and fail unless each connection stands."""

from typing import Annotated

from pydantic import Field

from seatrial.kube.resources import SERVICES
from seatrial.policy.base import Model, OneKey, option
from seatrial.policy.scalars import Integer, Number, Port
from seatrial.probes.sampling import Look, sample
from seatrial.probes.service_endpoints import PORT_FORWARD_PERMISSIONS, ServiceAddress
from seatrial.probes.tcp_route import DirectTcpRoute, TcpRoute, TcpVia, tcp_route_to_service
from seatrial.runtime.context import Context
from seatrial.runtime.plan import StepPlan
from seatrial.runtime.verdict import Outcome
from seatrial.steps.step_type import StepType
from seatrial.targets.permissions import Permission, missing_in


class TcpAddress(Model):
    """A fixed address."""

    host: Annotated[str, Field(min_length=1, pattern=r"^[^\s/]+$")]
    """A name or an IP address."""

    port: Port
    """The TCP port."""


class TcpService(Model):
    """A Kubernetes Service."""

    name: Annotated[str, Field(min_length=1)]
    """The Service's name."""

    namespace: Annotated[str, Field(min_length=1)]
    """The Service's namespace."""

    port: Port
    """The Service's port."""

    via: TcpVia | None = None
    """How to reach it: by its cluster IP, or by a port-forward to a Ready pod of it.
    Without it, these are tried in this order, and the report says which one was used."""


class TcpTarget(OneKey):
    """What to connect to."""

    address: TcpAddress = option()
    """A fixed address."""

    service: TcpService = option()
    """A Kubernetes Service."""


class ProbeTCP(Model):
    """Connect by TCP, hang up, and fail unless each connection stands."""

    target: TcpTarget
    """What to connect to."""

    retries: Annotated[Integer, Field(ge=1)] = 3
    """How often to try before the probe fails."""

    delay_ms: Annotated[Number, Field(ge=0)] = Field(default=100.0, alias="delay")
    """The pause between two tries, in milliseconds."""

    timeout_ms: Annotated[Number, Field(ge=1)] = Field(default=1000.0, alias="timeout")
    """How long a connection may take, in milliseconds."""

    count: Annotated[Integer, Field(ge=1)] = 1
    """How many connections to make; each has to succeed."""


async def run(spec: ProbeTCP, context: Context) -> Outcome:
    """Connect as often as asked for, and fail unless each connection stands."""
    route = await _route(spec, context)

    async def look() -> Look:
        return await route.look(timeout_seconds=spec.timeout_ms / 1000)

    target = spec.target.spec
    service = (target.namespace, target.name) if isinstance(target, TcpService) else None
    return await sample(
        spec, context, what=f"TCP {route.target}", target=route.target, via=route.via, look=look, service=service
    )


async def _route(spec: ProbeTCP, context: Context) -> TcpRoute:
    target = spec.target.spec
    if isinstance(target, TcpAddress):
        return DirectTcpRoute(target.host, target.port)
    return await tcp_route_to_service(
        context.cluster,
        ServiceAddress(namespace=target.namespace, name=target.name, port=target.port),
        via=target.via,
        is_inside=bool(context.identity.pod_name),
    )


async def plan(spec: ProbeTCP, context: Context) -> StepPlan:
    """Connections, which change nothing that Seatrial knows of."""
    target = spec.target.spec
    missing: tuple[str, ...] = ()
    if isinstance(target, TcpAddress):
        where = f"{target.host}:{target.port}"
    else:
        where = f"{target.name}.{target.namespace}:{target.port}"
        needed = [Permission("get", SERVICES)]
        if target.via == "portForward":
            needed += PORT_FORWARD_PERMISSIONS
        missing = await missing_in(target.namespace, needed, context.cluster)
    connections = f"{spec.count} TCP connections" if spec.count > 1 else "a TCP connection"
    return StepPlan(summary=f"{connections} to {where}", missing_permissions=missing)


STEP = StepType(key="probeTCP", model=ProbeTCP, run=run, plan=plan, changes_nothing=True)
