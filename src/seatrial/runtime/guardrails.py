"""How much damage a run may do: limits that hold whatever a policy's matchers find.

They are worked out once, from the policy and the command line (the stricter of both), and looked at before each
action by `targets.guardrails`: a step that would break one is refused before it acts.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:  # the command line has limits before anything has models
    from seatrial.policy.models import Guardrails as GuardrailsOfPolicy

Limit = TypeVar("Limit", int, float, bool)

DEFAULT_PROTECTED = frozenset({"kube-system"})
"""Namespaces that are left alone unless a matcher names them exactly; Seatrial's own is one more."""


class Guardrails(msgspec.Struct, frozen=True, kw_only=True):
    """The limits. None and 0 mean no limit.

    `most_pods` and `most_nodes` are how many one step may hit, its retries included, `least_left` how many Ready pods
    each owner keeps, `protected` namespaces that are never touched, also when a matcher names them.

    `most_of_zone` is the share of a zone's nodes, `most_of_control_plane` the number of its nodes that may be out of
    service at once; None leaves the control plane one. `etcd_quorum` says whether etcd keeps a majority: it does
    where that is None, too.
    """

    most_pods: int | None = None
    most_nodes: int | None = None
    most_of_zone: float | None = None
    most_of_control_plane: int | None = None
    etcd_quorum: bool | None = None
    least_left: int = 0
    protected: frozenset[str] = frozenset()
    respect_budgets: bool = False

    @property
    def keeps_etcd_quorum(self) -> bool:
        """Whether a majority of etcd's members has to stay."""
        return self.etcd_quorum is not False


def merge_guardrails(policy: "GuardrailsOfPolicy", flags: Guardrails) -> Guardrails:
    """The stricter of what a policy and the command line say, limit by limit: neither can loosen the other."""
    return Guardrails(
        most_pods=_lower(policy.max_pods, flags.most_pods),
        most_nodes=_lower(policy.max_nodes, flags.most_nodes),
        most_of_zone=_lower(policy.max_share_of_zone, flags.most_of_zone),
        most_of_control_plane=_lower(policy.max_control_plane, flags.most_of_control_plane),
        etcd_quorum=max(_given((policy.keep_etcd_quorum, flags.etcd_quorum)), default=None),
        least_left=max(policy.min_left, flags.least_left),
        protected=flags.protected | frozenset(policy.protect_namespaces),
        respect_budgets=policy.respect_pdb or flags.respect_budgets,
    )


def _lower(*limits: Limit | None) -> Limit | None:
    return min(_given(limits), default=None)


def _given(limits: Iterable[Limit | None]) -> list[Limit]:
    return [limit for limit in limits if limit is not None]
