"""Services that select only the copy while a scenario runs.

What the copy's pods have and no others is added to a Service's selector: it goes on where it stood when the addition
is taken away. That is done last, when the copy answers, and undone first, while it still does: no request is lost.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from seatrial.actions.field_changes import change_fields
from seatrial.errors import ClusterError
from seatrial.kube.objects import EndpointSlice, Service
from seatrial.kube.resources import ENDPOINTSLICES, PODS, SERVICES
from seatrial.runtime.context import Context
from seatrial.runtime.events import FaultProven, ProofMissing
from seatrial.steps.clone.copied_deployment import Copy
from seatrial.steps.clone.model import ServiceRef

_PROOF_SECONDS = 30.0


async def check_services(services: Iterable[ServiceRef], copy: Copy, context: Context) -> None:
    """See that the Services can be turned to the copy, before anything is made.

    Raises:
        ClusterError: one isn't there, or would select nothing.
    """
    for each in services:
        named = f"Service {each.namespace}/{each.name}"
        if each.namespace != copy.namespace:
            raise ClusterError(f"{named} can't select the copy, whose pods are in {copy.namespace}")
        service = await context.cluster.get(SERVICES, each.name, namespace=each.namespace, type=Service)
        if not service.spec.selector:
            raise ClusterError(f"{named} has no selector that could be turned to the copy")
        missing = [
            f"{key}={value}" for key, value in service.spec.selector.items() if copy.pod_labels.get(key) != value
        ]
        if missing:
            raise ClusterError(
                f"{named} would select nothing: the copy's pods don't have {', '.join(missing)}",
                hint="give the copy these labels, under labels",
            )


async def retarget(service: ServiceRef, copy: Copy, context: Context) -> None:
    """Turn a Service to the copy, and see that it leads nowhere else; its undo is in the journal before that."""

    def select_the_copy(body: dict[str, Any]) -> None:
        body["spec"]["selector"] = {**(body["spec"].get("selector") or {}), **copy.own_labels}

    named = f"Service {service.namespace}/{service.name}"
    await change_fields(
        SERVICES,
        service.name,
        select_the_copy,
        context,
        namespace=service.namespace,
        description=f"turn {named} back to what it selected",
    )
    try:
        async with asyncio.timeout(_PROOF_SECONDS):
            endpoints = await _wait_until_only(service, copy, context)
    except TimeoutError:
        context.emit(ProofMissing(subject=named, reason=f"it leads elsewhere still after {_PROOF_SECONDS:g} s"))
    except ClusterError as error:
        context.emit(ProofMissing(subject=named, reason=f"where it leads can't be seen: {error.message}"))
    else:
        context.emit(
            FaultProven(subject=named, proof=f"its endpoints are those of the copy, and no others ({endpoints})")
        )


async def _wait_until_only(service: ServiceRef, copy: Copy, context: Context) -> int:
    """Wait until a Service leads to pods of the copy only, and to one at least; tells to how many."""
    cluster = context.cluster
    selector = f"kubernetes.io/service-name={service.name}"
    watching = cluster.watch(ENDPOINTSLICES, namespace=service.namespace, label_selector=selector, type=EndpointSlice)
    async with watching as watch:
        slices = {each.metadata.uid: each for each in watch.snapshot}
        while True:
            endpoints = [endpoint for each in slices.values() for endpoint in each.endpoints or ()]
            found = {each.target_ref.uid if each.target_ref else "" for each in endpoints}
            if found and found <= await _pods_of(copy, context):
                return len(found)
            event = await anext(watch)
            slices.pop(event.object.metadata.uid, None)
            if event.type != "DELETED":
                slices[event.object.metadata.uid] = event.object


async def _pods_of(copy: Copy, context: Context) -> set[str]:
    listed = await context.cluster.list(
        PODS, namespace=copy.namespace, label_selector=copy.pod_selector, metadata_only=True
    )
    return {each.metadata.uid for each in listed.items}
