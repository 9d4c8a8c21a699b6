"""What is said of a pod that fits nowhere, word for word as Kubernetes 1.36 says it: people search for these texts."""

from collections import Counter
from typing import Final

NO_NODES: Final = "no nodes available to schedule pods"
NOT_HELPFUL: Final = "Preemption is not helpful for scheduling"
NO_VICTIMS: Final = "No preemption victims found for incoming pod"
NEVER_PREEMPTS: Final = "not eligible due to preemptionPolicy=Never."
VICTIM_IS_ENDING: Final = "not eligible due to a terminating pod on the nominated node."
# Resource claims come before preemption in Kubernetes' order; the sandbox has none that could be given back.
_CLAIMS: Final = "no new claims to deallocate"


def histogram(nodes: int, reasons: Counter[str]) -> str:
    """`0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.`."""
    parts = sorted(f"{count} {reason}" for reason, count in reasons.items())
    return f"0/{nodes} nodes are available: {', '.join(parts)}."


def with_preemption(fitting: str, preemption: str) -> str:
    """Both sentences: why nothing fits, and why nobody has to go."""
    return f"{fitting} {_CLAIMS}, preemption: {preemption}"


def volumes_missing(nodes: int, why: str) -> str:
    """What is said when a pod's claims stand in the way, whatever the nodes."""
    return f"0/{nodes} nodes are available: {why}. not found"
