"""Waiting for images, with time fast-forwarded."""

import asyncio

import pytest

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.image_puller import ImagePuller

pytestmark = pytest.mark.looptime


class Container:
    """What a pod and its watchers see."""

    def __init__(self, image: str, policy: str = "IfNotPresent") -> None:
        self.spec: Object = {"image": image, "imagePullPolicy": policy}
        self.changed = asyncio.Event()
        self.events: list[str] = []
        self.states: list[tuple[float, str]] = []

    async def pull(self, *, seconds: float) -> bool:
        """Whether the image was there in time."""
        puller = ImagePuller(images={}, base_seconds=10, tell=self.tell, wait=self.show)
        try:
            await asyncio.wait_for(puller.pull(lambda: self.spec, self.changed), seconds)
        except TimeoutError:
            return False
        return True

    def tell(self, kind: str, reason: str, message: str) -> None:
        """Take an event."""
        assert kind
        assert message
        self.events.append(reason)

    def show(self, reason: str, _: str) -> None:
        """Take a state."""
        if not self.states or self.states[-1][1] != reason:
            self.states.append((asyncio.get_running_loop().time(), reason))


async def test_an_image_that_is_there_is_used() -> None:
    """Pulled at once; `Always` pretends to pull."""
    present, always = Container("busybox:1.36"), Container("busybox:1.36", "Always")
    assert await present.pull(seconds=1)
    assert await always.pull(seconds=1)
    assert (present.events, always.events) == (["Pulled"], ["Pulling", "Pulled"])


async def test_an_unknown_image_alternates_between_error_and_back_off() -> None:
    """10, 20, 40 seconds between the attempts; each look shows what came of the one before."""
    container = Container("nosuchimage:v1")
    assert not await container.pull(seconds=92)
    assert [(round(at, 1), reason) for at, reason in container.states] == [
        (0, "ErrImagePull"),
        (12.8, "ImagePullBackOff"),
        (25.3, "ErrImagePull"),
        (37.8, "ImagePullBackOff"),
        (50.3, "ErrImagePull"),
        (62.8, "ImagePullBackOff"),
    ]
    assert container.events[:10] == ["Pulling", "Failed", "Failed", "BackOff", "Failed"] * 2


async def test_another_image_ends_the_wait() -> None:
    """The pod is looked at again as soon as it changes."""
    container = Container("nosuchimage:v1")
    pulling = asyncio.create_task(container.pull(seconds=100))
    await asyncio.sleep(5)
    container.spec = {"image": "busybox:1.36", "imagePullPolicy": "IfNotPresent"}
    container.changed.set()
    assert await pulling
    assert asyncio.get_running_loop().time() == 5


@pytest.mark.parametrize(
    ("image", "policy", "reason"),
    [("nosuchimage:v2", "Never", "ErrImageNeverPull"), ("Bad_Image:$", "IfNotPresent", "InvalidImageName")],
)
async def test_what_cannot_be_pulled_says_why(image: str, policy: str, reason: str) -> None:
    """There is no back-off to show."""
    container = Container(image, policy)
    assert not await container.pull(seconds=5)
    assert container.states == [(0, reason)]
