"""`halt` and `resume`: every experiment of the cluster, from within the shell."""

from seatrial.engine.halt_mark import HaltMark, read_mark, set_mark
from seatrial.kube.resources import DEPLOYMENTS
from tests.shell.conftest import driven_shell


async def mark(control, namespace="default"):
    return await read_mark(control.cluster, namespace=namespace)


async def test_a_halt_is_asked_for(shell, control):
    """It is everybody's cluster: y/N, no by default."""
    assert await shell.do("halt", "") == 3
    assert shell.questions == ["halt every experiment on this cluster? [y/N] "]
    assert await mark(control) is None


async def test_a_halt_has_a_reason_and_who_did_it(shell, control):
    """All words are the reason."""
    assert await shell.do("halt incident 4711: checkout is down", "y") == 0
    found = await mark(control)
    assert found.reason == "incident 4711: checkout is down"
    assert "@" in found.by


async def test_in_production_a_halt_needs_no_name(control, tmp_path):
    """What makes things safe is not made hard; to let experiments go on is as much as to begin one."""
    async with driven_shell(control.directory / "kubeconfig", tmp_path / "state", context_name="prod") as shell:
        assert await shell.do("halt", "y") == 0
        assert await shell.do("resume", "y") == 3
        assert await shell.do("resume", "prod") == 0


async def test_a_halt_that_is_there_stays(shell, control):
    """Its words are shown; who halts again changes nothing."""
    was = HaltMark(by="ann", since="2030-01-01T00:00:00+00:00", reason="flood")
    await set_mark(control.cluster, was, namespace="default")
    assert await shell.do("halt again", "y") == 0
    assert await mark(control) == was
    assert "halted by ann since 2030-01-01T00:00:00+00:00: flood; that mark stays" in shell.words


async def test_after_a_halt_nothing_is_done_until_it_is_lifted(shell, control):
    """The very next command is refused, and the first after `resume` is carried out."""
    await control.create_pods("a")
    assert await shell.do("halt --yes; kill a --yes") == 3
    assert await control.pod_names() == ["a"]
    assert await shell.do("resume --yes; kill a --yes") == 0
    assert await control.pod_names() == []


async def test_resume_shows_who_halted_and_asks(shell, control):
    """Somebody had a reason: it is shown before it is lifted."""
    was = HaltMark(by="ann", since="2030-01-01T00:00:00+00:00", reason="flood")
    await set_mark(control.cluster, was, namespace="default")
    assert await shell.do("resume", "n") == 3
    assert "halted by ann since 2030-01-01T00:00:00+00:00: flood" in shell.words
    assert await mark(control) == was
    assert await shell.do("resume", "y") == 0
    assert await mark(control) is None


async def test_resume_without_a_halt_says_so(shell):
    """Nothing to lift, nobody is asked."""
    assert await shell.do("resume") == 0
    assert "experiments are not halted" in shell.words
    assert shell.questions == []


async def test_the_mark_is_where_the_shell_was_told(control, tmp_path):
    """`--halt-namespace`, as for every command of Seatrial."""
    await control.server.api.create("namespaces", {"metadata": {"name": "chaos"}})
    kubeconfig = control.directory / "kubeconfig"
    async with driven_shell(kubeconfig, tmp_path / "state", halt_namespace="chaos") as shell:
        assert await shell.do("halt --yes") == 0
    assert await mark(control, "chaos") is not None


async def test_a_halt_takes_back_what_the_session_did(sandbox_shell):
    """When the command has ended, what stood is undone."""
    shell = sandbox_shell
    assert await shell.do("scale deployment/goldpinger 4 --yes") == 0
    assert await shell.do("halt --yes") == 0
    cluster = shell.session.context.cluster
    found = await cluster.get(DEPLOYMENTS, "goldpinger", namespace="default")
    assert found["spec"]["replicas"] == 3
    assert "undone scale Deployment default/goldpinger back to 3" in shell.words
    assert await shell.do("resume --yes") == 0
