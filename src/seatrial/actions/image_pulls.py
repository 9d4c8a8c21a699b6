"""How long kubelets took to pull the images of pods, as far as their Events tell.

A kubelet says so in an Event of the pod, with its own clock: `Successfully pulled image "nginx" in 1.2s (3.4s including
waiting)`, from 1.29 on with the image's size behind it, before 1.27 without the time in brackets. An image that was
there already was not pulled, and is not measured. Events are best effort and kept for an hour unless a cluster says
otherwise; who may not read them has no such measurements.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Collection

from seatrial.errors import ClusterError
from seatrial.kube.objects import Event
from seatrial.kube.resources import EVENTS
from seatrial.runtime.context import Context
from seatrial.runtime.events import MeasurementMissed, MeasurementTaken, PodRef

_PATIENCE_SECONDS = 5.0
_PULLED_RE = re.compile(r'Successfully pulled image "(?P<image>[^"]+)" in (?P<took>[0-9][0-9a-zµμ.]*[a-z])')
_PART_RE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(h|ms|m|s|us|µs|μs|ns)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}


def pulled(message: str) -> tuple[str, float] | None:
    """The image that an Event's message says was pulled, and the seconds that took; None where it says no such thing.

    Where it also says how long it took with waiting for other pulls, that is left aside.
    """
    found = _PULLED_RE.match(message)
    if not found:
        return None
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART_RE.findall(found["took"]))
    return found["image"], seconds


async def measure_pulls(pods: Collection[PodRef], context: Context) -> None:
    """Publish `imagePull` for each image that was pulled for one of these pods; each is published once a scenario."""
    wanted = defaultdict(set)
    for pod in pods:
        wanted[pod.namespace].add(pod.uid)
    for namespace, uids in wanted.items():
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                listed = await context.cluster.list(
                    EVENTS,
                    namespace=namespace,
                    field_selector="reason=Pulled,involvedObject.kind=Pod",
                    type=Event,
                )
        except (ClusterError, TimeoutError) as error:
            reason = error.message if isinstance(error, ClusterError) else "the API server took too long"
            of = f"pods in {namespace}"
            if context.scope.sightings.is_new("imagePull", namespace):
                context.emit(MeasurementMissed(name="imagePull", of=of, reason=reason))
            continue
        for event in listed.items:
            told = pulled(event.message) if event.involved_object.uid in uids else None
            if told and context.scope.sightings.is_new("imagePull", event.metadata.uid):
                of = f"{told[0]} for pod {namespace}/{event.involved_object.name}"
                context.emit(MeasurementTaken(name="imagePull", of=of, seconds=told[1]))
