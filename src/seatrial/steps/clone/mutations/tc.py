"""The mutation `tc`: a container with NET_ADMIN shapes the traffic of its whole pod, which shares one network.

By default it is an init container: the traffic is shaped before the pod's programs start. With `delay` it is a sidecar
that waits so long, runs the command once and stays, so that its pod stays Ready.
"""

from typing import Annotated, Any

from pydantic import Field

from seatrial.policy.base import Model
from seatrial.policy.scalars import FilledItems, Integer, Items

DEFAULT_IMAGE = "gaiadocker/iproute2:latest"
RESOURCES = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "128Mi"}}
"""What an added container gets: said, since a ResourceQuota may demand it of every container."""

# Waits in the background, where a shell hears SIGTERM, and so ends at once when its pod does.
_LATER = """\
trap 'exit 0' TERM INT
sleep "$1" & wait $!
shift
"$@" || exit $?
while :; do sleep 3600 & wait $!; done
"""


class TrafficControl(Model):
    """Run a command that shapes traffic (`tc qdisc add dev eth0 root netem delay 100ms`) in each of the copy's pods."""

    command: FilledItems[str]
    """The command, such as `[tc]`."""

    args: Items[str] = ()
    """The command's arguments, such as `[qdisc, add, dev, eth0, root, netem, delay, 100ms]`."""

    user: Annotated[Integer, Field(ge=0)] = 0
    """The numeric user that it runs as."""

    image: Annotated[str, Field(min_length=1)] = DEFAULT_IMAGE
    """The image that has the command."""

    delay: Integer = 0
    """How many seconds after its pod's start the command runs; 0 or less: before the pod's programs start.
    A delayed command needs `/bin/sh` and `sleep` in the image."""


def shaping_container(spec: TrafficControl, name: str) -> dict[str, Any]:
    """The container that runs the command; `is_init` tells where it belongs."""
    command = [*spec.command, *spec.args]
    return {
        "name": name,
        "image": spec.image,
        "command": list(spec.command) if is_init(spec) else ["/bin/sh", "-c", _LATER, "sh", str(spec.delay), *command],
        **({"args": list(spec.args)} if is_init(spec) and spec.args else {}),
        "resources": RESOURCES,
        "securityContext": net_admin(spec.user),
        # Why it failed, if it does, can be read in the pod's status then.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def is_init(spec: TrafficControl) -> bool:
    """Whether the command runs before the pod's programs."""
    return spec.delay <= 0


def net_admin(user: int) -> dict[str, Any]:
    """What a container needs that changes its pod's network; said in full, whatever the pod's own rules are.

    NET_RAW is there for older iptables, which opens a raw socket; not every container runtime grants it by default.
    """
    return {
        "runAsUser": user,
        "runAsNonRoot": user != 0,
        "allowPrivilegeEscalation": False,
        "capabilities": {"add": ["NET_ADMIN", "NET_RAW"]},
    }
