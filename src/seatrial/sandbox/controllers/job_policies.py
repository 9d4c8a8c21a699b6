"""What a Job's policies make of its pods' ends: `podFailurePolicy` and `successPolicy`.

Pure functions over JSON. Behaviour: Kubernetes documentation, "Jobs": Pod failure policy, Success policy.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.job_indexes import parse
from seatrial.sandbox.controllers.objects import name_of, namespace_of


@dataclass(frozen=True)
class Judgement:
    """What becomes of a failed pod.

    Args:
        action: Count, Ignore, FailIndex or FailJob.
        message: why, for FailJob.
    """

    action: str
    message: str = ""

    @property
    def counts(self) -> bool:
        """The failure counts towards the backoff limit."""
        return self.action != "Ignore"


_COUNTS: Final = Judgement("Count")


def judge(job: Object, pod: Object) -> Judgement:
    """What the Job's failure policy says of a failed pod: the first rule that matches, or that it counts."""
    for number, rule in enumerate((job["spec"].get("podFailurePolicy") or {}).get("rules") or ()):
        reason = _reason(rule, pod)
        if reason is not None:
            action = rule["action"]
            return Judgement(
                action, f"{reason} matching {action} rule at index {number}" if action == "FailJob" else ""
            )
    return _COUNTS


def _reason(rule: Object, pod: Object) -> str | None:
    if rule.get("onExitCodes") is not None:
        return _by_exit_code(rule["onExitCodes"], pod)
    for pattern in rule.get("onPodConditions") or ():
        for entry in pod.get("status", {}).get("conditions") or ():
            if (entry["type"], entry["status"]) == (pattern["type"], pattern.get("status", "True")):
                return f"Pod {namespace_of(pod)}/{name_of(pod)} has condition {entry['type']}"
    return None


def _by_exit_code(wanted: Object, pod: Object) -> str | None:
    status = pod.get("status", {})
    for each in [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]:
        ended = (each.get("state") or {}).get("terminated")
        named = wanted.get("containerName") in (None, each["name"])
        if ended is None or not named or not ended["exitCode"]:
            continue
        if (ended["exitCode"] in wanted["values"]) == (wanted["operator"] == "In"):
            subject = f"Container {each['name']} for pod {namespace_of(pod)}/{name_of(pod)}"
            return f"{subject} failed with exit code {ended['exitCode']}"
    return None


def success_message(job: Object, succeeded: AbstractSet[int]) -> str | None:
    """Why the Job is a success by its policy, though pods may be missing; None if it isn't."""
    for number, rule in enumerate((job["spec"].get("successPolicy") or {}).get("rules") or ()):
        asked = rule.get("succeededIndexes")
        relevant = succeeded if asked is None else succeeded & parse(asked, below=job["spec"]["completions"])
        enough = rule.get("succeededCount")
        if enough is None:
            enough = len(parse(asked or "", below=job["spec"]["completions"]))
        if len(relevant) >= enough:
            return f"Matched rules at index {number}"
    return None
