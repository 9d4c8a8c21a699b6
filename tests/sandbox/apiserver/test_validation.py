"""What objects may not say: each case is refused with 422 at the field it names."""

import copy
from typing import Any

import pytest

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver.local import LocalApi

CONTAINER: Object = {"name": "c", "image": "nginx"}
LABELS = {"a": "b"}
TEMPLATE: Object = {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}}
FINITE: Object = {"spec": {"containers": [CONTAINER], "restartPolicy": "Never"}}
WORKLOAD: Object = {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}


def refused(error: ApiError) -> list[tuple[str, str]]:
    """Field and message of each cause."""
    assert error.code == 422
    return [(cause["field"], cause["message"]) for cause in error.status["details"]["causes"]]


async def causes(api: LocalApi, resource: str, body: Object, *, namespace: str | None = "default") -> list[Any]:
    """Why an object is refused."""
    with pytest.raises(ApiError) as caught:
        await api.create(resource, copy.deepcopy({"metadata": {"name": "x"}, **body}), namespace)
    return refused(caught.value)


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"env": [{"name": "A", "valueFrom": {}}]}, "env[0].valueFrom", "must specify one of: "),
        (
            {"env": [{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
            "env[0].valueFrom",
            "may not be specified when `value` is not empty",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.nosuch"}}}]},
            "env[0].valueFrom.fieldRef.fieldPath",
            "field label not supported: metadata.nosuch",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}]},
            "env[0].valueFrom.fieldRef.fieldPath",
            'Unsupported value: "status.phase": supported values: "metadata.name", ',
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "m"}}}]},
            "env[0].valueFrom.configMapKeyRef.key",
            "Required value",
        ),
        ({"envFrom": [{}]}, "envFrom[0]", "must specify one of: `configMapRef` or `secretRef`"),
        ({"lifecycle": {"preStop": {"exec": {}}}}, "lifecycle.preStop.exec.command", "Required value"),
        ({"livenessProbe": {"tcpSocket": {"port": 0}}}, "livenessProbe.tcpSocket.port", "must be between 1 and 65535"),
        (
            {"livenessProbe": {"httpGet": {"port": 1, "scheme": "ftp"}}},
            "livenessProbe.httpGet.scheme",
            'supported values: "HTTP", "HTTPS"',
        ),
        (
            {"ports": [{"containerPort": 1, "hostPort": 8}, {"containerPort": 2, "hostPort": 8}]},
            "ports[1].hostPort",
            'Duplicate value: "TCP//8"',
        ),
        ({"securityContext": {"runAsUser": -1}}, "securityContext.runAsUser", "must be between 0 and 2147483647"),
        ({"terminationMessagePolicy": "X"}, "terminationMessagePolicy", 'values: "File", "FallbackToLogsOnError"'),
    ],
)
async def test_containers(api: LocalApi, change: Object, field: str, text: str) -> None:
    """Environment, handlers, ports, users."""
    body = {"spec": {"containers": [{**CONTAINER, **change}]}}
    ((found, message),) = await causes(api, "pods", body)
    assert found == f"spec.containers[0].{field}"
    assert text in message


AFFINITY = "requiredDuringSchedulingIgnoredDuringExecution"


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"volumes": [{"name": "v", "secret": {}}]}, "volumes[0].secret.secretName", "Required value"),
        (
            {"volumes": [{"name": "v", "hostPath": {"path": "/a", "type": "X"}}]},
            "volumes[0].hostPath.type",
            'Unsupported value: "X"',
        ),
        (
            {"volumes": [{"name": "v", "configMap": {"name": "m", "defaultMode": 1000}}]},
            "volumes[0].configMap.defaultMode",
            "must be a number between 0 and 0777 (octal), both inclusive",
        ),
        ({"nodeSelector": {"a": "b c"}}, "nodeSelector", "a valid label must be"),
        ({"hostname": "A_B"}, "hostname", "a lowercase RFC 1123 label"),
        ({"hostAliases": [{"ip": "x"}]}, "hostAliases[0].ip", "must be a valid IP address"),
        ({"tolerations": [{"key": "a", "operator": "X"}]}, "tolerations[0].operator", 'values: "Equal", "Exists"'),
        (
            {"affinity": {"nodeAffinity": {AFFINITY: {"nodeSelectorTerms": []}}}},
            f"affinity.nodeAffinity.{AFFINITY}.nodeSelectorTerms",
            "must have at least one node selector term",
        ),
        ({"schedulingGates": [{"name": "a b"}]}, "schedulingGates[0]", "name part must consist of"),
        (
            {"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "k", "whenUnsatisfiable": "DoNotSchedule"}]},
            "topologySpreadConstraints[0].maxSkew",
            "must be greater than zero",
        ),
    ],
)
async def test_pods(api: LocalApi, change: Object, field: str, text: str) -> None:
    """Volumes, names, placement."""
    ((found, message),) = await causes(api, "pods", {"spec": {"containers": [CONTAINER], **change}})
    assert found == f"spec.{field}"
    assert text in message


