"""Runs that outlive their API server: it goes away and comes back, and its certificates are replaced."""

from seatrial.runtime.events import RunHalted
from seatrial.runtime.verdict import Verdict
from seatrial.sandbox.apiserver.kubeconfig import write_kubeconfig


async def test_rounds_without_a_cluster_are_inconclusive_and_the_next_are_run(endless):
    """The run goes on through the outage; after it rounds pass again, and a halt is obeyed at once."""
    await endless.make_pods()
    await endless.round_ends(Verdict.PASSED)
    await endless.server.stop()
    await endless.round_ends(Verdict.INCONCLUSIVE)
    await endless.round_ends(Verdict.INCONCLUSIVE)
    await endless.comes_back()
    await endless.make_pods()
    await endless.round_ends(Verdict.PASSED)
    result = await endless.end()
    assert [type(event) for event in endless.events].count(RunHalted) == 1
    assert (result.verdict, result.undo_failures, result.interrupted) == (Verdict.INCONCLUSIVE, (), False)


async def test_credentials_that_are_rotated_while_it_runs_are_used(endless, control):
    """The kubeconfig is written anew: of somebody who may nothing, rounds say so; of an administrator, they pass."""

    def rotate(name: str, *groups: str) -> None:
        credential = control.authority.issue_client(name, groups)
        said = {"server": control.server.url, "authority": control.authority, "credential": credential}
        write_kubeconfig(endless.options.kubeconfig, **said)

    await endless.make_pods()
    await endless.round_ends(Verdict.PASSED)
    rotate("nobody")
    await endless.round_ends(Verdict.INCONCLUSIVE)
    rotate("admin-2", "system:masters")
    await endless.round_ends(Verdict.PASSED)
    result = await endless.end()
    assert "nobody" in result.reasons[0]
