"""The official Python client, synchronous."""

import threading
from http import HTTPStatus
from typing import Any

import pytest
from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import NotFoundError
from kubernetes.stream import portforward, stream
from kubernetes.utils import create_from_dict

from tests.conformance.clients.checks import BOATS, DEPLOYMENT, NAMESPACE, POD, Checks, kubeconfig

check = Checks()


@check
def version(api: Any) -> None:
    """The server's version is read."""
    assert client.VersionApi(api).get_code().major == "1"


@check
def create(api: Any, core: Any) -> None:
    """Objects are created from plain dictionaries."""
    core.create_namespace({"metadata": {"name": NAMESPACE}})
    create_from_dict(api, DEPLOYMENT)
    create_from_dict(api, POD)


@check
def watch_until_ready(core: Any) -> None:
    """A watch sees the pods become Ready."""
    ready = set()
    stream_of = watch.Watch()
    for event in stream_of.stream(core.list_namespaced_pod, NAMESPACE, timeout_seconds=30):
        pod = event["object"]
        if any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions or ()):
            ready.add(pod.metadata.name)
        if len(ready) == 3:
            stream_of.stop()
    assert len(ready) == 3


@check
def lists_and_pages(core: Any) -> None:
    """Selectors and paging."""
    assert len(core.list_namespaced_pod(NAMESPACE, label_selector="app in (web)").items) == 2
    first = core.list_namespaced_pod(NAMESPACE, limit=2)
    rest = core.list_namespaced_pod(NAMESPACE, limit=2, _continue=first.metadata._continue)
    assert len({pod.metadata.uid for pod in first.items + rest.items}) == 3
    assert core.list_namespaced_pod(NAMESPACE, field_selector="status.phase=Running").items


@check
def patches(apps: Any) -> None:
    """Strategic merge, merge, JSON patch, server-side apply."""
    done = apps.patch_namespaced_deployment("web", NAMESPACE, {"metadata": {"labels": {"a": "b"}}})
    assert done.metadata.labels["a"] == "b"
    done = apps.patch_namespaced_deployment(
        "web", NAMESPACE, [{"op": "replace", "path": "/metadata/labels/a", "value": "c"}]
    )
    assert done.metadata.labels["a"] == "c"
    apply = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "annotations": {"x": "y"}}}
    done = apps.patch_namespaced_deployment(
        "web", NAMESPACE, apply, field_manager="clients", _content_type="application/apply-patch+yaml"
    )
    assert "clients" in {entry.manager for entry in done.metadata.managed_fields}


@check
def scale(apps: Any) -> None:
    """The scale subresource, tried again where the Deployment's controller wrote in between."""
    while True:
        body = apps.read_namespaced_deployment_scale("web", NAMESPACE)
        assert (body.spec.replicas, body.status.selector) == (2, "app=web")
        body.spec.replicas = 3
        try:
            done = apps.replace_namespaced_deployment_scale("web", NAMESPACE, body)
        except ApiException as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
        else:
            assert done.spec.replicas == 3
            return


@check
def conflict(core: Any) -> None:
    """A write from an old version is refused with 409."""
    core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": "cm"}, "data": {"a": "1"}})
    old = core.read_namespaced_config_map("cm", NAMESPACE)
    core.patch_namespaced_config_map("cm", NAMESPACE, {"data": {"a": "2"}})
    with pytest.raises(ApiException) as caught:
        core.replace_namespaced_config_map("cm", NAMESPACE, old)
    assert (caught.value.status, "Conflict" in caught.value.body) == (409, True)


@check
def missing(core: Any) -> None:
    """What isn't there is 404."""
    with pytest.raises(ApiException) as caught:
        core.read_namespaced_pod("nosuch", NAMESPACE)
    assert (caught.value.status, caught.value.reason) == (404, "Not Found")


@check
def logs(core: Any) -> None:
    """Logs, whole, tail, and followed."""
    assert core.read_namespaced_pod_log("talk", NAMESPACE) == "one\ntwo\n"
    assert core.read_namespaced_pod_log("talk", NAMESPACE, tail_lines=1) == "two\n"
    lines = watch.Watch().stream(core.read_namespaced_pod_log, "talk", NAMESPACE)
    assert [next(lines), next(lines)] == ["one", "two"]


@check
def execute(core: Any) -> None:
    """Exec over WebSocket: output, errors, input, exit code."""
    command = ["sh", "-c", "read x; echo got $x; echo bad >&2; exit 3"]
    options = {"stdin": True, "stdout": True, "stderr": True, "tty": False, "_preload_content": False}
    session = stream(core.connect_get_namespaced_pod_exec, "talk", NAMESPACE, command=command, **options)
    session.write_stdin("word\n")
    session.run_forever(timeout=20)
    assert session.read_stdout() == "got word\n"
    assert session.read_stderr() == "bad\n"
    assert session.returncode == 3