@pytest.mark.parametrize(
    ("resource", "body", "field"),
    [
        ("configmaps", {"data": {"a b": "1"}}, "data[a b]"),
        ("configmaps", {"data": {"a": "x" * 1_100_000}}, "[]"),
        (
            "secrets",
            {"type": "kubernetes.io/service-account-token"},
            "metadata.annotations[kubernetes.io/service-account.name]",
        ),
        (
            "secrets",
            {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "eA=="}},
            "data[.dockerconfigjson]",
        ),
        ("statefulsets.apps", {"spec": {**WORKLOAD, "podManagementPolicy": "X"}}, "spec.podManagementPolicy"),
        ("statefulsets.apps", {"spec": {**WORKLOAD, "updateStrategy": {"type": "X"}}}, "spec.updateStrategy"),
        ("daemonsets.apps", {"spec": {**WORKLOAD, "updateStrategy": {"type": "X"}}}, "spec.updateStrategy"),
        ("jobs.batch", {"spec": {"template": FINITE, "completionMode": "X"}}, "spec.completionMode"),
        (
            "cronjobs.batch",
            {"spec": {"schedule": "* * * * *", "timeZone": "No/Where", "jobTemplate": {"spec": {"template": FINITE}}}},
            "spec.timeZone",
        ),
        (
            "cronjobs.batch",
            {"spec": {"schedule": "61 * * * *", "jobTemplate": {"spec": {"template": FINITE}}}},
            "spec.schedule",
        ),
        ("replicationcontrollers", {"spec": {"replicas": -1, "template": TEMPLATE}}, "spec.replicas"),
        (
            "replicationcontrollers",
            {"spec": {"selector": {"a": "c"}, "template": TEMPLATE}},
            "spec.template.metadata.labels",
        ),
        ("services", {"spec": {"ports": [{"port": 80, "nodePort": 30000}]}}, "spec.ports[0].nodePort"),
        ("services", {"spec": {"ports": [{"port": 80}], "internalTrafficPolicy": "X"}}, "spec.internalTrafficPolicy"),
        ("ingresses.networking.k8s.io", {"spec": {}}, "spec"),
        (
            "networkpolicies.networking.k8s.io",
            {"spec": {"podSelector": {}, "policyTypes": ["X"]}},
            "spec.policyTypes[0]",
        ),
        ("resourcequotas", {"spec": {"hard": {"pods": "-1"}}}, "spec.hard[pods]"),
        (
            "limitranges",
            {"spec": {"limits": [{"type": "Pod", "min": {"cpu": "2"}, "max": {"cpu": "1"}}]}},
            "spec.limits[0].min[cpu]",
        ),
        (
            "persistentvolumeclaims",
            {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "0"}}}},
            "spec.resources[storage]",
        ),
        (
            "poddisruptionbudgets.policy",
            {"spec": {"unhealthyPodEvictionPolicy": "X"}},
            "spec.unhealthyPodEvictionPolicy",
        ),
        (
            "poddisruptionbudgets.policy",
            {"spec": {"selector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b c"]}]}}},
            "spec.selector.matchExpressions[0].values[0]",
        ),
        ("configmaps", {"metadata": {"name": "x\n"}}, "metadata.name"),
        (
            "horizontalpodautoscalers.autoscaling",
            {"spec": {"minReplicas": 0, "maxReplicas": 1, "scaleTargetRef": {"kind": "Deployment", "name": "d"}}},
            "spec.minReplicas",
        ),
        ("leases.coordination.k8s.io", {"spec": {"leaseDurationSeconds": 0}}, "spec.leaseDurationSeconds"),
    ],
)
async def test_other_kinds(api: LocalApi, resource: str, body: Object, field: str) -> None:
    """One thing wrong, one cause."""
    ((found, _),) = await causes(api, resource, body)
    assert found == field


