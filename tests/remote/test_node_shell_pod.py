"""What the pod looks like that commands go through, and what its status says of why it does not start."""

import re

import pytest

from seatrial.kube.objects import (
    ContainerState,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    Pod,
    PodStatus,
)
from seatrial.remote.node_shell_pod import LIFETIME_SECONDS, ShellSettings, pod_name, progress_of, shell_pod, why_closed


def test_the_pod_is_bound_to_its_node_and_ends_by_itself():
    """It needs no scheduler, network plugin or token, tolerates all taints, and asks for next to nothing."""
    body = shell_pod("n1", ShellSettings(), name="x", labels={"a": "b"})
    spec = body["spec"]
    assert spec["nodeName"] == "n1"
    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert spec["activeDeadlineSeconds"] == LIFETIME_SECONDS
    assert (spec["hostPID"], spec["hostNetwork"], spec["automountServiceAccountToken"]) == (True, True, False)
    assert spec["containers"][0]["securityContext"] == {"privileged": True, "runAsUser": 0}
    assert body["metadata"]["namespace"] == "kube-system"
    assert body["metadata"]["labels"]["a"] == "b"
    assert {"imagePullSecrets", "serviceAccountName"}.isdisjoint(spec)


def test_its_settings_are_the_variables_of_the_flags():
    """What is empty is as if it were not there."""
    said = {
        "NODE_SHELL_NAMESPACE": "shells", "NODE_SHELL_IMAGE": "me/shell@sha256:0", "NODE_SHELL_PULL_SECRET": "pull",
        "NODE_SHELL_SERVICE_ACCOUNT": "shell",
    }  # fmt: skip
    settings = ShellSettings.of({**said, "PATH": "/bin"})
    spec = shell_pod("n1", settings)["spec"]
    assert spec["containers"][0]["image"] == "me/shell@sha256:0"
    assert (spec["imagePullSecrets"], spec["serviceAccountName"]) == ([{"name": "pull"}], "shell")
    assert ShellSettings.of({"NODE_SHELL_NAMESPACE": ""}) == ShellSettings()


def test_its_name_is_a_dns_label_whatever_the_nodes_name_is():
    """Names of nodes have dots and up to 253 characters; two nodes' pods never meet."""
    names = {pod_name(each, "0123456789ab") for each in ("a", "a.b", "ip-10-0-0-1.eu-west-1.compute.internal" * 5)}
    assert len(names) == 3
    assert all(re.fullmatch(r"[a-z0-9-]{1,63}", each) for each in names)


def pod(phase="Pending", *, reason="", message="", **state):
    states = (ContainerStatus(name="shell", state=ContainerState(**state)),) if state else ()
    return Pod(status=PodStatus(phase=phase, reason=reason, message=message, container_statuses=states))


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (pod(), ""),
        (pod(waiting=ContainerStateWaiting(reason="ContainerCreating")), ""),
        (pod(waiting=ContainerStateWaiting(reason="ErrImagePull", message="not found")), "ErrImagePull: not found"),
        (pod(waiting=ContainerStateWaiting(reason="InvalidImageName")), "InvalidImageName"),
        (pod("Failed", reason="OutOfcpu", message="too little\n cpu"), "OutOfcpu: too little cpu"),
        (
            pod("Failed", terminated=ContainerStateTerminated(reason="StartError", message="no sleep")),
            "StartError: no sleep",
        ),
        (pod("Failed"), "its container ended"),
    ],
    ids=["nothing yet", "being made", "no image", "no message", "refused by the kubelet", "no program", "no reason"],
)
def test_why_it_does_not_start_is_in_its_status(found, why):
    """In the cluster's words; what may still come to something is waited for."""
    assert why_closed(found) == why


def test_how_far_it_got_is_said_of_one_that_never_started():
    """Its phase and what its container waits for."""
    assert progress_of(pod(waiting=ContainerStateWaiting(reason="ContainerCreating"))) == "Pending, ContainerCreating"
    assert progress_of(Pod()) == "the kubelet has not looked at it"
    assert progress_of(None) == "it is not there"
