"""Some cells of each row of the fault matrix; `make fault-matrix` runs all."""

import asyncio

import pytest

from seatrial.testing import sandbox_cluster
from tests.faults.matrix import child
from tests.faults.matrix.cases import CASES, faults_of
from tests.faults.matrix.cells import ground
from tests.faults.matrix.faults import Fault, Kind, Moment, Phase, faults
from tests.faults.matrix.objects import differences

_IN_EVERY_ROW = {Fault(Kind.SIGKILL, moment) for moment in Moment}
_OF_THE_OTHERS = 6


def chosen(case, number):
    """Death at each moment, and a few of the others: other ones in each row. A machine dies and comes back twice."""
    if case.machine:
        return [Fault(Kind.SIGKILL, Moment.DURING), Fault(Kind.SIGKILL, Moment.DURING, Phase.CLEAN_UP)]
    others = [each for each in faults_of(case) if each not in _IN_EVERY_ROW]
    stride = len(others) // _OF_THE_OTHERS
    return [*sorted(_IN_EVERY_ROW, key=str), *others[number % stride :: stride]]


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """A sandbox of three nodes that all cells share, each with a namespace of its own."""
    with asyncio.Runner() as runner:
        sandbox = sandbox_cluster(nodes=3)
        cluster = runner.run(sandbox.__aenter__())
        block = ground(cluster.kubeconfig, tmp_path_factory.mktemp("matrix"))
        made = runner.run(block.__aenter__())

        def run(case, wanted):
            async def all_of_them():
                return await asyncio.gather(*(made.run(case, fault) for fault in wanted))

            return runner.run(all_of_them())

        yield run
        runner.run(block.__aexit__(None, None, None))
        runner.run(sandbox.__aexit__(None, None, None))
        child.stop_server()


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("number", "case"), list(enumerate(CASES)), ids=[case.name for case in CASES])
def test_whatever_goes_wrong_all_is_as_it_was(cells, number, case):
    """After recovery nothing is left of the experiment, and nothing that somebody else did is lost."""
    wanted = chosen(case, number)
    problems = {str(each.fault): each.problems for each in cells(case, wanted) if each.problems}
    assert problems == {}


def test_every_kind_of_fault_is_in_some_row():
    """The sample leaves nothing out altogether."""
    kinds = {(fault.kind, fault.phase) for number, case in enumerate(CASES) for fault in chosen(case, number)}
    assert kinds == {(fault.kind, fault.phase) for fault in faults()}


def test_what_is_different_is_seen():
    """Something left, something gone, a field changed, one pod more: each is told; the same is nothing."""
    before = {"ConfigMap a": {"data": {"x": "1"}}, "Service b": {}, "Pod of ReplicaSet web-1": 1}
    after = {"ConfigMap a": {"data": {"x": "2"}}, "ConfigMap c": {}, "Pod of ReplicaSet web-1": 2}
    assert differences(before, before) == []
    assert [each.partition(":")[0] for each in differences(before, after)] == [
        "ConfigMap a", "ConfigMap c", "Pod of ReplicaSet web-1", "Service b",
    ]  # fmt: skip
