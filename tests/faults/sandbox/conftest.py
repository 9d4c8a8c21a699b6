"""A sandbox to be hurt, which the tests of a module share."""

from collections.abc import Iterator

import pytest

from seatrial.sandbox.cluster_config import ClusterConfig
from seatrial.sandbox.owner import start_sandbox
from seatrial.sandbox.timing import SANDBOX
from tests.faults.sandbox.bodies import Body
from tests.sandbox.cluster.sandboxes import assert_nothing_left


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Body]:
    """Two nodes; a silent one is noticed within two seconds."""
    directory = tmp_path_factory.mktemp("state") / "sandboxes" / "box"
    timing = SANDBOX.scaled(0.1)
    owned = start_sandbox(ClusterConfig(name="box", directory=directory, nodes=2, timing=timing))
    yield Body(owned.sandbox)
    owned.close()
    record = owned.sandbox.record
    assert_nothing_left(record.sandbox_id, server=record.server, directory=directory)
