"""Signals that come before a container's program is ready for them."""

import os
import signal

import pytest

from seatrial.sandbox.kubelet.container_isolation import namespaces
from seatrial.sandbox.kubelet.early_signals import is_heeded
from tests.sandbox.kubelet.node_under_test import NodeUnderTest, container, make_pod


@pytest.mark.skipif(not namespaces.available(), reason="only the first process of a namespace is spared a signal")
async def test_a_program_that_is_not_ready_yet_gets_its_signal_when_it_is(node: NodeUnderTest) -> None:
    """It is told to end before it has a handler, and still ends as its handler says, not by SIGKILL."""
    slow = ["/bin/sh", "-c", "sleep 0.3; trap 'exit 7' TERM; sleep 1000 & wait"]
    await node.create(make_pod(container={"command": slow}))
    await node.history.wait("web", lambda pod: container(pod).get("ready"))
    await node.api.delete("pods", "web", "default")
    await node.history.wait_gone("web", seconds=25)
    assert container(node.history.of("web")[-1])["state"]["terminated"]["exitCode"] == 7


def test_what_a_process_does_with_a_signal() -> None:
    """Handled, ignored, or neither; a process that is gone has nothing to lose."""
    before = signal.signal(signal.SIGUSR2, lambda *_: None)
    try:
        assert is_heeded(os.getpid(), signal.SIGUSR2)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        assert is_heeded(os.getpid(), signal.SIGUSR2)
        signal.signal(signal.SIGUSR2, signal.SIG_DFL)
        assert not is_heeded(os.getpid(), signal.SIGUSR2)
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert is_heeded(2**22 + 1, signal.SIGUSR2)
