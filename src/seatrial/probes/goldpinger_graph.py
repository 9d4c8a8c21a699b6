"""Goldpinger's graph as one answer to `/check_all` has it: each instance, and how its call to each peer went.

Every instance calls every other one, and itself; `goldpinger` watches that over a scenario, the shell shows it once.
The fields are those of goldpinger's interface description (swagger.yml of v3).
"""

import aiohttp
import msgspec

from seatrial.errors import ClusterError
from seatrial.probes.http_route import NoAnswer, Route
from seatrial.probes.service_endpoints import ServiceAddress
from seatrial.probes.service_route import route_to_service
from seatrial.runtime.context import Context

_TIMEOUT_SECONDS = 5.0
# Who asks once would rather wait than not know: instances wait for each other, too (goldpinger: CHECK_ALL_TIMEOUT).
_PATIENT_SECONDS = 15.0


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """How the last call of one instance to another one went; `ms` is how long it took, in milliseconds."""

    caller: str
    peer: str
    ok: bool
    ms: float | None = None
    error: str = ""


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """Who reaches whom: pods by name. `silent` are the instances that could not be asked, and why."""

    instances: tuple[str, ...]
    calls: tuple[Call, ...]
    silent: dict[str, str]

    @property
    def failed(self) -> tuple[Call, ...]:
        """The calls that failed."""
        return tuple(call for call in self.calls if not call.ok)


class _Result(msgspec.Struct, frozen=True):
    ok: bool | None = msgspec.field(default=None, name="OK")
    response_time_ms: float | None = msgspec.field(default=None, name="response-time-ms")
    error: str = ""


class _Check(msgspec.Struct, frozen=True):
    pod_results: dict[str, _Result] = msgspec.field(default_factory=dict, name="podResults")


class _Instance(msgspec.Struct, frozen=True):
    ok: bool | None = msgspec.field(default=None, name="OK")
    response: _Check | None = None
    error: str = ""


class _CheckAll(msgspec.Struct, frozen=True):
    responses: dict[str, _Instance] = {}


_decoder = msgspec.json.Decoder(_CheckAll)


def read_graph(body: bytes) -> Graph:
    """The graph in an answer to `/check_all`.

    Raises:
        ValueError: it is no such answer.
    """
    calls: list[Call] = []
    silent: dict[str, str] = {}
    responses = _decoder.decode(body).responses
    for name, instance in responses.items():
        if not instance.ok or instance.response is None:
            silent[name] = instance.error or "it could not be asked"
            continue
        calls += [_call(name, peer, result) for peer, result in instance.response.pod_results.items()]
    return Graph(instances=tuple(responses), calls=tuple(calls), silent=silent)


def _call(caller: str, peer: str, result: _Result) -> Call:
    if not result.ok:
        return Call(caller=caller, peer=peer, ok=False, error=result.error or "no answer")
    return Call(caller=caller, peer=peer, ok=True, ms=result.response_time_ms or 0.0)


async def ask_route(route: Route, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> Graph:
    """The graph at this moment, by a way to the Service that is known.

    Raises:
        NoAnswer: there was none, or none that can be read.
        ClusterError: the API server did not let us.
    """
    answer = await route.send("get", "/check_all", timeout_seconds=timeout_seconds, headers={}, body=None)
    if answer.status != 200:
        raise NoAnswer(f"/check_all answered {answer.status}")
    try:
        return read_graph(answer.body)
    except ValueError as problem:
        raise NoAnswer(f"/check_all answered what can't be read: {problem}") from None


async def ask_graph(service: ServiceAddress, context: Context) -> tuple[Graph, str]:
    """The graph at this moment, and the way that was taken to it (`clusterIP`, `apiserver`, `portForward`).

    Raises:
        ClusterError: there is no such Service, or it does not answer as goldpinger does.
    """
    async with aiohttp.ClientSession(trust_env=False) as session:
        route = await route_to_service(context.cluster, session, service, is_inside=bool(context.identity.pod_name))
        try:
            return await ask_route(route, timeout_seconds=_PATIENT_SECONDS), route.via
        except NoAnswer as problem:
            raise ClusterError(
                f"goldpinger at {service.namespace}/{service.name} did not tell: {problem}",
                hint="are its pods Ready? pods shows them",
            ) from None
