"""How much damage a run may do: limits that hold whatever a policy's matchers find.

They are worked out once, from the policy and the command line (the stricter of both), and looked at before each
action by `targets.guardrails`: a step that would break one is refused before it acts.
"""

from dataclasses import dataclass

DEFAULT_PROTECTED = frozenset({"kube-system"})
"""Namespaces that are left alone unless a matcher names them exactly; Seatrial's own is one more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrails:
    """The limits. None and 0 mean no limit.

    `most_pods` and `most_nodes` are how many one step may hit at once, `least_left` how many Ready pods each owner
    keeps, `protected` namespaces that are never touched, also when a matcher names them.
    """

    most_pods: int | None = None
    most_nodes: int | None = None
    least_left: int = 0
    protected: frozenset[str] = frozenset()
    respect_budgets: bool = False
