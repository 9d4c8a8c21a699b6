"""What becomes of measurements when the API server lets nobody watch any more, in the middle of an experiment."""

import base64
import json

import pytest
from msgspec.structs import replace

from seatrial.actions.pods.recovery import track_recovery
from seatrial.kube.client import connect
from seatrial.kube.objects import ObjectMeta, OwnerReference, Pod
from seatrial.runtime.events import ProofMissing, RecoveryMissed
from seatrial.runtime.verdict import Verdict
from tests.kube.fake_apiserver import pod, pod_list, serving, status

IN_DEFAULT = "/api/v1/namespaces/default"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
NO_MORE = status(403, "Forbidden", "may not watch any more")
SERVICE = {"metadata": {"name": "web", "namespace": "default", "uid": "s"}, "spec": {"selector": {"app": "web"}}}
SLICE = {
    "metadata": {
        "name": "web-1",
        "namespace": "default",
        "uid": "e",
        "resourceVersion": "1",
        "labels": {"kubernetes.io/service-name": "web"},
    },
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["10.1.1.1"], "targetRef": {"kind": "Pod", "name": "web-1", "uid": "uid-web-1"}}],
}
OWNER = OwnerReference(kind="ReplicaSet", name="web", uid="rs", controller=True)
VICTIM = Pod(
    metadata=ObjectMeta(
        name="web-1", namespace="default", uid="uid-web-1", labels={"app": "web"}, owner_references=(OWNER,)
    )
)


def listed(*items):
    return {"metadata": {"resourceVersion": "1"}, "items": list(items)}


def kubeconfig_of(server, directory):
    authority = base64.b64encode(server.authority_pem).decode()
    content = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server.url, "certificate-authority-data": authority}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    path = directory / "kubeconfig"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
async def where_watching_ends(recorder, tmp_path):
    """A context on an API server that lists, and refuses every watch."""
    async with serving() as server:
        server.on("GET", f"{IN_DEFAULT}/pods", pod_list(pod("web-1", 1), version=1), NO_MORE)
        server.on("GET", f"{IN_DEFAULT}/services", listed(SERVICE))
        server.on("GET", SLICES, listed(SLICE), NO_MORE)
        async with await connect(kubeconfig=kubeconfig_of(server, tmp_path)) as cluster:
            yield replace(recorder.context, cluster=cluster)


async def test_a_recovery_that_can_be_watched_no_more_is_inconclusive_and_says_why(where_watching_ends, recorder):
    """The API server's own words reach the verdict and the events; a proof lost beside it changes no verdict."""
    tracker = await track_recovery([VICTIM], where_watching_ends)
    tracker.kill_sent("uid-web-1", 1.0)
    outcome = await where_watching_ends.scope.settle(timeout_seconds=30)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    [reason] = outcome.reasons
    assert reason.startswith("default/web-1 was killed: no replacement was created before")
    assert "may not watch any more" in reason
    events = list(await recorder.events())
    assert [event.pod.name for event in events if isinstance(event, RecoveryMissed)] == ["web-1"]
    lost = sorted(event.reason.partition(" before")[0] for event in events if isinstance(event, ProofMissing))
    assert lost == ["it did not leave Service default/web", "it was not seen to be gone"]
