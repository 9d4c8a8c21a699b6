"""Whether a container that ended is started again."""

import pytest

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.restart_rules import is_restarted

ON_42: Object = {"restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]}
NOT_ON_1: Object = {"restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "NotIn", "values": [1]}}]}


@pytest.mark.parametrize(
    ("policy", "section", "spec", "exit_code", "restarted"),
    [
        ("Always", "containers", {}, 0, True),
        ("OnFailure", "containers", {}, 0, False),
        ("OnFailure", "containers", {}, 1, True),
        ("Never", "containers", {}, 1, False),
        ("Always", "initContainers", {}, 0, False),
        ("Always", "initContainers", {}, 1, True),
        ("Never", "initContainers", {"restartPolicy": "Always"}, 0, True),
        ("Always", "containers", {"restartPolicy": "Never"}, 1, False),
        ("Never", "containers", {"restartPolicy": "OnFailure"}, 1, True),
        ("Never", "containers", {"restartPolicy": "Never", **ON_42}, 42, True),
        ("Never", "containers", {"restartPolicy": "Never", **ON_42}, 1, False),
        ("Never", "containers", {"restartPolicy": "Never", **NOT_ON_1}, 2, True),
        ("Always", "ephemeralContainers", {}, 1, False),
    ],
)
def test_policies_and_rules_decide(policy: str, section: str, spec: Object, exit_code: int, *, restarted: bool) -> None:
    """Rules by exit code first, then the container's own policy, then the pod's."""
    pod = {"spec": {"restartPolicy": policy}}
    assert is_restarted(spec, pod, section=section, exit_code=exit_code) is restarted
