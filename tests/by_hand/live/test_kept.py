"""What is kept of each kind of object: what kubectl prints of it, and what completion and tables need."""

from datetime import UTC, datetime

import msgspec
import pytest

from seatrial.by_hand.live.events import LiveEvent
from seatrial.by_hand.live.nodes import LiveNode
from seatrial.by_hand.live.pods import LivePod
from seatrial.by_hand.live.services import LiveService
from seatrial.by_hand.live.workloads import LiveDaemonSet, LiveDeployment, LiveJob
from seatrial.kube.listing import object_decoder, page_decoder

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TEXT = "2026-01-02T03:04:05Z"


def kept(object_type, whole):
    return object_decoder(object_type).decode(msgspec.json.encode(whole))


def meta(**more):
    return {
        "name": "web-1", "namespace": "shop", "uid": "u1", "resourceVersion": "7", "creationTimestamp": TEXT, **more,
    }  # fmt: skip


def pod(**labels):
    owner = {"kind": "ReplicaSet", "name": "web", "uid": "u0", "apiVersion": "apps/v1", "controller": True}
    return {
        "metadata": meta(labels=labels, ownerReferences=[owner]),
        "spec": {
            "nodeName": "node1",
            "containers": [{"name": "c", "image": "busybox"}, {"name": "d", "image": "nginx"}],
        },
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.1",
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [
                {"name": "c", "ready": True, "restartCount": 2, "state": {"running": {}}},
                {"name": "d", "restartCount": 1, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
            ],
        },
    }


def test_a_pod_is_kept_as_kubectl_prints_it():
    """Status, readiness and restarts are derived from the whole pod, of which nothing else stays."""
    found = kept(LivePod, pod(app="web"))
    assert (found.status, found.ready, found.restarts, found.is_ready) == ("CrashLoopBackOff", "1/2", 3, False)
    assert (found.namespace, found.name, found.uid, found.version) == ("shop", "web-1", "u1", "7")
    assert (found.node, found.ip, found.owner_kind, found.owner) == ("node1", "10.0.0.1", "ReplicaSet", "web")
    assert (found.created, found.deleted) == (WHEN, None)
    assert dict(zip(found.containers, found.images, strict=True)) == {"c": "busybox", "d": "nginx"}


def test_pods_with_the_same_labels_share_them():
    """Ten thousand pods of a hundred ReplicaSets have a hundred sets of labels."""
    first, second, other = (kept(LivePod, pod(app=app)) for app in ("web", "web", "db"))
    assert first.labels is second.labels
    assert (first.labels, other.labels) == ({"app": "web"}, {"app": "db"})
    assert first.images is other.images


def test_a_page_is_read_to_objects_that_are_still_json():
    """So that what is kept of them can be made a few at a time."""
    page = page_decoder(LivePod).decode(msgspec.json.encode({"metadata": {}, "items": [pod(), pod()]}))
    assert [object_decoder(LivePod).decode(each).name for each in page.items] == ["web-1", "web-1"]


