import pytest
from msgspec.structs import replace

from seatrial.actions.image_pulls import measure_pulls, pulled
from seatrial.runtime.events import MeasurementMissed, MeasurementTaken, PodRef


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ('Successfully pulled image "nginx" in 1.5s', 1.5),
        ('Successfully pulled image "nginx" in 796ms (1.594s including waiting)', 0.796),
        ('Successfully pulled image "nginx" in 8.082s (8.082s including waiting). Image size: 20582732 bytes.', 8.082),
        ('Successfully pulled image "nginx" in 1m2.5s (1h0m0s including waiting). Image size: 1 bytes.', 62.5),
        ('Successfully pulled image "nginx" in 312.4µs (1ms including waiting)', 0.0003124),
        ('Successfully pulled image "nginx" in 0s (0s including waiting)', 0.0),
    ],
)
def test_a_kubelets_words_are_read(message, seconds):
    """As they are from Kubernetes 1.22 to 1.36: the pull itself, without the waiting for others."""
    assert pulled(message) == ("nginx", pytest.approx(seconds))


@pytest.mark.parametrize(
    "message",
    [
        'Container image "nginx" already present on machine',
        'Successfully pulled image "nginx"',
        "",
        'Pulling image "a"',
    ],
)
def test_what_was_not_pulled_is_no_pull(message):
    """An image that was there, or words that say no time."""
    assert pulled(message) is None


async def tell(control, name, *, uid, message):
    event = {
        "metadata": {"name": name},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": "default", "name": "web", "uid": uid},
        "reason": "Pulled",
        "type": "Normal",
        "message": message,
    }
    await control.server.api.create("events", event, "default")


PULLED = 'Successfully pulled image "nginx" in 1.2s (3.4s including waiting). Image size: 1 bytes.'
WEB = PodRef(namespace="default", name="web", uid="u-1")


async def test_each_pull_of_the_pods_is_told_once(control, on_cluster):
    """Whichever part of a scenario asks; pulls for other pods are not theirs."""
    await tell(control, "a", uid="u-1", message=PULLED)
    await tell(control, "b", uid="u-2", message=PULLED)
    await tell(control, "c", uid="u-1", message='Container image "x" already present on machine')
    for _ in range(2):
        await measure_pulls([WEB], on_cluster.context)
    [taken] = await on_cluster.events()
    assert taken == MeasurementTaken(name="imagePull", of="nginx for pod default/web", seconds=1.2)


async def test_who_may_not_read_events_is_told_so_once(control, on_cluster):
    """It harms nothing."""
    async with await control.connect_as("joe") as cluster:
        for _ in range(2):
            await measure_pulls([WEB], replace(on_cluster.context, cluster=cluster))
    [missed] = await on_cluster.events()
    assert isinstance(missed, MeasurementMissed)
    assert (missed.name, missed.of) == ("imagePull", "pods in default")
    assert "events is forbidden" in missed.reason