async def test_the_systems_priorities_are_the_systems(api: LocalApi) -> None:
    """Neither the prefix of their names nor their range is for others."""
    found = await causes(
        api,
        "priorityclasses.scheduling.k8s.io",
        {"metadata": {"name": "system-mine"}, "value": 2_000_000_000},
        namespace=None,
    )
    assert [field for field, _ in found] == ["metadata.name", "value"]


async def test_a_replication_controller_needs_a_selector(api: LocalApi) -> None:
    """Without one, and without labels to take it from, it would count every pod as its own."""
    template = {"spec": {"containers": [CONTAINER]}}
    found = await causes(api, "replicationcontrollers", {"spec": {"template": template}})
    assert found == [("spec.selector", "Required value")]


async def test_the_number_of_a_daemon_sets_template_is_the_servers(api: LocalApi) -> None:
    """Whatever its author writes there, templates are counted from one."""
    annotation = "deprecated.daemonset.template.generation"
    body: Object = {"metadata": {"name": "x", "annotations": {annotation: "many"}}, "spec": copy.deepcopy(WORKLOAD)}
    made = await api.create("daemonsets.apps", body, "default")
    assert made["metadata"]["annotations"][annotation] == "1"
    template = {"spec": {"template": {"metadata": {"labels": {**LABELS, "c": "d"}}}}}
    changed = await api.patch("daemonsets.apps", "x", "default", template)
    assert changed["metadata"]["annotations"][annotation] == "2"


EVENT: Object = {
    "apiVersion": "events.k8s.io/v1", "kind": "Event", "eventTime": "2030-01-01T00:00:00.000000Z", "type": "Normal",
    "reportingController": "example.com/x", "reportingInstance": "x-1", "action": "Do", "reason": "Done",
    "regarding": {"kind": "Pod", "name": "p", "namespace": "default"}, "note": "n",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"reportingController": ""}, "reportingController", "Required value"),
        ({"reportingController": "a b"}, "reportingController", "must consist of alphanumeric characters"),
        ({"reportingInstance": ""}, "reportingInstance", "Required value"),
        ({"reportingInstance": "x" * 129}, "reportingInstance", "can have at most 128 characters"),
        ({"action": ""}, "action", "Required value"),
        ({"reason": "x" * 129}, "reason", "can have at most 128 characters"),
        ({"note": "\N{SNOWMAN}" * 342}, "message", "can have at most 1024 characters"),
    ],
)
async def test_events_with_a_time_say_who_did_what(api: LocalApi, change: Object, field: str, text: str) -> None:
    """Controller, instance, action and reason, none too long; 1024 bytes are the most of a note."""
    assert await api.create("events.events.k8s.io", {"metadata": {"name": "good"}, **EVENT}, "default")
    found = await causes(api, "events.events.k8s.io", {**EVENT, **change})
    assert any(each[0] == field and text in each[1] for each in found), found


@pytest.mark.parametrize("time", [{}, {"eventTime": EVENT["eventTime"]}], ids=["old", "new"])
async def test_events_about_what_has_no_namespace_stand_in_the_default_one(api: LocalApi, time: Object) -> None:
    """Those about nodes, of the old form and of the new."""
    about: Object = {"kind": "Node", "name": "n"}
    event = {**{key: value for key, value in EVENT.items() if key != "eventTime"}, **time, "regarding": about}
    if time:
        assert await api.create("events.events.k8s.io", {"metadata": {"name": "good"}, **event}, "default")
    core = {"metadata": {"name": "x"}, "involvedObject": about, "reportingComponent": "a", "reportingInstance": "b"}
    body = {**core, "action": "c", "reason": "d", **time}
    assert await api.create("events", {**body, "metadata": {"name": "core"}}, "default")
    await api.create("namespaces", {"metadata": {"name": "shop"}})
    found = await causes(api, "events", body, namespace="shop")
    assert found == [("involvedObject.namespace", 'Invalid value: "": does not match event.namespace')]
