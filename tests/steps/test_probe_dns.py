import asyncio
import contextlib

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
import yaml
from pydantic import ValidationError

from seatrial.runtime.verdict import Verdict
from seatrial.steps.probe_dns import STEP, ProbeDNS, plan, run
from tests.e2e.conftest import EXAMPLES

ZONE = {
    ("web.example.", "A"): ["10.1.2.3", "10.1.2.4"],
    ("web.example.", "AAAA"): ["fd00::1"],
    ("alias.example.", "CNAME"): ["web.example."],
    ("_http._tcp.web.example.", "SRV"): ["0 100 80 pod-1.web.example."],
    ("note.example.", "TXT"): ['"v=1 all well"'],
}


class NameServer(asyncio.DatagramProtocol):
    """A DNS server of a zone. `silent` drops so many questions first; `refuses` answers every one with SERVFAIL."""

    def __init__(self):
        self.questions = []
        self.silent = 0
        self.refuses = False
        self.zone = dict(ZONE)

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        query = dns.message.from_wire(data)
        [question] = query.question
        self.questions.append((question.name.to_text(), dns.rdatatype.to_text(question.rdtype)))
        if self.silent:
            self.silent -= 1
            return
        self.transport.sendto(self.answer(query, question).to_wire(), address)

    def answer(self, query, question):
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        if self.refuses:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif (name, kind) in self.zone:
            response.answer.append(dns.rrset.from_text(name, 1, "IN", kind, *self.zone[name, kind]))
        elif name not in {known for known, _ in self.zone}:
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response


@pytest.fixture
async def server():
    """A DNS server on a port of its own."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    protocol.port = transport.get_extra_info("sockname")[1]
    with contextlib.closing(transport):
        yield protocol


def probe(server, name="web.example", **given):
    asked = {"name": name, "server": "127.0.0.1", "port": server.port}
    return ProbeDNS.model_validate({**asked, "retries": 1, "timeout": 20_000, **given})


@pytest.mark.parametrize(
    ("name", "kind", "answer"),
    [
        ("web.example", "A", "10.1.2.3, 10.1.2.4"),
        ("web.example", "AAAA", "fd00::1"),
        ("alias.example", "CNAME", "web.example."),
        ("_http._tcp.web.example", "SRV", "0 100 80 pod-1.web.example."),
        ("note.example", "TXT", '"v=1 all well"'),
    ],
)
async def test_a_name_with_records_passes(recorder, server, name, kind, answer):
    """Of each type; the records and the time are recorded."""
    assert (await run(probe(server, name, type=kind), recorder.context)).passed
    [sample] = await recorder.events()
    assert (sample.ok, sample.via, sample.target, sample.answer) == (True, "dns", name, answer)
    assert sample.latency_ms > 0


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("A", "web.example", ["10.1.2.4"]),
        ("A", "web.example", ["10.1.2.4", "10.1.2.3"]),
        ("AAAA", "web.example", ["FD00:0:0::1"]),
        ("CNAME", "alias.example", ["WEB.example"]),
        ("TXT", "note.example", ["v=1 all well"]),
    ],
)
async def test_expected_records_are_in_the_answer(recorder, server, kind, name, expected):
    """In any order, beside others, in any spelling that means the same."""
    assert (await run(probe(server, name, type=kind, expected=expected), recorder.context)).passed


async def test_a_record_that_is_missing_fails(recorder, server):
    """What was expected and what came are both said."""
    outcome = await run(probe(server, expected=["10.1.2.3", "10.9.9.9"]), recorder.context)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.reasons == ("DNS A web.example: expected 10.9.9.9, got 10.1.2.3, 10.1.2.4",)


async def test_a_name_that_does_not_exist_fails(recorder, server):
    """NXDOMAIN."""
    outcome = await run(probe(server, "nobody.example"), recorder.context)
    assert outcome.reasons == ("DNS A nobody.example: there is no such name",)


async def test_a_name_without_such_records_fails(recorder, server):
    """The name exists, with records of other types."""
    outcome = await run(probe(server, "note.example"), recorder.context)
    assert outcome.reasons == ("DNS A note.example: the name has no A records",)


async def test_a_server_that_fails_fails_the_probe(recorder, server):
    """SERVFAIL, as from a server whose own upstream is gone."""
    server.refuses = True
    outcome = await run(probe(server, timeout=300), recorder.context)
    assert outcome.verdict is Verdict.FAILED


async def test_a_server_that_is_silent_fails_the_probe(recorder, server):
    """The time limit holds."""
    server.silent = 1000
    outcome = await run(probe(server, timeout=150), recorder.context)
    assert outcome.reasons == ("DNS A web.example: no answer within 150 ms",)


async def test_a_later_try_may_succeed(recorder, server):
    """After the pause that was asked for."""
    server.zone.clear()

    async def appear(seconds):
        server.zone.update(ZONE)

    recorder.clock.sleep = appear
    assert (await run(probe(server, retries=2), recorder.context)).passed
    assert [sample.ok for sample in await recorder.events()] == [False, True]


async def test_nobody_there_fails(recorder, unused_udp_port, server):
    """A port on which no server listens."""
    outcome = await run(probe(server, port=unused_udp_port, timeout=300), recorder.context)
    assert outcome.verdict is Verdict.FAILED


async def test_a_name_that_can_t_be_one_fails(recorder, server):
    """Labels that are too long or empty are no traceback."""
    for name in ("a" * 64 + ".example", "a..example"):
        assert (await run(probe(server, name), recorder.context)).verdict is Verdict.FAILED
    assert server.questions == []


async def test_the_name_is_asked_as_it_is_of_a_named_server(recorder, server):
    """The search list of this machine has nothing to do with the cluster's names."""
    await run(probe(server, "web"), recorder.context)
    assert {name for name, _ in server.questions} == {"web."}


async def test_the_example_runs(recorder, server):
    """Against a server that knows the cluster's names."""
    server.zone["kubernetes.default.svc.cluster.local.", "A"] = ["10.96.0.1"]
    policy = yaml.safe_load((EXAMPLES / "dns.yml").read_text())
    [step] = policy["scenarios"][0]["steps"]
    spec = ProbeDNS.model_validate({**step["probeDNS"], "server": "127.0.0.1", "port": server.port})
    assert (await run(spec, recorder.context)).passed
    assert len(server.questions) == 10


async def test_a_plan_tells_the_questions(recorder):
    """A plan asks nothing."""
    spec = ProbeDNS.model_validate({"name": "a.b", "server": "10.96.0.10", "expected": ["10.1.1.1"], "count": 2})
    summary = (await plan(spec, recorder.context)).summary
    assert summary == "2 DNS questions for A a.b to 10.96.0.10, expecting 10.1.1.1"


@pytest.mark.parametrize(
    "given", [{"name": ""}, {"name": "a b"}, {"name": "a", "server": "dns.example"}, {"name": "a", "port": 53}]
)
def test_what_can_t_be_asked_is_refused(given):
    """No name, a server that is no address, a port without a server."""
    with pytest.raises(ValidationError):
        ProbeDNS.model_validate(given)


def test_it_changes_nothing():
    """It may run in the background."""
    assert STEP.changes_nothing
