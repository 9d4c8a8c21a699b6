import json

import pytest

from seatrial.probes.goldpinger import sample_of
from seatrial.probes.goldpinger_graph import read_graph


def peer(*, ok, ms=1):
    return {
        "HostIP": "10.0.0.1",
        "OK": ok,
        "PodIP": "10.1.0.1",
        "response-time-ms": ms,
        "status-code": 200 if ok else 504,
    }


def check_all(**instances):
    return json.dumps({"hosts": [], "responses": instances}).encode()


def instance(**peers):
    return {
        "HostIP": "10.0.0.1",
        "OK": True,
        "PodIP": "10.1.0.1",
        "response": {"podResults": peers},
        "status-code": 200,
    }


def test_a_whole_graph_has_no_failed_pairs():
    """Two instances that reach each other and themselves: four calls, none failed, the slowest delay known."""
    body = check_all(a=instance(a=peer(ok=True), b=peer(ok=True, ms=7)), b=instance(a=peer(ok=True), b=peer(ok=True)))
    sample = sample_of(read_graph(body))
    assert (sample.instances, sample.pairs, sample.failed, sample.slowest_ms) == (2, 4, (), 7)


def test_a_peer_that_fails_is_named_with_its_caller():
    """Who can't reach whom is told for each direction."""
    graph = read_graph(check_all(a=instance(a=peer(ok=True), b=peer(ok=False)), b=instance(a=peer(ok=True))))
    sample = sample_of(graph)
    assert sample.failed == ("a -> b",)


def test_an_instance_that_could_not_be_asked_counts_as_one_failure():
    """The asking instance didn't reach it; what it sees itself is unknown."""
    graph = read_graph(check_all(a=instance(a=peer(ok=True)), b={"OK": False, "error": "timeout"}))
    sample = sample_of(graph)
    assert graph.silent == {"b": "timeout"}
    assert sample.failed == ("goldpinger -> b",)
    assert sample.pairs == 2


def test_each_call_has_its_time():
    """In a row for each caller; a call that failed or that nobody made has none."""
    a = instance(a=peer(ok=True), b=peer(ok=True, ms=7))
    sample = sample_of(read_graph(check_all(a=a, b=instance(a=peer(ok=False), b=peer(ok=True)))))
    assert sample.names == ("a", "b")
    assert sample.calls_ms == ((1, 7), (None, 1))


def test_a_large_graph_is_told_without_each_call():
    """They are as many as the square of the instances, at every look."""
    names = [f"p{number}" for number in range(30)]
    graph = read_graph(check_all(**{name: instance(**{each: peer(ok=True) for each in names}) for name in names}))
    sample = sample_of(graph)
    assert (sample.pairs, sample.names, sample.calls_ms) == (900, (), ())


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"responses": 3}', b"\xff\xfe"])
def test_anything_else_is_an_error(body):
    """What is no answer to /check_all is said to be none."""
    with pytest.raises(ValueError):  # noqa: PT011 -- whatever the decoder says
        read_graph(body)


def test_each_call_is_told_with_its_delay_or_its_error():
    """The graph names caller and peer, how long an answer took, and why there was none."""
    broken = {**peer(ok=False), "error": "connection refused"}
    graph = read_graph(check_all(a=instance(a=peer(ok=True, ms=3), b=broken)))
    assert [(call.caller, call.peer, call.ms, call.error) for call in graph.calls] == [
        ("a", "a", 3, ""),
        ("a", "b", None, "connection refused"),
    ]
    assert [call.peer for call in graph.failed] == ["b"]