@pytest.mark.parametrize(
    ("ready", "unschedulable", "status"),
    [
        ([{"type": "Ready", "status": "True"}], False, "Ready"),
        ([{"type": "Ready", "status": "False"}], False, "NotReady"),
        ([{"type": "Ready", "status": "Unknown"}], True, "NotReady,SchedulingDisabled"),
        ([], False, "Unknown"),
    ],
)
def test_a_node_has_the_status_that_kubectl_prints(ready, unschedulable, status):
    """A node whose kubelet is silent is not ready, one that never reported is unknown."""
    labels = {"topology.kubernetes.io/zone": "west", "node-role.kubernetes.io/worker": "", "disk": "ssd"}
    spec = {"unschedulable": unschedulable, "taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}
    addresses = [{"type": "InternalIP", "address": "10.0.0.1"}, {"type": "Hostname", "address": "node1"}]
    info = {"kubeletVersion": "v1.36.0"}
    found = kept(
        LiveNode,
        {
            "metadata": {"name": "node1", "uid": "u", "labels": labels},
            "spec": spec,
            "status": {"conditions": ready, "addresses": addresses, "nodeInfo": info},
        },
    )
    assert (found.status, found.is_schedulable) == (status, not unschedulable)
    assert (found.zone, found.roles, found.internal_ips) == ("west", ("worker",), ("10.0.0.1",))
    assert (found.taints, found.kubelet_version) == (("gpu=yes:NoSchedule",), "v1.36.0")


@pytest.mark.parametrize(
    ("labels", "roles"),
    [
        ({"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/infra": "true"}, ("infra", "worker")),
        ({"kubernetes.io/role": "master"}, ("master",)),
        ({"kubernetes.io/role": "", "node-role.kubernetes.io/": ""}, ()),
    ],
)
def test_a_node_has_the_roles_that_kubectl_prints(labels, roles):
    """By either of the labels that give it one."""
    assert kept(LiveNode, {"metadata": {"name": "node1", "labels": labels}}).roles == roles


def test_a_workload_wants_has_and_has_ready_so_many_pods():
    """Of a Deployment by its replicas (one where nothing is said), of a DaemonSet by its nodes."""
    status = {"replicas": 3, "readyReplicas": 2, "updatedReplicas": 1, "availableReplicas": 2}
    deployment = kept(LiveDeployment, {"metadata": meta(), "spec": {"replicas": 4}, "status": status})
    assert (deployment.wanted, deployment.current, deployment.ready, deployment.updated) == (4, 3, 2, 1)
    assert kept(LiveDeployment, {"metadata": meta(), "spec": {}}).wanted == 1
    status = {"desiredNumberScheduled": 3, "currentNumberScheduled": 2, "numberReady": 1}
    daemons = kept(LiveDaemonSet, {"metadata": meta(), "status": status})
    assert (daemons.wanted, daemons.current, daemons.ready) == (3, 2, 1)


@pytest.mark.parametrize(
    ("conditions", "more", "status"),
    [
        ([], {}, "Running"),
        (["Complete"], {}, "Complete"),
        (["FailureTarget", "Failed"], {}, "Failed"),
        (["FailureTarget"], {}, "FailureTarget"),
        (["SuccessCriteriaMet"], {}, "SuccessCriteriaMet"),
        (["Suspended"], {}, "Suspended"),
        (["Suspended"], {"deletionTimestamp": TEXT}, "Terminating"),
    ],
)
def test_a_job_has_the_status_that_kubectl_prints(conditions, more, status):
    """Its end says more than that it is being deleted, that more than the way to its end."""
    conditions = [{"type": each, "status": "True"} for each in conditions]
    job = {"metadata": meta(**more), "status": {"conditions": conditions, "succeeded": 1}}
    assert kept(LiveJob, job).status == status


def test_a_service_is_kept_with_what_it_selects():
    """And its ports."""
    spec = {"clusterIP": "10.96.0.1", "ports": [{"port": 80}], "selector": {"app": "web"}}
    found = kept(LiveService, {"metadata": meta(), "spec": spec})
    assert (found.type, found.cluster_ip, found.selector) == ("ClusterIP", "10.96.0.1", {"app": "web"})
    assert found.ports[0].port == 80


def test_events_of_both_generations_of_writers_are_read():
    """The older one counts by itself; the other has a series, and neither of the old times."""
    about = {"kind": "Pod", "namespace": "shop", "name": "web-1"}
    old = {
        "metadata": meta(), "involvedObject": about, "type": "Warning", "reason": "BackOff", "message": "again",
        "count": 5, "firstTimestamp": TEXT, "lastTimestamp": "2026-01-02T04:00:00Z", "eventTime": None,
        "source": {"component": "kubelet", "host": "node1"}, "reportingComponent": "",
    }  # fmt: skip
    found = kept(LiveEvent, old)
    assert (found.count, found.first, found.last) == (5, WHEN, datetime(2026, 1, 2, 4, tzinfo=UTC))
    assert (found.component, found.about_kind, found.about) == ("kubelet", "Pod", "web-1")
    new = {
        "metadata": meta(), "involvedObject": about, "type": "Normal", "reason": "Scheduled", "message": "on node1",
        "eventTime": "2026-01-02T03:04:05.000000Z", "firstTimestamp": None, "lastTimestamp": None,
        "reportingComponent": "default-scheduler", "source": {},
    }  # fmt: skip
    found = kept(LiveEvent, new)
    assert (found.count, found.first, found.last, found.component) == (1, WHEN, WHEN, "default-scheduler")
    series = {"count": 3, "lastObservedTime": "2026-01-02T05:00:00.000000Z"}
    found = kept(LiveEvent, {**new, "series": series})
    assert (found.count, found.last) == (3, datetime(2026, 1, 2, 5, tzinfo=UTC))