@check
def forward(core: Any) -> None:
    """Port-forward over WebSocket."""
    pod = core.list_namespaced_pod(NAMESPACE, label_selector="app=web").items[0]
    forwarded = portforward(core.connect_get_namespaced_pod_portforward, pod.metadata.name, NAMESPACE, ports="80")
    sock = forwarded.socket(80)
    sock.settimeout(20)
    sock.sendall(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
    answer = b""
    while data := sock.recv(4096):
        answer += data
    assert b"Welcome to nginx" in answer
    assert forwarded.error(80) is None


@check
def evict(core: Any) -> None:
    """An eviction."""
    pod = core.list_namespaced_pod(NAMESPACE, label_selector="app=web").items[0].metadata.name
    body = client.V1Eviction(metadata=client.V1ObjectMeta(name=pod, namespace=NAMESPACE))
    core.create_namespaced_pod_eviction(pod, NAMESPACE, body)
    there = {item.metadata.name: item for item in core.list_namespaced_pod(NAMESPACE).items}
    assert pod not in there or there[pod].metadata.deletion_timestamp


@check
def custom(api: Any) -> None:
    """Custom resources, through CustomObjectsApi and the dynamic client."""
    extensions = client.ApiextensionsV1Api(api)
    extensions.create_custom_resource_definition(BOATS)
    for event in watch.Watch().stream(extensions.list_custom_resource_definition, timeout_seconds=20):
        found = event["object"]
        conditions = {c.type: c.status for c in found.status.conditions or ()}
        if found.metadata.name == BOATS["metadata"]["name"] and conditions.get("Established") == "True":
            break
    objects = client.CustomObjectsApi(api)
    where = ("clients.example.com", "v1", NAMESPACE, "boats")
    boat = {"apiVersion": "clients.example.com/v1", "kind": "Boat", "metadata": {"name": "nina"}, "spec": {"length": 9}}
    objects.create_namespaced_custom_object(*where, boat)
    objects.patch_namespaced_custom_object_status(*where, "nina", {"status": {"afloat": True}})
    assert objects.get_namespaced_custom_object(*where, "nina")["status"] == {"afloat": True}
    with pytest.raises(ApiException) as caught:
        objects.patch_namespaced_custom_object(*where, "nina", {"spec": {"length": 0}})
    assert caught.value.status == 422
    boats = dynamic.DynamicClient(api).resources.get(api_version="clients.example.com/v1", kind="Boat")
    assert [item.metadata.name for item in boats.get(namespace=NAMESPACE).items] == ["nina"]
    boats.delete(name="nina", namespace=NAMESPACE)
    with pytest.raises(NotFoundError):
        boats.get(name="nina", namespace=NAMESPACE)
    extensions.delete_custom_resource_definition(BOATS["metadata"]["name"])


@check
def access(api: Any) -> None:
    """Access reviews, and a service account's token."""
    spec = {"resourceAttributes": {"verb": "delete", "resource": "pods"}}
    review = client.AuthorizationV1Api(api).create_self_subject_access_review({"spec": spec})
    assert review.status.allowed
    core = client.CoreV1Api(api)
    token = core.create_namespaced_service_account_token("default", NAMESPACE, {"spec": {}}).status.token
    configuration = client.Configuration.get_default_copy()
    configuration.api_key = {"authorization": f"Bearer {token}"}
    configuration.refresh_api_key_hook = None
    configuration.cert_file = configuration.key_file = None
    with pytest.raises(ApiException) as caught:
        client.CoreV1Api(client.ApiClient(configuration)).list_namespaced_pod(NAMESPACE)
    assert caught.value.status == 403


@check
def threads(core: Any) -> None:
    """Twenty threads at once."""
    found: list[int] = []

    def work() -> None:
        found.append(len(core.list_namespaced_pod(NAMESPACE).items))

    workers = [threading.Thread(target=work) for _ in range(20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert len(found) == 20


@check
def delete(core: Any) -> None:
    """A namespace is deleted with everything in it, as a watch sees."""
    core.delete_namespace(NAMESPACE)
    for event in watch.Watch().stream(core.list_namespace, timeout_seconds=30):
        if event["type"] == "DELETED" and event["object"].metadata.name == NAMESPACE:
            return
    raise AssertionError("still there")


if __name__ == "__main__":
    config.load_kube_config(kubeconfig())
    client.Configuration.set_default(client.Configuration.get_default_copy())
    with client.ApiClient() as made:
        check.run(api=made, core=client.CoreV1Api(made), apps=client.AppsV1Api(made))
