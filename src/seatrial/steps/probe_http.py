"""The step `probeHTTP`: send HTTP requests and fail unless every answer is the expected one."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import aiohttp
from pydantic import AfterValidator, Field

from seatrial.kube.resources import SERVICES
from seatrial.policy.base import Complaint, Model, OneKey, complain, option
from seatrial.policy.scalars import Integer, Items, Number, Port
from seatrial.probes.http_route import DirectRoute, NoAnswer, Route, Via, join, passes_apiserver, public
from seatrial.probes.http_session import probe_session
from seatrial.probes.sampling import Look, sample
from seatrial.probes.service_endpoints import PORT_FORWARD_PERMISSIONS, ServiceAddress
from seatrial.probes.service_route import PROXY_VERBS, Requests, route_to_service
from seatrial.runtime.context import Context
from seatrial.runtime.plan import StepPlan
from seatrial.runtime.verdict import Outcome
from seatrial.steps.step_type import StepType
from seatrial.targets.permissions import Permission, missing_in


def _as_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host_is_named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        host_is_named = False
    if not host_is_named:
        raise complain(f"is '{value}', which is no URL with a host, such as 'http://example.com:8080/healthz'")
    return value


Url = Annotated[str, Field(pattern="^https?://"), AfterValidator(_as_url)]
"""An absolute URL with the scheme http or https."""


class ServiceTarget(Model):
    """A Kubernetes Service."""

    name: Annotated[str, Field(min_length=1)]
    """The Service's name."""

    namespace: Annotated[str, Field(min_length=1)]
    """The Service's namespace."""

    port: Port = 80
    """The Service's port."""

    protocol: Literal["http", "https"] = "http"
    """How to speak to it."""

    via: Via | None = None
    """How to reach it: by its cluster IP, through the API server's proxy, or by a port-forward to a Ready pod of it.
    Without it, these are tried in this order, and the report says which one was used."""


class ProbeTarget(OneKey):
    """Where requests go."""

    url: Url = option()
    """A fixed URL."""

    service: ServiceTarget = option()
    """A Kubernetes Service."""


class Header(Model):
    """A header of the request."""

    name: Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
    """The header's name."""

    value: Annotated[str, Field(pattern=r"^[^\r\n]*$")]
    """The header's value."""


class ProbeHTTP(Model):
    """Send HTTP requests and fail unless every answer has the expected status."""

    target: ProbeTarget
    """Where requests go: a URL or a Service."""

    retries: Annotated[Integer, Field(ge=1)] = 3
    """How often to try before the probe fails; a number here, unlike in the other steps."""

    delay_ms: Annotated[Number, Field(ge=0)] = Field(default=100.0, alias="delay")
    """The pause between two tries, in milliseconds."""

    timeout_ms: Annotated[Number, Field(ge=1)] = Field(default=1000.0, alias="timeout")
    """How long a request may take, in milliseconds."""

    code: Annotated[Integer, Field(ge=100, le=599)] = 200
    """The expected HTTP status."""

    count: Annotated[Integer, Field(ge=1)] = 1
    """How many requests to send; each has to succeed."""

    endpoint: str = ""
    """What to add to the target's URL, such as `/healthz`."""

    method: Literal["get", "post", "put", "patch", "head", "delete"] = "get"
    """The HTTP method."""

    body: str | None = None
    """The body of the request."""

    headers: Items[Header] = ()
    """More headers for the request."""

    proxy: str = ""
    """The URL of an HTTP proxy, which leads to a URL or a Service's cluster IP.
    Proxies named by environment variables are ignored."""

    insecure: bool = False
    """Accept any TLS certificate. A Service's has to bear the name `NAME.NAMESPACE.svc` otherwise.
    The API server's proxy never looks at it."""

    traceparent: bool = False
    """Send the header `traceparent` (W3C Trace Context), by which what the request causes becomes a part of the run's
    trace; see `--otlp-endpoint`. One under `headers` is sent instead."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """What a Service can't be asked by one of the ways."""
        via = _way_of(given.get("target"))
        if given.get("proxy") and via in {"apiserver", "portForward"}:
            yield Complaint(
                f"is no way to a Service with 'via: {via}'; only 'via: clusterIP' leads through it", ("proxy",)
            )
        for index, header in enumerate(_list_of(given.get("headers"))):
            name = _value_of(header, "name")
            if via == "apiserver" and isinstance(name, str) and not passes_apiserver({name: ""}):
                message = f"is '{name}', which does not get through the API server; use another 'via'"
                yield Complaint(message, ("headers", index, "name"))

    @property
    def header_map(self) -> dict[str, str]:
        """The headers by name."""
        return {header.name: header.value for header in self.headers}


