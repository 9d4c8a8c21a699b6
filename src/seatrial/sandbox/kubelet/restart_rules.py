"""Whether a container that ended is started again.

Kubernetes, "Pod Lifecycle": the pod's `restartPolicy`, a container's own, and its `restartPolicyRules` by exit code.
"""

from typing import Final

from seatrial.sandbox.api import Object

_RESTARTING: Final = frozenset({"Restart", "RestartAllContainers"})


def is_restarted(spec: Object, pod: Object, *, section: str, exit_code: int) -> bool:
    """Decide.

    Args:
        spec: the container's entry in the pod's spec.
        pod: the Pod.
        section: the field of the pod's spec that it stands in.
        exit_code: how it ended.
    """
    if section == "ephemeralContainers":
        return False
    if any(_applies(rule, exit_code) for rule in spec.get("restartPolicyRules") or ()):
        return True
    own = spec.get("restartPolicy")
    if section == "initContainers" and own == "Always":
        return True
    policy = own or pod["spec"].get("restartPolicy", "Always")
    if policy == "Never":
        return False
    return exit_code != 0 or (policy == "Always" and section == "containers")


def _applies(rule: Object, exit_code: int) -> bool:
    codes = rule.get("exitCodes") or {}
    named = exit_code in (codes.get("values") or ())
    matches = named if codes.get("operator") == "In" else not named
    return rule.get("action") in _RESTARTING and matches
