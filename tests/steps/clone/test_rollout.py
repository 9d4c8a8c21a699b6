"""Waiting for a copy that doesn't come; on an API server without controllers, with time that flies."""

import asyncio

import pytest
from msgspec.structs import replace

from seatrial.kube.resources import DEPLOYMENTS
from seatrial.runtime.journal import RunEntry
from seatrial.steps.clone.rollout import NotInPlaceError
from seatrial.steps.clone.step import STEP
from seatrial.testing import FakeClock
from tests.steps.clone.conftest import deployment


class StandingClock(FakeClock):
    """No time is ever over."""

    async def sleep(self, seconds):
        await asyncio.Event().wait()


@pytest.fixture
async def source(control, on_cluster):
    """A Deployment that can be copied, and a run that may do so."""
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    await control.cluster.create(DEPLOYMENTS, deployment(progressDeadlineSeconds=40), namespace="default")


async def said(clone, context):
    with pytest.raises(NotInPlaceError) as caught:
        await STEP.run(clone(), context)
    return caught.value.message


async def test_a_copy_that_nobody_rolls_out(control, on_cluster, clone, source):
    """Is given up a little after its deadline, where no controller says so; its undo is in the journal."""
    message = await said(clone, on_cluster.context)
    assert message == (
        "the copy default/web-chaos is not in place: it wasn't ready after 55 s: 0 of 1 pods are Ready with the fault"
    )
    [written] = on_cluster.context.journal.newer_than(0)
    assert written.undo.description == "delete Deployment default/web-chaos"


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (
            {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]},
            "it wasn't ready before its progress deadline",
        ),
        (None, "somebody deleted it"),
    ],
    ids=["given up by its controller", "deleted"],
)
async def test_what_becomes_of_the_deployment_is_seen(control, on_cluster, clone, source, status, message):
    """By a watch, before any time is over."""

    async def meddle():
        async with control.cluster.watch(DEPLOYMENTS, namespace="default") as watch:
            async for event in watch:
                if event.object["metadata"]["name"] == "web-chaos":
                    break
        if status:
            body = {"status": status}
            await control.cluster.patch(DEPLOYMENTS, "web-chaos", body, namespace="default", subresource="status")
        else:
            await control.cluster.delete(DEPLOYMENTS, "web-chaos", namespace="default")

    meddling = asyncio.create_task(meddle())
    async with asyncio.timeout(30):
        assert message in await said(clone, replace(on_cluster.context, clock=StandingClock()))
    await meddling


class HeldClock(FakeClock):
    """Time flies, but not before `begins`."""

    def __init__(self):
        super().__init__()
        self.begins = asyncio.Event()

    async def sleep(self, seconds):
        await self.begins.wait()
        await super().sleep(seconds)


@pytest.mark.parametrize(
    ("last_words", "hint"),
    [
        ("iptables v1.6.1: can't initialize iptables table `nat': Table does not exist", "nftables alone"),
        ("exec /bin/sh: exec format error", "another kind of processor"),
        ("tc: unknown command", ""),
    ],
)
async def test_images_that_are_too_old_for_a_node_are_told_with_what_helps(
    control, on_cluster, clone, source, last_words, hint
):
    """PowerfulSeal's default images are for amd64 and older kernels: what they say becomes a hint."""
    clock, api = HeldClock(), control.server.api

    async def crash():
        async with control.cluster.watch(DEPLOYMENTS, namespace="default") as watch:
            while (await anext(watch)).object["metadata"]["name"] != "web-chaos":
                pass
        labels = (await api.get("deployments.apps", "web-chaos", "default"))["spec"]["template"]["metadata"]["labels"]
        await control.create_pods("web-chaos-1", **labels)
        ended = {"exitCode": 3, "message": last_words}
        status = {
            "name": "chaos-iptables", "image": "i", "imageID": "i", "ready": False, "restartCount": 2,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": ended},
        }  # fmt: skip
        crashed = {"status": {"initContainerStatuses": [status]}}
        await api.patch("pods", "web-chaos-1", "default", crashed, subresource="status")
        clock.begins.set()

    crashing = asyncio.create_task(crash())
    with pytest.raises(NotInPlaceError) as caught:
        await STEP.run(clone(), replace(on_cluster.context, clock=clock))
    await crashing
    assert last_words in caught.value.message
    assert hint in caught.value.hint
    assert bool(hint) == bool(caught.value.hint)