def _way_of(target: Any) -> Any:
    """The `via` of a target as it was written, or as a model."""
    return _value_of(_value_of(target, "service"), "via")


def _value_of(given: Any, key: str) -> Any:
    return given.get(key) if isinstance(given, dict) else getattr(given, key, None)


def _list_of(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else []


async def run(spec: ProbeHTTP, context: Context) -> Outcome:
    """Send HTTP requests and fail unless every answer has the expected status."""
    headers = spec.header_map
    if spec.traceparent and "traceparent" not in {name.lower() for name in headers}:
        headers["traceparent"] = context.traceparent
    async with probe_session() as session:
        route = await _route(spec, session, context)
        target = public(join(route.target, spec.endpoint))

        async def look() -> Look:
            return await _request(spec, route, headers)

        asked = spec.target.spec
        return await sample(
            spec,
            context,
            what=f"{spec.method.upper()} {target}",
            target=target,
            via=route.via,
            look=look,
            service=(asked.namespace, asked.name) if isinstance(asked, ServiceTarget) else None,
        )


async def _route(spec: ProbeHTTP, session: aiohttp.ClientSession, context: Context) -> Route:
    target = spec.target.spec
    if not isinstance(target, ServiceTarget):
        return DirectRoute(session, str(target), proxy=spec.proxy, insecure=spec.insecure)
    return await route_to_service(
        context.cluster,
        session,
        ServiceAddress(namespace=target.namespace, name=target.name, port=target.port, scheme=target.protocol),
        via=target.via,
        insecure=spec.insecure,
        proxy=spec.proxy,
        is_inside=bool(context.identity.pod_name),
        requests=Requests(spec.method, spec.header_map),
    )


async def _request(spec: ProbeHTTP, route: Route, headers: Mapping[str, str]) -> Look:
    try:
        answer = await route.send(
            spec.method,
            spec.endpoint,
            timeout_seconds=spec.timeout_ms / 1000,
            headers=headers,
            body=spec.body,
        )
    except NoAnswer as error:
        return Look(problem=str(error))
    return Look(
        problem="" if answer.status == spec.code else f"expected {spec.code}, got {answer.status}",
        status=answer.status,
        latency_ms=answer.latency_ms,
        connect_ms=answer.connect_ms,
        tls_ms=answer.tls_ms,
        first_byte_ms=answer.first_byte_ms,
    )


async def plan(spec: ProbeHTTP, context: Context) -> StepPlan:
    """Requests, which change nothing that Seatrial knows of."""
    target = spec.target.spec
    requests = f"{spec.count} x " if spec.count > 1 else ""
    base = str(target)
    missing: tuple[str, ...] = ()
    if isinstance(target, ServiceTarget):
        base = f"{target.protocol}://{target.name}.{target.namespace}:{target.port}"
        missing = await missing_in(target.namespace, _permissions(target, spec.method), context.cluster)
    return StepPlan(
        summary=f"{requests}{spec.method.upper()} {public(join(base, spec.endpoint))}, expecting {spec.code}",
        missing_permissions=missing,
    )


def _permissions(target: ServiceTarget, method: str) -> list[Permission]:
    """What the way needs; which one is taken without `via` shows at the first request only."""
    needed = [Permission("get", SERVICES)]
    if target.via == "apiserver":
        needed.append(Permission(PROXY_VERBS[method], SERVICES, "proxy"))
    elif target.via == "portForward":
        needed += PORT_FORWARD_PERMISSIONS
    return needed


STEP = StepType(key="probeHTTP", model=ProbeHTTP, run=run, plan=plan, changes_nothing=True)
