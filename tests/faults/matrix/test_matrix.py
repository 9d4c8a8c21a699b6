"""Some cells of each row of the fault matrix; `make fault-matrix` runs all."""

import asyncio
from contextlib import AsyncExitStack, nullcontext

import pytest

from seatrial.testing import sandbox_cluster
from tests.faults.matrix import child
from tests.faults.matrix.cases import CASES, COMMON_NODES, faults_of
from tests.faults.matrix.cells import ground
from tests.faults.matrix.faults import Fault, Kind, Moment, Phase, faults
from tests.faults.matrix.objects import differences
from tests.kubectls import newest

_PARTS = 4
_AT_ONCE = 6
_OF_THE_OTHERS = 2


def chosen(case, number):
    """Death at a moment, another one in the next row, and a few of the others; a machine dies and comes back once."""
    deaths = [Fault(Kind.SIGKILL, moment) for moment in Moment]
    others = [each for each in faults_of(case) if each not in deaths and not each.is_long]
    if case.machine:
        phase = Phase.CLEAN_UP if number % 2 and case.undone else Phase.ACTION
        return [Fault(Kind.SIGKILL, Moment.DURING, phase)]
    stride = len(others) // _OF_THE_OTHERS
    return [deaths[number % len(deaths)], *others[(number * 5) % stride :: stride]]


# Without a kubectl the rows that run it are left out.
ROWS = [(number, case) for number, case in enumerate(CASES) if newest() or "{kubectl}" not in str(case.steps)]
SAMPLE = [(case, fault) for number, case in ROWS for fault in chosen(case, number)]


@pytest.fixture(scope="module")
def run_cells(tmp_path_factory):
    """Runs cells on a sandbox that they share, each with a namespace of its own, and some at once."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()

        async def begin():
            cluster = await stack.enter_async_context(sandbox_cluster(nodes=COMMON_NODES + 1))
            return await stack.enter_async_context(ground(cluster.kubeconfig, tmp_path_factory.mktemp("matrix")))

        made = runner.run(begin())
        turn = asyncio.Semaphore(_AT_ONCE)

        async def run(case, fault):
            async with nullcontext() if case.machine else turn:
                return await made.run(case, fault)

        async def run_all(cells):
            return await asyncio.gather(*(run(*each) for each in cells))

        yield lambda cells: runner.run(run_all(cells))
        runner.run(stack.aclose())
        child.stop_server()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("part", range(_PARTS))
def test_whatever_goes_wrong_all_is_as_it_was(run_cells, part):
    """After recovery nothing is left of the experiment, and nothing that somebody else did is lost."""
    results = run_cells(SAMPLE[part::_PARTS])
    problems = [f"{each.case} / {each.fault}: {'; '.join(each.problems)}" for each in results if each.problems]
    assert problems == []


def test_every_kind_of_fault_is_in_some_row():
    """The sample leaves nothing out altogether, and no row."""
    assert {(fault.kind, fault.phase) for _, fault in SAMPLE} == {(fault.kind, fault.phase) for fault in faults()}
    assert {case.name for case, _ in SAMPLE} == {case.name for _, case in ROWS}


def test_what_is_different_is_seen():
    """Something left, something gone, a field changed, one pod more: each is told; the same is nothing."""
    before = {"ConfigMap a": {"data": {"x": "1"}}, "Service b": {}, "Pod of ReplicaSet web-1": 1}
    after = {"ConfigMap a": {"data": {"x": "2"}}, "ConfigMap c": {}, "Pod of ReplicaSet web-1": 2}
    assert differences(before, before) == []
    assert [each.partition(":")[0] for each in differences(before, after)] == [
        "ConfigMap a", "ConfigMap c", "Pod of ReplicaSet web-1", "Service b",
    ]  # fmt: skip
