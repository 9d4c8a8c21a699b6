"""`/etc/hosts` of a pod."""

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.container_isolation.hosts_file import hosts_file


def service(name: str, namespace: str, address: str) -> Object:
    """A Service."""
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": address}}


def names(text: str) -> dict[str, str]:
    """Who is found where."""
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {name: address for address, *known in lines for name in known}


def test_a_pod_finds_itself_its_aliases_and_services() -> None:
    """Services of its namespace by their bare names, the others by theirs and the namespace's."""
    spec = {"hostname": "db-0", "subdomain": "db", "hostAliases": [{"ip": "10.0.0.9", "hostnames": ["old", "older"]}]}
    pod = {"metadata": {"name": "x", "namespace": "shop"}, "spec": spec}
    services = [
        service("web", "shop", "10.96.0.1"),
        service("api", "other", "10.96.0.2"),
        service("db", "shop", "None"),
        service("new", "shop", ""),
    ]
    found = names(hosts_file(pod, services, pod_ip="127.1.2.3"))
    assert found["db-0"] == found["db-0.db.shop.svc.cluster.local"] == "127.1.2.3"
    assert found["old"] == found["older"] == "10.0.0.9"
    for name in ("web", "web.shop", "web.shop.svc", "web.shop.svc.cluster.local"):
        assert found[name] == "10.96.0.1"
    assert found["api.other"] == "10.96.0.2"
    assert not {"api", "db", "new"} & found.keys()
