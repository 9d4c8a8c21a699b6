"""Which proxies the sidecar of a copy gets, on which ports, and where toxics go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.steps.clone.mutations.toxiproxy import Toxiproxy
from seatrial.steps.clone.toxiproxy.layout import MARKER, ToxicError, lay_out
from tests.steps.clone.conftest import container, latency

PORTS = st.integers(1, 65535)


def pod(*containers, **spec):
    return {"containers": list(containers), **spec}


def layout(spec=None, *, toxics=(), proxies=(), families=(4,)):
    mutation = Toxiproxy.model_validate({"toxics": list(toxics), "proxies": list(proxies)})
    return lay_out(mutation, pod(container()) if spec is None else spec, families=families)


def test_every_tcp_port_gets_a_proxy():
    """Of all containers, and of init containers that stay; each port once, other protocols never."""
    udp = {"containerPort": 53, "protocol": "UDP"}
    spec = pod(
        container(ports=[("http", 8080), ("admin", 9090)]),
        {"name": "dns", "ports": [udp, {"containerPort": 5353}]},
        container("twin", ports=[("same", 8080)]),
        initContainers=[
            {"name": "mesh", "restartPolicy": "Always", "ports": [{"containerPort": 15001}]},
            {"name": "migrate", "ports": [{"containerPort": 7}]},
        ],
    )
    found = layout(spec)
    assert found.redirected == {8080: 10000, 9090: 10001, 5353: 10002, 15001: 10003}
    assert [proxy.name for proxy in found.proxies] == ["auto8080", "auto9090", "auto5353", "auto15001"]
    assert found.proxies[0].listen == "0.0.0.0:10000"


def test_ports_in_use_are_left_out():
    """Those of the containers, of any protocol, and of the policy's own proxies; the interface gives way, too."""
    spec = pod(
        container(ports=[("a", 10000), ("b", 10002), ("api", 8474)]),
        {"name": "udp", "ports": [{"containerPort": 10003, "protocol": "UDP"}]},
    )
    found = layout(spec, proxies=[{"name": "own", "listen": "localhost:10001", "upstream": "db:1"}])
    assert found.redirected == {10000: 10004, 10002: 10005, 8474: 10006}
    assert (found.marker_port, found.api_port) == (10007, 8475)


@given(st.lists(PORTS, max_size=30), st.lists(PORTS, max_size=10, unique=True))
def test_no_two_listen_on_the_same_port(ports, own):
    """Whatever a Deployment's containers and the policy's proxies listen on."""
    spec = pod(container(ports=[(f"p{number}", port) for number, port in enumerate(ports)]))
    proxies = [{"name": f"own{port}", "listen": f"0.0.0.0:{port}", "upstream": "db:1"} for port in own]
    found = layout(spec, proxies=proxies)
    ours = [*found.redirected.values(), found.marker_port, found.api_port]
    assert len({*ours}) == len(ours)
    assert not {*ours} & {*ports, *own}
    assert set(found.redirected) == set(ports)


@pytest.mark.parametrize("target", ["8080", "auto8080", "http"])
def test_a_toxic_names_a_port_in_three_ways(target):
    """By its number, by its name, and by its proxy's."""
    [toxic] = layout(toxics=[latency(target)]).toxics
    assert (toxic.proxy, toxic.name, toxic.attributes) == ("auto8080", "latency_downstream", (("latency", 250),))
    assert str(toxic) == "latency latency=250 (downstream) on auto8080"


def test_a_toxic_may_name_a_port_that_nobody_declares():
    """Declaring ports is optional in Kubernetes: the port gets a proxy all the same."""
    found = layout(pod(container(ports=())), toxics=[latency("6379")])
    assert found.redirected == {6379: 10000}
    assert found.toxics[0].proxy == "auto6379"


def test_a_deployment_without_ports_has_no_proxy():
    """And nothing to redirect; the marker is there all the same."""
    found = layout(pod(container(ports=())))
    assert (found.proxies, dict(found.redirected), found.listening) == ((), {}, (10000,))


def test_a_toxic_of_an_own_proxy():
    """A proxy of the policy is found by its name."""
    proxies = [{"name": "db", "listen": "localhost:5432", "upstream": "postgres:5432"}]
    found = layout(toxics=[latency("db", toxicity=0.25)], proxies=proxies)
    assert found.toxics[0].proxy == "db"
    assert str(found.toxics[0]).endswith("for 25% of the connections")


def test_two_toxics_of_a_kind_have_two_names():
    """Toxiproxy would take the second for the first."""
    toxics = layout(toxics=[latency(), latency(), latency(stream="upstream")]).toxics
    assert [each.name for each in toxics] == ["latency_downstream", "latency_downstream_2", "latency_upstream"]


@pytest.mark.parametrize(
    ("toxic", "message"),
    [
        (latency("nobody"), "'nobody' is no proxy and no port of the Deployment (there are: auto8080, http)"),
        (latency("70000"), "'70000' is no port"),
        (
            {**latency(), "toxicAttributes": [{"name": "latecy", "value": 1}]},
            "the toxic latency has no attribute 'latecy' (it has: jitter, latency)",
        ),
    ],
)
def test_a_toxic_that_would_do_nothing_is_refused(toxic, message):
    """With what there is instead."""
    with pytest.raises(ToxicError) as caught:
        layout(toxics=[toxic])
    assert message in caught.value.message


def test_a_type_that_is_not_known_is_left_to_toxiproxy():
    """Newer versions have more."""
    toxic = {"targetProxy": "8080", "toxicType": "gremlin", "toxicAttributes": [{"name": "mood", "value": 1}]}
    assert layout(toxics=[toxic]).toxics[0].type == "gremlin"


@pytest.mark.parametrize("name", ["auto8080", MARKER])
def test_an_own_proxy_may_not_be_named_as_an_automatic_one(name):
    """It would take its place."""
    with pytest.raises(ToxicError, match="can't be named"):
        layout(proxies=[{"name": name, "listen": "x:1", "upstream": "y:2"}])


@pytest.mark.parametrize(
    ("families", "ip", "listen", "upstream"),
    [
        ((4,), "10.1.2.3", "0.0.0.0:10000", "10.1.2.3:8080"),
        ((4, 6), "10.1.2.3", "[::]:10000", "10.1.2.3:8080"),
        ((6,), "fd00::3", "[::]:10000", "[fd00::3]:8080"),
    ],
)
def test_an_automatic_proxy_passes_on_to_its_pod_s_own_address(families, ip, listen, upstream):
    """Of the kind that the cluster has; where a client would have got to, so no program takes it for a local one."""
    [proxy] = layout(families=families).proxies
    assert (proxy.listen, proxy.upstream_in(ip)) == (listen, upstream)
