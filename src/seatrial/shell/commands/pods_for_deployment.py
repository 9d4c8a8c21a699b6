"""`pods_for_deployment`: the pods that a Deployment owns."""

import click

from seatrial.shell.look import guess, list_options, seen, where
from seatrial.shell.shell import Shell
from seatrial.shell.values import DEPLOYMENT, NAMESPACE

_EPILOG = """\b
Examples:
  pods_for_deployment shop cart
  pods_for_deployment cart

\b
Keys of each row with -o json:
  number, namespace, name, uid, ready, status, restarts, ageSeconds,
  created, ip, node, owner, zone
"""


@click.command("pods_for_deployment", epilog=_EPILOG)
@click.argument("namespace", metavar="[NAMESPACE]", type=NAMESPACE)
@click.argument("name", metavar="NAME", required=False, type=DEPLOYMENT)
@list_options
@click.pass_obj
async def pods_for_deployment(shell: Shell, namespace: str, name: str | None, sort: str | None, output: str) -> None:
    """List the pods that a Deployment owns through its ReplicaSets, also those of a rollout that goes on.

    A single word is the name of a Deployment in the session's namespace, or NAMESPACE/NAME.
    """
    from seatrial.errors import UsageError
    from seatrial.shell.listings.shown import is_one, show_pods

    if name is None:
        said, _, name = namespace.rpartition("/")
        place = await where(said or None, shell)
    else:
        place = await where(namespace, shell)
    if not is_one(place):
        raise UsageError("a Deployment is in one namespace", hint="pods_for_deployment NAMESPACE NAME")
    live = shell.live
    deployments = [each.name for each in await seen(live.deployments, place, shell)]
    if name not in deployments:
        raise UsageError(f"there is no Deployment {name!r} in namespace {place}", hint=guess(name, deployments))
    owner = ("Deployment", name)
    sets = {each.name for each in await seen(live.replica_sets, place, shell) if (each.owner_kind, each.owner) == owner}
    pods = await seen(live.pods, place, shell)
    found = [pod for pod in pods if pod.owner_kind == "ReplicaSet" and pod.owner in sets]
    empty = f"Deployment {place}/{name} has no pods"
    await show_pods(found, place, shell, sort=sort, output=output, empty=empty)
