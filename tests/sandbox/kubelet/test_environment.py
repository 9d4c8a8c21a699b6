"""The environment of a container."""

import base64

import pytest

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.environment import (
    ConfigurationMissingError,
    PodPlace,
    build_environ,
    pod_field,
    service_variables,
)

PLACE = PodPlace(pod_ip="127.20.1.7", host_ip="127.20.0.11", allocatable={"cpu": "2", "memory": "8Gi"})
POD: Object = {
    "metadata": {"name": "web", "namespace": "shop", "uid": "u-1", "labels": {"app": "web"}, "annotations": {}},
    "spec": {"nodeName": "node1", "serviceAccountName": "default"},
}


class FakeConfiguration:
    """One ConfigMap `settings` and one Secret `keys`."""

    async def config_map(self, namespace: str, name: str) -> Object:
        """Read a ConfigMap."""
        if name != "settings":
            raise ConfigurationMissingError(f'configmap "{name}" not found')
        return {"data": {"colour": namespace, "1-bad name": "x"}}

    async def secret(self, namespace: str, name: str) -> Object:
        """Read a Secret."""
        return {"data": {"token": base64.b64encode(f"{namespace}/{name}".encode()).decode()}}


def service(name: str, namespace: str, cluster_ip: str, port: int, port_name: str = "") -> Object:
    """A Service with one port."""
    entry = {"port": port, "protocol": "TCP", **({"name": port_name} if port_name else {})}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": cluster_ip, "ports": [entry]}}


async def environ_of(container: Object, **changes: object) -> dict[str, str]:
    """The environment of a container of `POD`."""
    arguments: dict[str, object] = {
        "image_env": {"LANG": "C"},
        "services": [],
        "own": {"SEATRIAL_POD_IP": "127.20.1.7"},
    }
    return await build_environ(
        container,
        POD,
        place=PLACE,
        configuration=FakeConfiguration(),
        **{**arguments, **changes},  # type: ignore[arg-type]  # filled from a dictionary
    )


async def test_variables_may_refer_to_earlier_ones() -> None:
    """`$(NAME)` in a value is what stands above it, never below."""
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$(C)"}, {"name": "C", "value": "2"}]
    environ = await environ_of({"env": env})
    assert (environ["A"], environ["B"], environ["C"]) == ("1", "1$(C)", "2")


async def test_the_pod_wins_over_the_image_and_the_sandbox_over_both() -> None:
    """And the host's own environment is not there."""
    env = [{"name": "LANG", "value": "en"}, {"name": "SEATRIAL_POD_IP", "value": "0.0.0.0"}]
    environ = await environ_of({"env": env})
    assert environ["LANG"] == "en"
    assert environ["SEATRIAL_POD_IP"] == "127.20.1.7"
    assert environ["HOSTNAME"] == "web"
    assert set(environ) == {"PATH", "HOSTNAME", "LANG", "SEATRIAL_POD_IP"}


async def test_values_come_from_config_maps_secrets_and_resources() -> None:
    """All kinds of `valueFrom`."""
    env = [
        {"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "colour"}}},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    ]
    environ = await environ_of({"env": env})
    assert (environ["COLOUR"], environ["TOKEN"], environ["CPU"], environ["IP"]) == (
        "shop",
        "shop/keys",
        "2",
        "127.20.1.7",
    )


async def test_whole_config_maps_become_variables() -> None:
    """With a prefix; keys that are no names are left out."""
    environ = await environ_of({"envFrom": [{"prefix": "P_", "configMapRef": {"name": "settings"}}]})
    assert environ["P_colour"] == "shop"
    assert not [name for name in environ if " " in name]


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"name": "nosuch", "key": "a"}, 'configmap "nosuch" not found'),
        ({"name": "settings", "key": "a"}, "couldn't find key a in ConfigMap shop/settings"),
    ],
)
async def test_what_is_missing_is_an_error_unless_it_is_optional(reference: Object, message: str) -> None:
    """With the kubelet's words."""
    entry = {"name": "A", "valueFrom": {"configMapKeyRef": reference}}
    with pytest.raises(ConfigurationMissingError, match=message):
        await environ_of({"env": [entry]})
    optional = {"name": "A", "valueFrom": {"configMapKeyRef": {**reference, "optional": True}}}
    assert "A" not in await environ_of({"env": [optional]})


def test_services_of_the_namespace_and_the_api_server_are_told() -> None:
    """Both families of variables; other namespaces' and headless ones are not."""
    services = [
        service("kubernetes", "default", "127.20.128.1", 443, "https"),
        service("my-db", "shop", "127.20.128.9", 5432),
        service("other", "elsewhere", "127.20.128.10", 80),
        service("headless", "shop", "None", 80),
    ]
    variables = service_variables(services, "shop", links=True)
    assert variables["KUBERNETES_SERVICE_HOST"] == "127.20.128.1"
    assert variables["KUBERNETES_SERVICE_PORT_HTTPS"] == "443"
    assert variables["MY_DB_SERVICE_PORT"] == "5432"
    assert variables["MY_DB_PORT_5432_TCP"] == "tcp://127.20.128.9:5432"
    assert not [name for name in variables if name.startswith(("OTHER", "HEADLESS"))]
    assert "MY_DB_SERVICE_HOST" not in service_variables(services, "shop", links=False)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web"),
        ("metadata.labels['app']", "web"),
        ("metadata.labels", 'app="web"'),
        ("spec.nodeName", "node1"),
        ("status.hostIP", "127.20.0.11"),
    ],
)
def test_fields_of_the_pod(path: str, value: str) -> None:
    """What the downward API offers."""
    assert pod_field(POD, path, PLACE) == value


def test_a_field_that_does_not_exist_is_an_error() -> None:
    """Not an empty text."""
    with pytest.raises(ValueError, match=r"unsupported fieldPath: spec\.nonsense"):
        pod_field(POD, "spec.nonsense", PLACE)
