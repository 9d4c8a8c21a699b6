"""Services on machines, as systemd knows them: looked at, stopped, started, and started again by clean-up.

`systemctl` is asked; what it says of a unit (`is-active`, `show`) is the proof, too. Units that systemd stops along
with one are started again with it. See systemctl(1), systemd.unit(5).
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from seatrial.actions.dead_man_timer import DeadManTimer
from seatrial.actions.machine_shell import COMMAND_SECONDS, as_root, last_words, run_there, script
from seatrial.actions.machine_timers import disarm, once_reached
from seatrial.errors import MachineError
from seatrial.remote.executor import Executor
from seatrial.runtime.events import FaultCleared, ServiceStarted
from seatrial.runtime.undo import Undo, UndoKind
from seatrial.runtime.world import World
from seatrial.targets.nodes import NodeTarget

ServiceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9:_.@\\-]*$", max_length=255)]
"""The name of a systemd unit; a service's without `.service`, too."""

_MOST_CHANGE_SECONDS = 300
ChangeTimeout = Annotated[float, Field(gt=0, le=_MOST_CHANGE_SECONDS, allow_inf_nan=False)]
"""How long systemd may take to stop or start a service, in seconds: it gives up by itself after 90, unless it is
configured otherwise (systemd-system.conf(5))."""
CHANGE_SECONDS = 120.0

MOST_CUT_OFF_SECONDS = 600
"""How long at most a machine may stay out of reach, since clean-up waits for it."""

_LOOK = """
command -v systemctl >/dev/null 2>&1 || { echo "there is no systemctl" >&2; exit 64; }
systemctl show --property=LoadState --property=ActiveState "$1"
active_among() {
  for word in $(systemctl show "$@"); do
    each=${word#*=}
    case $each in
      *.target|*.slice) ;;
      ?*.*) ! systemctl is-active "$each" >/dev/null 2>&1 || printf '%s\n' "$each";;
    esac
  done
}
for each in $(active_among --property=TriggeredBy "$1"); do printf 'Trigger=%s\n' "$each"; done
found=" $1 " left="$1 "
while [ -n "$left" ]; do
  unit=${left%% *} left=${left#* }
  for each in $(active_among --property=RequiredBy --property=BoundBy --property=ConsistsOf --property=RequisiteOf \
      --property=PropagatesStopTo "$unit"); do
    case $found in *" $each "*) continue;; esac
    found="$found$each " left="$left$each "
    printf 'Along=%s\n' "$each"
  done
done
"""
# $1 is `start` or `stop`, $2 the unit; others that are to be started with it follow.
_CHANGE = """
verb=$1
shift
systemctl "$verb" "$@" || exit 66
for each in "$@"; do
  state=$(systemctl is-active "$each")
  case $verb:$state in
    start:active|start:reloading|stop:inactive|stop:failed|stop:unknown) ;;
    *) [ "$each" = "$1" ] && each=it; echo "$each is $state" >&2; exit 67;;
  esac
done
"""

_NETWORK = frozenset({"NetworkManager", "networking", "systemd-networkd", "wicked", "wickedd"})
# Without them a node is not Ready, by and by.
_OF_NODES = frozenset(
    {"containerd", "cri-docker", "cri-dockerd", "crio", "docker", "k0scontroller", "k0sworker", "k3s", "k3s-agent",
     "kubelet", "rke2-agent", "rke2-server", "snap.k8s.containerd", "snap.k8s.kubelet",
     "snap.microk8s.daemon-containerd", "snap.microk8s.daemon-kubelite"}
)  # fmt: skip
_SSH = frozenset({"ssh", "sshd"})


class ServiceState(NamedTuple):
    """What systemd says of a unit: `loaded` or `not-found`, `active` or not; `problem` where it can't be asked.

    `along` are other units that systemd would stop with it, `triggers` those that may start it again; all are active.
    """

    load: str = ""
    active: str = ""
    problem: str = ""
    along: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()

    @property
    def is_there(self) -> bool:
        """Whether there is such a unit."""
        return self.load != "not-found"

    @property
    def is_active(self) -> bool:
        """Whether it runs; `reloading` is a state of units that do."""
        return self.active in {"active", "reloading"}


def unit_of(service: str) -> str:
    """The unit's full name."""
    return service if "." in service else f"{service}.service"


