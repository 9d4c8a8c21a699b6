"""The sandbox's own API: what `seatrial sandbox machine`, `partition`, `component` and `api` ask, over HTTPS.

It hangs below `/sandbox/v1` of the API server, behind its authentication; RBAC lets cluster administrators in and
nobody else (a nonResourceURL). JSON in and out:

    GET    /sandbox/v1/machines                    {"machines": [...]}
    POST   /sandbox/v1/machines/NAME/ACTION        start, stop, reboot, pause, delete: the machine afterwards
    POST   /sandbox/v1/machines/NAME/exec          {"command": C, "timeoutSeconds": 60}: what it came to
    GET    /sandbox/v1/components                  {"components": [...]}
    POST   /sandbox/v1/components/NAME/ACTION      start, stop: the component afterwards
    GET    /sandbox/v1/partitions                  {"partitions": [...], "controlPlane": ZONE}
    POST   /sandbox/v1/partitions                  {"zone": Z, "others": [...]}: the partition
    DELETE /sandbox/v1/partitions?zone=Z           {"partitions": [...]}: those that are healed
    GET    /sandbox/v1/disturbance                 what requests suffer
    PUT    /sandbox/v1/disturbance                 the same, to be set
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web

from seatrial.errors import SeatrialError, UsageError
from seatrial.sandbox.apiserver import statuses
from seatrial.sandbox.control.components import Components, UnknownComponentError
from seatrial.sandbox.control.disturber import Disturber
from seatrial.sandbox.control.machine_commands import CommandRequest, run_command
from seatrial.sandbox.control.machines import Machines, UnknownMachineError
from seatrial.sandbox.control.partitions import Partitions, UnknownZoneError
from seatrial.sandbox.disturbance import Disturbance

PREFIX: Final = "/sandbox/v1/"

Answer = dict[str, Any]
T = TypeVar("T")


class _Cut(msgspec.Struct, forbid_unknown_fields=True):
    zone: str
    others: list[str] = []


class ControlApi:
    """Answers the requests below `PREFIX`."""

    def __init__(
        self, *, machines: Machines, components: Components, partitions: Partitions, disturber: Disturber
    ) -> None:
        self._machines = machines
        self._components = components
        self._partitions = partitions
        self._disturber = disturber

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Carry out one request that is authorized; raises `ApiError`."""
        parts = request.path.removeprefix(PREFIX).strip("/").split("/")
        route = self._routes().get((request.method, parts[0], len(parts)))
        if route is None:
            raise statuses.failure(404, "NotFound", f"the sandbox's control knows no {request.method} {request.path}")
        try:
            answer = await route(request, parts)
        except (UnknownMachineError, UnknownComponentError, UnknownZoneError) as error:
            raise statuses.failure(404, "NotFound", _text(error)) from error
        except (UsageError, msgspec.DecodeError) as error:
            raise statuses.bad_request(str(error)) from error
        except SeatrialError as error:
            raise statuses.failure(409, "Conflict", _text(error)) from error
        return web.Response(body=msgspec.json.encode(answer) + b"\n", content_type="application/json")

    def _routes(self) -> dict[tuple[str, str, int], Callable[[web.BaseRequest, list[str]], Awaitable[Answer]]]:
        return {
            ("GET", "machines", 1): self._list_machines,
            ("POST", "machines", 3): self._act_on_machine,
            ("GET", "components", 1): self._list_components,
            ("POST", "components", 3): self._act_on_component,
            ("GET", "partitions", 1): self._list_partitions,
            ("POST", "partitions", 1): self._cut,
            ("DELETE", "partitions", 1): self._heal,
            ("GET", "disturbance", 1): self._show_disturbance,
            ("PUT", "disturbance", 1): self._disturb,
        }

    async def _list_machines(self, _request: web.BaseRequest, _parts: list[str]) -> Answer:
        return {"machines": [asdict(machine) for machine in self._machines.list()]}

    async def _act_on_machine(self, request: web.BaseRequest, parts: list[str]) -> Answer:
        _, name, action = parts
        if action == "exec":
            wanted = msgspec.json.decode(await request.read(), type=CommandRequest)
            return await run_command(name, wanted, self._machines)
        acts = {
            "start": self._machines.start,
            "stop": self._machines.stop,
            "reboot": self._machines.reboot,
            "pause": self._machines.pause,
            "delete": self._machines.delete,
        }
        return asdict(await _chosen(acts, action)(name))

    async def _list_components(self, _request: web.BaseRequest, _parts: list[str]) -> Answer:
        return {"components": [each._asdict() for each in await self._components.list()]}

    async def _act_on_component(self, _request: web.BaseRequest, parts: list[str]) -> Answer:
        _, name, action = parts
        acts = {"start": self._components.start, "stop": self._components.stop}
        return (await _chosen(acts, action)(name))._asdict()

    async def _list_partitions(self, _request: web.BaseRequest, _parts: list[str]) -> Answer:
        partitions = [asdict(each) for each in self._partitions.active]
        return {"partitions": partitions, "controlPlane": self._partitions.control_plane}

    async def _cut(self, request: web.BaseRequest, _parts: list[str]) -> Answer:
        wanted = msgspec.json.decode(await request.read(), type=_Cut)
        return asdict(self._partitions.cut(wanted.zone, wanted.others))

    async def _heal(self, request: web.BaseRequest, _parts: list[str]) -> Answer:
        return {"partitions": [asdict(each) for each in self._partitions.heal(request.query.get("zone", ""))]}

    async def _show_disturbance(self, _request: web.BaseRequest, _parts: list[str]) -> Answer:
        return asdict(self._disturber.disturbance)

    async def _disturb(self, request: web.BaseRequest, _parts: list[str]) -> Answer:
        self._disturber.disturbance = msgspec.json.decode(await request.read(), type=Disturbance)
        return asdict(self._disturber.disturbance)


def _chosen(acts: dict[str, T], action: str) -> T:
    if action not in acts:
        raise UsageError(f"there is no action {action!r}; actions: {', '.join(acts)}")
    return acts[action]


def _text(error: SeatrialError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message
