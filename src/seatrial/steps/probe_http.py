"""The step `probeHTTP`: send HTTP requests and fail unless every answer is the expected one."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

import aiohttp
from pydantic import AfterValidator, Field

from seatrial.policy.base import Model, OneKey, complain, option
from seatrial.policy.scalars import Integer, Items, Number, Port
from seatrial.probes.http_route import Answer, DirectRoute, NoAnswer, Route, Via, join, public, route_to_service
from seatrial.runtime.context import Context
from seatrial.runtime.events import ProbeSampled
from seatrial.runtime.plan import StepPlan
from seatrial.runtime.verdict import PASSED, Outcome, failed
from seatrial.steps.step_type import StepType


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
    """How to reach it: by its cluster IP, or through the API server's proxy.
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
    """The URL of an HTTP proxy. Proxies named by environment variables are ignored."""

    insecure: bool = False
    """Accept any TLS certificate."""


async def run(spec: ProbeHTTP, context: Context) -> Outcome:
    """Send HTTP requests and fail unless every answer has the expected status."""
    # A connection per request, as new clients make them; cookies of one answer stay out of the next request.
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
    ) as session:
        route = await _route(spec, session, context)
        for _ in range(spec.count):
            problem = await _request_with_retries(spec, route, context)
            if problem:
                tries = f" after {spec.retries} tries" if spec.retries > 1 else ""
                return failed(f"{spec.method.upper()} {public(join(route.target, spec.endpoint))}: {problem}{tries}")
    return PASSED


async def _route(spec: ProbeHTTP, session: aiohttp.ClientSession, context: Context) -> Route:
    target = spec.target.spec
    if not isinstance(target, ServiceTarget):
        return DirectRoute(session, str(target), proxy=spec.proxy, insecure=spec.insecure)
    return await route_to_service(
        context.cluster,
        session,
        namespace=target.namespace,
        name=target.name,
        port=target.port,
        scheme=target.protocol,
        via=target.via,
        insecure=spec.insecure,
    )


async def _request_with_retries(spec: ProbeHTTP, route: Route, context: Context) -> str:
    """Try until an answer has the expected status; returns the last problem, or an empty text."""
    problem = ""
    for attempt in range(spec.retries):
        if attempt:
            await context.clock.sleep(spec.delay_ms / 1000)
        answer, problem = await _request(spec, route)
        context.emit(
            ProbeSampled(
                target=public(join(route.target, spec.endpoint)),
                via=route.via,
                ok=not problem,
                attempt=attempt,
                status=answer.status if answer else None,
                latency_ms=answer.latency_ms if answer else None,
                error=problem,
            )
        )
        if not problem:
            break
    return problem


async def _request(spec: ProbeHTTP, route: Route) -> tuple[Answer | None, str]:
    try:
        answer = await route.send(
            spec.method,
            spec.endpoint,
            timeout_seconds=spec.timeout_ms / 1000,
            headers={header.name: header.value for header in spec.headers},
            body=spec.body,
        )
    except NoAnswer as error:
        return None, str(error)
    return answer, "" if answer.status == spec.code else f"expected {spec.code}, got {answer.status}"


async def plan(spec: ProbeHTTP, context: Context) -> StepPlan:  # noqa: ARG001 -- every step gets it
    """Requests, which change nothing that Seatrial knows of."""
    target = spec.target.spec
    if isinstance(target, ServiceTarget):
        base = f"{target.protocol}://{target.name}.{target.namespace}:{target.port}"
    else:
        base = str(target)
    requests = f"{spec.count} x " if spec.count > 1 else ""
    return StepPlan(
        summary=f"{requests}{spec.method.upper()} {public(join(base, spec.endpoint))}, expecting {spec.code}"
    )


STEP = StepType(key="probeHTTP", model=ProbeHTTP, run=run, plan=plan)
