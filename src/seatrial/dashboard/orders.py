"""What the keys of the dashboard order: the same that the shell's commands of these names do."""

from seatrial.by_hand.orders import Order
from seatrial.by_hand.pod_orders import kill_order, why_left_out
from seatrial.by_hand.subsets import find_subset
from seatrial.dashboard.board import Shown
from seatrial.errors import UsageError
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.runtime.context import Context


async def order_to_kill(shown: Shown, context: Context, *, force: bool) -> Order:
    """Kill exactly the pod that is shown.

    Raises:
        UsageError: there is nothing of it to kill, or another one has its name by now.
        ClusterError: the API server refused or did not answer.
    """
    pod = await context.cluster.get(PODS, shown.pod.name, namespace=shown.pod.namespace, type=Pod)
    if pod.metadata.uid != shown.pod.uid:
        raise UsageError(f"{shown.pod.namespace}/{shown.pod.name} has been replaced meanwhile", hint="choose it again")
    if reason := why_left_out(pod, context.identity, force=force):
        raise UsageError(f"{shown.pod.namespace}/{shown.pod.name} is not killed: {reason}")
    return await kill_order([pod], context.cluster, force=force)


async def order_for_node(verb: str, name: str, context: Context) -> Order:
    """Stop, start, cordon or drain one node.

    Raises:
        UsageError: it is not there any more.
        ClusterError: the API server refused or did not answer.
        MachineError: the cloud refused or did not answer.
    """
    subset = await find_subset([f"name:{name}"], context)
    return subset.order(verb, {verb: {}})
