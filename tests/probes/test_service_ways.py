"""Every way to a Service on a whole cluster, with ports that have names and pods that come and go."""

import asyncio

import pytest
from msgspec.structs import replace

from seatrial.kube.client import connect
from seatrial.kube.errors import Forbidden
from seatrial.kube.resources import PODS
from seatrial.probes.service_endpoints import ServiceAddress
from seatrial.runtime.clock import SystemClock
from seatrial.runtime.verdict import Verdict
from seatrial.steps.probe_http import ProbeHTTP
from seatrial.steps.probe_http import run as run_http
from seatrial.steps.probe_tcp import ProbeTCP
from seatrial.steps.probe_tcp import run as run_tcp
from seatrial.steps.wait_for import WaitFor
from seatrial.steps.wait_for import run as run_wait
from seatrial.testing import sandbox_cluster
from tests.conftest import Recorder

_MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: web, image: "nginx:1.25", ports: [{name: http, containerPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  selector: {app: web}
  ports: [{name: main, port: 8080, targetPort: http}, {name: wrong, port: 8081, targetPort: 81}]
---
apiVersion: v1
kind: Service
metadata: {name: headless, namespace: default}
spec: {clusterIP: None, selector: {app: web}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: empty, namespace: default}
spec: {selector: {app: nobody}, ports: [{port: 80}]}
"""
_READY = WaitFor.model_validate({"until": {"deployment": {"name": "web", "namespace": "default"}}, "timeout": 60})


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A sandbox with two web servers behind Services."""
    manifest = tmp_path_factory.mktemp("manifests") / "web.yml"
    manifest.write_text(_MANIFEST)
    with asyncio.Runner() as runner:
        block = sandbox_cluster(nodes=1, load=[manifest])
        yield runner.run(block.__aenter__())
        runner.run(block.__aexit__(None, None, None))


@pytest.fixture
async def recorder(cluster):
    """A context on that cluster, in real time, once both web servers are ready."""
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        made = Recorder(client)
        made.context = replace(made.context, clock=SystemClock())
        assert (await run_wait(_READY, made.context)).passed
        made.records.clear()
        yield made
        await made.close()


def http(name="web", port=8080, **given):
    service = {"name": name, "namespace": "default", "port": port}
    service.update({key: given.pop(key) for key in ("via",) if key in given})
    return ProbeHTTP.model_validate({"target": {"service": service}, "retries": 1, "timeout": 20_000, **given})


def tcp(name="web", port=8080, **given):
    target = {"service": {"name": name, "namespace": "default", "port": port, **given}}
    return ProbeTCP.model_validate({"target": target, "retries": 1, "timeout": 20_000})


async def ways(recorder):
    return [event.via for event in await recorder.events() if hasattr(event, "via")]


@pytest.mark.parametrize("via", ["clusterIP", "apiserver", "portForward"])
async def test_a_service_answers_by_every_way(recorder, via):
    """And the report says by which one."""
    assert (await run_http(http(via=via, count=3), recorder.context)).passed
    assert await ways(recorder) == [via] * 3


async def test_a_headless_service_is_asked_through_the_api_server(recorder):
    """It has no address of its own."""
    assert (await run_http(http("headless", 80), recorder.context)).passed
    assert await ways(recorder) == ["apiserver"]


async def test_what_can_t_pass_the_api_server_goes_by_a_port_forward(recorder):
    """A header that the API server would take for its own."""
    headers = [{"name": "Authorization", "value": "Bearer of-the-service"}]
    assert (await run_http(http("headless", 80, headers=headers), recorder.context)).passed
    assert await ways(recorder) == ["portForward"]


async def test_a_port_forward_goes_to_pods_that_are_ready(recorder):
    """A pod that was killed between two requests is not asked any more, though the other one answers."""
    pods = (await recorder.context.cluster.list(PODS, namespace="default", label_selector="app=web")).items
    probe = http(via="portForward", count=2, retries=5)
    assert (await run_http(probe, recorder.context)).passed
    await recorder.context.cluster.delete(
        PODS, pods[0]["metadata"]["name"], namespace="default", grace_period_seconds=0
    )
    assert (await run_http(probe, recorder.context)).passed


@pytest.mark.parametrize("via", ["apiserver", "portForward"])
async def test_a_service_without_pods_does_not_answer(recorder, via):
    """That is a failure of the system, not of the probe."""
    outcome = await run_http(http("empty", 80, via=via), recorder.context)
    assert outcome.verdict is Verdict.FAILED


async def test_a_port_where_nothing_listens_does_not_answer(recorder):
    """With the reason that the node tells."""
    outcome = await run_http(http(port=8081, via="portForward"), recorder.context)
    assert outcome.verdict is Verdict.FAILED
    assert "port 81 of pod web-" in outcome.reasons[0]
    assert "connection refused" in outcome.reasons[0]


@pytest.mark.parametrize("via", ["clusterIP", "portForward"])
async def test_a_services_port_is_connected_to(recorder, via):
    """By its cluster IP, which tells how long it takes; by a port-forward, which can't."""
    assert (await run_tcp(tcp(via=via), recorder.context)).passed
    [sample] = [event for event in await recorder.events() if hasattr(event, "via")]
    assert sample.via == via
    assert (sample.latency_ms is None) == (via == "portForward")


async def test_a_port_that_refuses_is_seen_through_a_port_forward(recorder):
    """Its node says so."""
    outcome = await run_tcp(tcp(port=8081, via="portForward"), recorder.context)
    assert outcome.verdict is Verdict.FAILED
    assert "connection refused" in outcome.reasons[0]


async def test_who_may_not_forward_ports_gets_no_finding(recorder, cluster):
    """The service is not blamed for a missing permission: the error makes the step inconclusive."""
    admin = recorder.context.cluster
    await admin.create(
        await admin.resource_for("v1", "ServiceAccount"), {"metadata": {"name": "reader"}}, namespace="default"
    )
    role = {
        "metadata": {"name": "reader"},
        "rules": [
            {"apiGroups": [""], "resources": ["services"], "verbs": ["get"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]},
        ],
    }
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": "default"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    binding = {"metadata": {"name": "reader"}, "subjects": [subject], "roleRef": reference}
    group = "rbac.authorization.k8s.io/v1"
    await admin.create(await admin.resource_for(group, "Role"), role, namespace="default")
    await admin.create(await admin.resource_for(group, "RoleBinding"), binding, namespace="default")
    token = await _token_of(admin)
    async with await connect(kubeconfig=_as_account(cluster, token)) as account:
        # Nor may it use the API server's proxy, so that a port-forward is what is left for the headless Service.
        probes = (
            (http(via="portForward"), run_http),
            (http("headless", 80), run_http),
            (tcp(via="portForward"), run_tcp),
        )
        for probe, run in probes:
            with pytest.raises(Forbidden, match="pods/portforward"):
                await run(probe, replace(recorder.context, cluster=account))


async def _token_of(client):
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    made = await client.request_json("POST", "/api/v1/namespaces/default/serviceaccounts/reader/token", body)
    return made["status"]["token"]


def _as_account(cluster, token):
    import yaml

    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path = cluster.kubeconfig.parent / "reader.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


async def test_the_pods_behind_a_port_have_its_number(recorder):
    """A port's name leads to a number in each pod."""
    from seatrial.probes.service_endpoints import ServiceEndpoints

    address = ServiceAddress(namespace="default", name="web", port=8080)
    endpoints = await ServiceEndpoints.find(recorder.context.cluster, address)
    found = {await endpoints.next_pod() for _ in range(2)}
    assert {port for _, port in found} == {80}
    assert len(found) == 2


async def test_the_time_until_a_killed_pod_is_replaced_is_measured(recorder):
    """A wait for ready pods after a kill: the deleted pod doesn't count, so it is the replacement's time."""
    client = recorder.context.cluster
    ready = WaitFor.model_validate(
        {"until": {"readyPods": {"labels": "app=web", "namespace": "default", "count": 2}}, "measurement": "replaced"}
    )
    pods = (await client.list(PODS, namespace="default", label_selector="app=web")).items
    await client.delete(PODS, pods[0]["metadata"]["name"], namespace="default", grace_period_seconds=0)
    assert (await run_wait(ready, recorder.context)).passed
    [taken] = [event for event in await recorder.events() if getattr(event, "name", "") == "replaced"]
    assert taken.seconds > 0
    left = (await client.list(PODS, namespace="default", label_selector="app=web")).items
    assert pods[0]["metadata"]["name"] not in {pod["metadata"]["name"] for pod in left}
