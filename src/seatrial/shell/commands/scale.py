"""`scale`: change how many replicas something has."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from seatrial.shell.acting import act
from seatrial.shell.shell import Shell
from seatrial.shell.values import NAMESPACE, SCALABLE

if TYPE_CHECKING:
    from seatrial.kube.resources import Resource

_EPILOG = """\b
Examples:
  scale deployment/web 5
  scale sts/db -1 --namespace shop
  # half as many, rounded down
  scale deployment/web x0.5
  scale rollout/cart +2
"""

_OWN_TARGETS = {
    ("apps", "Deployment"): "deployment",
    ("apps", "StatefulSet"): "statefulSet",
    ("apps", "ReplicaSet"): "replicaSet",
}


@click.command("scale", epilog=_EPILOG, context_settings={"ignore_unknown_options": True})
@click.argument("workload", metavar="KIND/NAME", type=SCALABLE)
@click.argument("replicas", metavar="REPLICAS")
@click.option(
    "--namespace", "-n", metavar="NAME", type=NAMESPACE, default="", help="Where it is.  [default: that of the shell]"
)
@click.option(
    "--timeout", "timeout_seconds", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
    help="How long to wait until all replicas are Ready.",
)  # fmt: skip
@click.option("--no-wait", is_flag=True, help="Don't wait until they are.")
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@click.pass_obj
async def scale(
    shell: Shell, workload: str, replicas: str, namespace: str, timeout_seconds: float | None, no_wait: bool, yes: bool
) -> int:
    """Scale a Deployment, a StatefulSet, a ReplicaSet, or what else has replicas, until it is undone.

    REPLICAS is how many there shall be (5), how many more or fewer (+2, -1), or how many times as many (x0.5).
    """
    from seatrial.by_hand.orders import Order

    kind, _, name = workload.partition("/")
    if not name or "/" in name:
        raise click.UsageError(f"{workload!r} is not KIND/NAME, such as deployment/web")
    wanted, words = _wanted(replicas)
    namespace = namespace or shell.namespace
    resource = await shell.session.context.cluster.discover(kind)
    spec: dict[str, Any] = {"target": _target(resource, name, namespace), **wanted}
    if timeout_seconds is not None:
        spec["timeout"] = timeout_seconds
    if no_wait:
        spec["wait"] = False
    title = f"scale {resource.kind} {namespace}/{name} {words}"
    return await act(Order(title=title, step={"scale": spec}), shell, yes=yes)


def _wanted(replicas: str) -> tuple[Mapping[str, Any], str]:
    """What the policy's `scale` says of the number, and that in words."""
    if re.fullmatch(r"[0-9]{1,9}", replicas):
        return {"replicas": int(replicas)}, f"to {replicas}"
    if re.fullmatch(r"[+-][0-9]{1,9}", replicas):
        return {"by": int(replicas)}, f"by {replicas}"
    if re.fullmatch(r"x[0-9]{1,9}(\.[0-9]{1,9})?", replicas):
        return {"factor": float(replicas[1:])}, f"to {replicas[1:]} times as many"
    raise click.UsageError(f"{replicas!r} is no number of replicas: 5, +2, -1 or x0.5")


def _target(resource: "Resource", name: str, namespace: str) -> Mapping[str, Any]:
    named = {"name": name, "namespace": namespace}
    if key := _OWN_TARGETS.get((resource.group, resource.kind)):
        return {key: named}
    return {"object": {"kind": resource.kind, "apiVersion": resource.api_version, **named}}
