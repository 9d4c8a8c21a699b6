"""The pods through which commands get to nodes (`remote.node_shell`), as a run answers for them.

Each is in the journal before it is made. Its undo comes after all others, whenever it was written: many of them run
commands, too. An undo that needs a pod that was never made, or is gone, makes it anew and writes it down again.
"""

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from seatrial.actions.created_objects import RUN_LABEL, wait_until_gone
from seatrial.kube.errors import Conflict, NotFound
from seatrial.kube.objects import PartialObject
from seatrial.kube.resources import PODS
from seatrial.remote.books import Books, KeepsBooks, Object, StrikeOut
from seatrial.remote.executor import Executor
from seatrial.remote.node_shell_pod import EXECUTOR_NAME
from seatrial.runtime.context import Context
from seatrial.runtime.undo import Undo, UndoKind
from seatrial.runtime.world import World

# A node that answers needs a second or two.
_GRACEFUL_SECONDS = 20.0


def keep_books(context: Context) -> None:
    """Let the executor write down in this run's journal what it makes in the cluster."""
    executor: Executor = context.executor
    if isinstance(executor, KeepsBooks):
        labels = {RUN_LABEL: context.run_id}
        protected = context.settings.guardrails.protected
        executor.keep_books(Books(context.run_id, labels, partial(_write_down, context), protected))


def planned_pods(nodes: Iterable[str], executor: Executor) -> tuple[str, ...]:
    """What commands on these nodes make in the cluster beside what they do; the executor has been asked before."""
    if executor.name != EXECUTOR_NAME:
        return ()
    return tuple(f"make a privileged pod on node {node} for commands, and delete it at clean-up" for node in nodes)


async def _write_down(context: Context, body: Object) -> StrikeOut:
    written = await context.write_undo(_deletion_of(body))
    return partial(context.journal.settle, written)


def _deletion_of(body: Object) -> Undo:
    metadata, node = body["metadata"], body["spec"]["nodeName"]
    name, namespace = metadata["name"], metadata["namespace"]
    return Undo(
        kind=DELETE_SHELL_POD.kind,
        args={"name": name, "namespace": namespace, "run": metadata["labels"][RUN_LABEL], "node": node},
        description=f"delete the pod for commands on node {node}",
        manual=f"kubectl delete pod {name} -n {namespace}",
    )


async def _delete(args: Mapping[str, Any], world: World) -> str:
    name, namespace, cluster = args["name"], args["namespace"], world.cluster
    try:
        found = await cluster.get(PODS, name, namespace=namespace, type=PartialObject)
        if (found.metadata.labels or {}).get(RUN_LABEL) != args["run"]:
            return "somebody else's by now"
        uid = found.metadata.uid
        await cluster.delete(PODS, name, namespace=namespace, uid=uid)
        try:
            async with asyncio.timeout(_GRACEFUL_SECONDS):
                await wait_until_gone(PODS, name, namespace, uid, cluster)
        except TimeoutError:
            # What it holds is a `sleep` with an end of its own, and a kubelet ends what is no longer in the API.
            await cluster.delete(PODS, name, namespace=namespace, uid=uid, grace_period_seconds=0)
            await wait_until_gone(PODS, name, namespace, uid, cluster)
            return f"node {args['node']} does not answer; its kubelet ends the pod when it is back"
    except (NotFound, Conflict):
        return ""
    return ""


DELETE_SHELL_POD = UndoKind(kind="deleteShellPod", run=_delete, serves_others=True)
