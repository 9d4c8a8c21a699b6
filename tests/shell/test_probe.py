"""`probe`: what a target means, and what is shown of the answers."""

import re

import pytest

from seatrial.by_hand.orders import Order, parsed_step
from seatrial.shell.commands import probe as module


@pytest.fixture
def ordered(shell, monkeypatch):
    """The order that a line becomes; it is not carried out."""

    async def of(line):
        orders: list[Order] = []

        async def note(order, _shell):
            parsed_step(order)
            orders.append(order)
            return 0

        monkeypatch.setattr(module, "act", note)
        assert await shell.do(f"probe {line}") == 0, shell.errors
        [order] = orders
        return order.step

    return of


ONCE = {"count": 1, "retries": 1}


@pytest.mark.parametrize(
    ("target", "service"),
    [
        ("web", {"name": "web", "namespace": "default"}),
        ("web:8080", {"name": "web", "namespace": "default", "port": 8080}),
        ("cart.shop", {"name": "cart", "namespace": "shop"}),
        ("cart.shop:81 --https", {"name": "cart", "namespace": "shop", "port": 81, "protocol": "https"}),
        ("web --via api-server", {"name": "web", "namespace": "default", "via": "apiserver"}),
        ("web --via port-forward", {"name": "web", "namespace": "default", "via": "portForward"}),
        ("web --via cluster-ip", {"name": "web", "namespace": "default", "via": "clusterIP"}),
    ],
)
async def test_a_service_is_named_as_in_the_clusters_dns(ordered, target, service):
    """NAME or NAME.NAMESPACE, with a port."""
    assert await ordered(target) == {"probeHTTP": {"target": {"service": service}, **ONCE}}


async def test_a_path_is_asked_for(ordered):
    """Everything after the first slash, queries too."""
    spec = (await ordered("web:80/health/z?deep=1"))["probeHTTP"]
    assert spec["endpoint"] == "/health/z?deep=1"


async def test_a_url_is_taken_as_it_is(ordered):
    """Any host, any port."""
    spec = (await ordered("https://example.com:8443/x --insecure"))["probeHTTP"]
    assert spec == {"target": {"url": "https://example.com:8443/x"}, "insecure": True, **ONCE}


async def test_a_request_can_be_any(ordered):
    """Method, headers, body, status, how often, how long."""
    spec = (
        await ordered(
            "web --yes --method POST --header 'Accept: text/plain' --header X-A:b --body '{}' --code 201"
            " --count 5 --timeout 2s --tries 3"
        )
    )["probeHTTP"]
    del spec["target"]
    assert spec == {
        "method": "post", "code": 201, "body": "{}", "count": 5, "timeout": 2000, "retries": 3,
        "headers": [{"name": "Accept", "value": "text/plain"}, {"name": "X-A", "value": "b"}],
    }  # fmt: skip


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
async def test_a_method_that_may_change_something_is_asked_for(shell, control, method):
    """What it changes nothing takes back; no is no, and where nobody can be asked it wants --yes."""
    assert await shell.do(f"probe https://example.com/x --method {method} --count 3", "n") == 3
    assert shell.questions == [f"send {method.upper()} 3 times to https://example.com/x? [y/N] "]
    shell.front.is_interactive = False
    assert await shell.do(f"probe https://example.com/x --method {method}") == 3
    assert "add --yes" in shell.errors
    assert shell.session.deeds == []


@pytest.mark.parametrize("line", ["--method get", "--method head", ""])
async def test_to_look_nobody_is_asked(shell, unused_tcp_port, line):
    """Requests that change nothing are sent at once."""
    assert await shell.do(f"probe http://127.0.0.1:{unused_tcp_port} {line}") == 1
    assert (len(shell.session.deeds), shell.questions) == (1, [])


async def test_a_port_can_be_only_connected_to(ordered):
    """A Service's with `--tcp`, any other as tcp://HOST:PORT."""
    service = {"name": "db", "namespace": "default", "port": 5432}
    assert await ordered("db:5432 --tcp") == {"probeTCP": {"target": {"service": service}, **ONCE}}
    address = {"host": "10.0.0.7", "port": 22}
    assert await ordered("tcp://10.0.0.7:22") == {"probeTCP": {"target": {"address": address}, **ONCE}}


async def test_a_name_can_be_looked_up(ordered):
    """With the type of the records and the server, where they matter."""
    assert await ordered("dns:web.shop.svc") == {"probeDNS": {"name": "web.shop.svc", **ONCE}}
    spec = {"name": "a.b", "type": "AAAA", "server": "10.0.0.10", **ONCE}
    assert await ordered("dns:a.b --type AAAA --server 10.0.0.10") == {"probeDNS": spec}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("Web_1", "is no URL and no SERVICE"),
        ("db --tcp", "is no SERVICE:PORT"),
        ("tcp://host", "is no tcp://HOST:PORT"),
        ("tcp://host:99999", "is no tcp://HOST:PORT"),
        ("web --header nonsense", "is no header"),
        ("dns:web --code 200", "--code means nothing to dns:web"),
        ("https://x --via api-server", "--via means nothing to https://x"),
        ("web --type AAAA", "--type means nothing to web"),
        ("db:1 --tcp --header A:b", "--header means nothing to db:1"),
        ("web --timeout soon", "is no time"),
        ("web --code 99", "99"),
        ("ftp://x", "ftp://x"),
    ],
)
async def test_what_means_nothing_is_wrong_usage(shell, line, problem):
    """An option that would be ignored is refused."""
    assert await shell.do(f"probe {line}") == 2
    assert problem in shell.errors


async def test_each_answer_is_shown_with_its_times(sandbox_shell):
    """Of each request the status, how long it took and what took the time, then all in short; nothing is asked."""
    shell = sandbox_shell
    assert await shell.do("probe goldpinger:8080/healthz --count 3") == 0
    times = r"answered 200 in [0-9.]+ ms \(by cluster IP\): connected [0-9.]+ ms, first byte after [0-9.]+ ms"
    assert len(re.findall(times, shell.words)) == 3
    assert re.search(r"3 probes, all as expected: [0-9.]+ ms in the middle, [0-9.]+ to [0-9.]+ ms", shell.words)
    assert shell.questions == []


async def test_another_status_fails(sandbox_shell):
    """Code 1, with what was expected."""
    assert await sandbox_shell.do("probe goldpinger:8080/nowhere") == 1
    assert "expected 200, got 404" in sandbox_shell.words