async def look_at(service: str, node: str, world: World) -> ServiceState:
    """A service as it is.

    Raises:
        MachineError: the way there is gone.
        ClusterError: likewise.
    """
    result = await run_there(node, script(_LOOK, unit_of(service)), world)
    if result.exit_code:
        return ServiceState(problem=last_words(result))
    said: dict[str, list[str]] = {}
    for line in result.output.splitlines():
        key, _, value = line.partition("=")
        said.setdefault(key, []).append(value)
    return ServiceState(
        load=said.get("LoadState", [""])[-1],
        active=said.get("ActiveState", [""])[-1],
        along=tuple(said.get("Along", ())),
        triggers=tuple(said.get("Trigger", ())),
    )


async def change(
    verb: str, service: str, node: str, world: World, *, timeout_seconds: float, along: Sequence[str] = ()
) -> str:
    """Stop or start a service, and others along with it, and see that it is so; returns why it isn't.

    Raises:
        MachineError: the way there is gone, or went meanwhile.
        ClusterError: likewise.
    """
    words = script(_CHANGE, verb, unit_of(service), *along)
    result = await run_there(node, words, world, timeout_seconds=timeout_seconds)
    return last_words(result) if result.exit_code else ""


async def start(
    service: str, node: str, node_id: str, world: World, *, timeout_seconds: float, along: Sequence[str] = ()
) -> None:
    """Start a service, which may be active already, and what was stopped along with it, and say so.

    Raises:
        MachineError: it does not start, or the way there is gone.
        ClusterError: the latter.
    """
    begun = world.clock.monotonic()
    if problem := await change("start", service, node, world, timeout_seconds=timeout_seconds, along=along):
        raise MachineError(f"service {service} on node {node} does not start: {problem}")
    ms = (world.clock.monotonic() - begun) * 1000
    world.emit(ServiceStarted(id=node_id, name=node, service=service, duration_ms=ms))
    world.emit(FaultCleared(subject=stop_of(service, node), proof="systemctl says that it is active"))


def stop_of(service: str, node: str) -> str:
    """The fault, as evidence names it."""
    return f"stop of service {service} on node {node}"


async def carries_us(service: str, executor: Executor) -> bool:
    """Whether commands reach the machine through this service, or may do so."""
    await executor.require()  # a lazy one knows its name from then on
    name = unit_of(service).removesuffix(".service").removesuffix(".socket")
    match executor.name:
        case "sandbox":
            return False  # its machines are reached as by a console
        case "ssh":
            return name in _SSH | _NETWORK
    return name in _OF_NODES | _NETWORK


def makes_nodes_ready(service: str) -> bool:
    """Whether a node without it is not Ready, by and by."""
    return unit_of(service).removesuffix(".service") in _OF_NODES


def starting(service: str, along: Sequence[str]) -> list[str]:
    """The words that start it, and what was stopped along with it."""
    return ["systemctl", "start", unit_of(service), *along]


async def start_again(
    service: str,
    target: NodeTarget,
    timer: DeadManTimer | None,
    *,
    along: Sequence[str],
    cut_off: bool,
    timeout_seconds: float,
    executor: Executor,
) -> Undo:
    """What starts it again; `cut_off` tells that the machine is out of reach until its timer has done so."""
    node = target.name
    by_hand = as_root(starting(service, along))  # its timer may fire later: that starts what runs
    return Undo(
        kind=START_SERVICE.kind,
        args={
            "id": target.node.metadata.uid,
            "node": node,
            "service": service,
            "along": list(along),
            "cutOff": cut_off,
            "timeout": timeout_seconds,
            **({"timer": timer.as_json()} if timer else {}),
        },
        description=f"start service {service} on node {node}",
        manual=await executor.by_hand(node, by_hand),
    )


async def _start_again(args: Mapping[str, Any], world: World) -> str:
    service, node, timeout = args["service"], args["node"], args["timeout"]
    timer = DeadManTimer.from_json(args["timer"]) if "timer" in args else None
    patience = timer.seconds + timeout if timer and args["cutOff"] else 0

    async def again() -> None:
        await start(service, node, args["id"], world, timeout_seconds=timeout, along=args["along"])

    await once_reached(again, world, within_seconds=patience)
    if timer:
        subject = stop_of(service, node)
        await disarm(timer, node, world, subject=subject, patience_seconds=timeout)
    return ""


START_SERVICE = UndoKind(
    kind="startService",
    run=_start_again,
    deadline_seconds=MOST_CUT_OFF_SECONDS + 3 * _MOST_CHANGE_SECONDS + COMMAND_SECONDS,
)
