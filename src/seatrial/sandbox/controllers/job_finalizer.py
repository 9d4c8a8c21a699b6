"""Taking the Job controller's finalizer from a pod, which then may vanish."""

from http import HTTPStatus

from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.controllers.job_pods import has_finalizer, without_finalizer
from seatrial.sandbox.controllers.objects import name_of, namespace_of, uid_of


async def release(api: Api, pod: Object) -> None:
    """Take the Job's finalizer from a pod; one that is gone needs no more.

    Raises:
        ApiError: the pod could not be changed.
    """
    if not has_finalizer(pod):
        return
    patch = {"metadata": {"uid": uid_of(pod), "finalizers": without_finalizer(pod) or None}}
    try:
        await api.patch("pods", name_of(pod), namespace_of(pod), patch)
    except ApiError as error:
        if error.code not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
            raise
