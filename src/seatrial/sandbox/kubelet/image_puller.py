"""Finding a container's image: nothing is pulled, but whoever watches sees what a kubelet would show.

An image that the sandbox has is there at once; one that it hasn't is "pulled" again and again with back-off
(ErrImagePull, ImagePullBackOff), until the pod names another. As with a kubelet, what came of one look at the container
shows in its status at the next one.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from seatrial.sandbox.api import Object
from seatrial.sandbox.images.registry import Image, find
from seatrial.sandbox.kubelet.backoff import LONGEST_SECONDS, RestartBackoff
from seatrial.sandbox.kubelet.events import EventType
from seatrial.sandbox.kubelet.image_names import InvalidImageNameError, canonical_name, pull_policy

# When a kubelet looks at a container again whose image it could not get, in first pauses: its runtime's news of the pod
# bring it back at once, afterwards it comes by after 10 to 15 s.
_SECOND_LOOK: Final = 0.03
_NEXT_LOOK: Final = 1.25


class Tell(Protocol):
    """Tells an event of the container."""

    def __call__(self, kind: EventType, reason: str, message: str) -> None:
        """Type, reason and message of the event."""
        ...


class _UnavailableError(Exception):
    """This attempt failed; `reason` is the container's state."""

    def __init__(self, reason: str, message: str, *, pulled: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.pulled = pulled


class ImagePuller:
    """Waits for an image.

    Args:
        images: the user's images.
        base_seconds: first pause between attempts.
        longest_seconds: the last.
        tell: tells events.
        wait: shows a reason and a message in the container's status.
    """

    def __init__(
        self,
        *,
        images: Mapping[str, tuple[str, ...]],
        base_seconds: float,
        longest_seconds: float = LONGEST_SECONDS,
        tell: Tell,
        wait: Callable[[str, str], None],
    ) -> None:
        self._images = images
        self._base_seconds = base_seconds
        self._longest_seconds = longest_seconds
        self._tell = tell
        self._wait = wait

    async def pull(self, spec: Callable[[], Object], changed: asyncio.Event) -> Image:
        """The image that the container's spec names, once there is one; `changed` is set when the spec is another."""
        while True:
            image = await self._pull_named(spec()["image"], spec, changed)
            if image is not None:
                return image

    async def _pull_named(self, name: str, spec: Callable[[], Object], changed: asyncio.Event) -> Image | None:
        """Look for an image again and again; None as soon as the spec names another."""
        clock, pause = asyncio.get_running_loop().time, self._base_seconds * _SECOND_LOOK
        backoff = RestartBackoff(base_seconds=self._base_seconds, longest_seconds=self._longest_seconds)
        failure: _UnavailableError | None = None
        retry_at = 0.0
        while (container := spec())["image"] == name:
            changed.clear()
            if failure is not None and failure.pulled and clock() < retry_at:
                outcome = self._back_off(name, failure)
            else:
                is_first = failure is None
                try:
                    return self._attempt(container)
                except _UnavailableError as error:
                    failure, outcome = error, (error.reason, error.message)
                backoff.started(now=clock())
                retry_at = clock() + backoff.seconds
                if is_first:
                    self._wait(*outcome)
            if not await _changes_within(changed, pause):
                self._wait(*outcome)
            pause = self._base_seconds * _NEXT_LOOK
        return None

    def _back_off(self, name: str, failure: _UnavailableError) -> tuple[str, str]:
        message = f'Back-off pulling image "{name}"'
        self._tell("Normal", "BackOff", message)
        self._tell("Warning", "Failed", "Error: ImagePullBackOff")
        return "ImagePullBackOff", f"{message}: {failure.reason}: {failure.message}"

    def _attempt(self, container: Object) -> Image:
        name = container["image"]
        try:
            canonical = canonical_name(name)
        except InvalidImageNameError as error:
            self._tell("Warning", "InspectFailed", str(error))
            self._tell("Warning", "Failed", "Error: InvalidImageName")
            raise _UnavailableError("InvalidImageName", str(error)) from error
        policy = pull_policy(name, container.get("imagePullPolicy"))
        image = find(name, self._images)
        if image is not None and policy != "Always":
            present = f'Container image "{name}" already present on machine and can be accessed by the pod'
            self._tell("Normal", "Pulled", present)
            return image
        if image is None and policy == "Never":
            message = f'Container image "{name}" is not present with pull policy of Never'
            self._tell("Warning", "ErrImageNeverPull", message)
            self._tell("Warning", "Failed", "Error: ErrImageNeverPull")
            raise _UnavailableError("ErrImageNeverPull", message)
        self._tell("Normal", "Pulling", f'Pulling image "{name}"')
        if image is not None:
            took = "1ms (1ms including waiting)"
            self._tell("Normal", "Pulled", f'Successfully pulled image "{name}" in {took}. Image size: 0 bytes.')
            return image
        message = (
            f'rpc error: code = NotFound desc = failed to pull and unpack image "{canonical}": '
            f"failed to resolve image: {canonical}: not found"
        )
        self._tell("Warning", "Failed", f'Failed to pull image "{name}": {message}')
        self._tell("Warning", "Failed", "Error: ErrImagePull")
        raise _UnavailableError("ErrImagePull", message, pulled=True)


async def _changes_within(changed: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await changed.wait()
    return changed.is_set()
