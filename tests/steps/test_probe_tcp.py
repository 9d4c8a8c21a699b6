import asyncio
import contextlib

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from seatrial.kube.errors import NotFound
from seatrial.runtime.verdict import Verdict
from seatrial.steps.probe_tcp import STEP, ProbeTCP, plan, run


@contextlib.asynccontextmanager
async def listener(host="127.0.0.1", port=0):
    """Counts the connections made to it."""
    made = []

    async def serve(_reader, writer):
        made.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(serve, host, port)
    async with server:
        yield server.sockets[0].getsockname()[1], made


def to(port, host="127.0.0.1", **given):
    return ProbeTCP.model_validate({"target": {"address": {"host": host, "port": port}}, **given})


async def test_a_connection_that_stands_passes(recorder):
    """Its time is recorded."""
    async with listener() as (port, _):
        assert (await run(to(port), recorder.context)).passed
    [sample] = await recorder.events()
    assert (sample.ok, sample.via, sample.target, sample.attempt) == (True, "tcp", f"127.0.0.1:{port}", 0)
    assert sample.connect_ms == sample.latency_ms > 0


async def test_as_many_connections_as_asked_for_are_made(recorder):
    """One after the other; each has to succeed."""
    async with listener() as (port, made):
        assert (await run(to(port, count=4), recorder.context)).passed
    assert len(made) == 4


async def test_a_name_is_looked_up(recorder):
    """A host may be a name."""
    async with listener() as (port, _):
        assert (await run(to(port, host="localhost"), recorder.context)).passed


async def test_a_refused_connection_fails_after_all_tries(recorder, unused_tcp_port):
    """With its reason, and a pause between the tries."""
    outcome = await run(to(unused_tcp_port, retries=3, delay=200), recorder.context)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.reasons == (f"TCP 127.0.0.1:{unused_tcp_port}: connection refused after 3 tries",)
    assert recorder.clock.slept == [0.2, 0.2]


async def test_a_connection_that_does_not_come_fails(recorder):
    """A listener whose queue is full answers nobody: the time limit holds."""
    import socket

    with socket.socket() as deaf, contextlib.ExitStack() as fillers:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        for _ in range(3):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(address)
        outcome = await run(to(address[1], timeout=100, retries=1), recorder.context)
    assert outcome.reasons == (f"TCP 127.0.0.1:{address[1]}: no connection within 100 ms",)


async def test_a_name_that_does_not_exist_fails(recorder):
    """Whatever stands in it."""
    for host in ("nowhere.invalid", f"{'a' * 70}.invalid", ".."):
        assert (await run(to(80, host=host, retries=1), recorder.context)).verdict is Verdict.FAILED


def to_service(**given):
    service = {"name": "web", "namespace": "default", "port": 8080, **given}
    return ProbeTCP.model_validate({"target": {"service": service}, "retries": 1})


async def make_service(control, **spec):
    body = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 8080}], **spec}}
    made = await control.server.api.create("services", body, "default")
    return made["spec"]["clusterIP"]


async def test_a_service_is_reached_by_its_cluster_ip(control, on_cluster):
    """Where that connects."""
    address = await make_service(control)
    async with listener(address, 8080):
        assert (await run(to_service(), on_cluster.context)).passed
    [sample] = await on_cluster.events()
    assert (sample.via, sample.target) == ("clusterIP", "web.default:8080")


async def test_a_service_without_ready_pods_fails_from_outside(control, on_cluster):
    """Its cluster IP doesn't connect, and there is no pod to forward to."""
    await make_service(control)
    outcome = await run(to_service(), on_cluster.context)
    assert outcome.reasons == ("TCP web.default:8080: no pod behind Service default/web is Ready",)


async def test_a_service_is_asked_by_its_cluster_ip_alone_from_inside(control, on_cluster):
    """Inside the cluster a cluster IP that doesn't connect is the finding, and no way around it is looked for."""
    await make_service(control)
    inside = replace(on_cluster.context, identity=replace(on_cluster.context.identity, pod_name="seatrial-0"))
    outcome = await run(to_service(), inside)
    assert outcome.reasons == ("TCP web.default:8080: connection refused",)


async def test_a_service_that_is_not_there_is_no_finding(on_cluster):
    """The error is for the engine, which makes the step inconclusive."""
    with pytest.raises(NotFound):
        await run(to_service(), on_cluster.context)


async def test_a_plan_tells_the_connections(control, on_cluster):
    """And what this user may not do."""
    assert (await plan(to(80, count=2), on_cluster.context)).summary == "2 TCP connections to 127.0.0.1:80"
    async with await control.connect_as("jane") as cluster:
        planned = await plan(to_service(via="portForward"), replace(on_cluster.context, cluster=cluster))
    assert planned.summary == "a TCP connection to web.default:8080"
    assert "get services in default" in planned.missing_permissions
    assert "create pods/portforward in default" in planned.missing_permissions


@pytest.mark.parametrize(
    "target",
    [
        {},
        {"address": {"host": "", "port": 80}},
        {"address": {"host": "http://web", "port": 80}},
        {"address": {"host": "web", "port": 0}},
        {"address": {"host": "web", "port": 80}, "service": {"name": "a", "namespace": "b", "port": 1}},
        {"service": {"name": "a", "namespace": "b", "port": 1, "via": "apiserver"}},
    ],
)
def test_targets_that_are_none_are_refused(target):
    """Exactly one target, with a port; the API server's proxy carries HTTP only."""
    with pytest.raises(ValidationError):
        ProbeTCP.model_validate({"target": target})


def test_it_changes_nothing():
    """It may run in the background."""
    assert STEP.changes_nothing
