"""The objects of the Kubernetes API that Seatrial reads, with the fields that it reads.

Partial on purpose: a list of 5,000 pods costs a twentieth of the time and memory when only these fields are decoded.
Unknown fields are skipped, absent ones take the default; names are Kubernetes' own in snake case. Objects that are
sent stay plain dictionaries, because writing back a partial object would drop the rest of it.
"""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import field

ZONE_LABEL = "topology.kubernetes.io/zone"
"""The label that says in which zone a node is (Kubernetes documentation, "Well-Known Labels")."""


class _Part(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """The base of all structures here: frozen, camelCase in JSON, and outside the garbage collector's rounds."""


class OwnerReference(_Part, frozen=True):
    """Who owns an object; `controller` marks the one that manages it."""

    kind: str
    name: str
    uid: str
    api_version: str = ""
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(_Part, frozen=True):
    """What every object has. Times resolve one second: measure with a watch's arrival times instead."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    deletion_grace_period_seconds: int | None = None

    @property
    def controller(self) -> OwnerReference | None:
        """The owner that manages this object, if one does."""
        return next((owner for owner in self.owner_references if owner.controller), None)


class PartialObject(_Part, frozen=True):
    """An object of any kind, reduced to its metadata."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = field(default_factory=ObjectMeta)


class Condition(_Part, frozen=True):
    """One observed aspect of an object's state; `status` is True, False or Unknown."""

    type: str
    status: str = "Unknown"
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None

    @property
    def is_true(self) -> bool:
        """Whether the condition holds for sure."""
        return self.status == "True"


class ContainerPort(_Part, frozen=True):
    """A port that a container says it listens on."""

    container_port: int
    name: str = ""
    protocol: str = "TCP"


class Container(_Part, frozen=True):
    """A container's specification; `restart_policy` Always on an init container makes it a sidecar."""

    name: str
    image: str = ""
    ports: tuple[ContainerPort, ...] = ()
    restart_policy: str | None = None
    security_context: dict[str, Any] | None = None
    resources: dict[str, Any] | None = None


class Toleration(_Part, frozen=True):
    """A taint that a pod puts up with, and how long."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class ReadinessGate(_Part, frozen=True):
    """A condition beyond the containers' own that readiness waits for."""

    condition_type: str


class PodSpec(_Part, frozen=True):
    """What a pod should be."""

    node_name: str = ""
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    restart_policy: str = "Always"
    termination_grace_period_seconds: int | None = None
    service_account_name: str = ""
    host_network: bool = False
    host_pid: bool = field(name="hostPID", default=False)
    share_process_namespace: bool | None = None
    priority_class_name: str = ""
    tolerations: tuple[Toleration, ...] = ()
    readiness_gates: tuple[ReadinessGate, ...] = ()


class ContainerStateWaiting(_Part, frozen=True):
    """A container that doesn't run yet, or not at the moment."""

    reason: str = ""
    message: str = ""


class ContainerStateRunning(_Part, frozen=True):
    """A container that runs."""

    started_at: datetime | None = None


class ContainerStateTerminated(_Part, frozen=True):
    """A container that ended; 137 is SIGKILL, 143 SIGTERM."""

    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None


class ContainerState(_Part, frozen=True):
    """Exactly one of the three, or none when nothing is known yet."""

    waiting: ContainerStateWaiting | None = None
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None


class ContainerStatus(_Part, frozen=True):
    """What the kubelet reports about a container."""

    name: str
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    image: str = ""
    container_id: str = field(name="containerID", default="")
    state: ContainerState = field(default_factory=ContainerState)
    last_state: ContainerState = field(default_factory=ContainerState)


class PodIP(_Part, frozen=True):
    """One of a pod's addresses."""

    ip: str = ""


class PodStatus(_Part, frozen=True):
    """What a pod is."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    ephemeral_container_statuses: tuple[ContainerStatus, ...] = ()
    pod_ip: str = field(name="podIP", default="")
    pod_ips: tuple[PodIP, ...] = field(name="podIPs", default=())
    host_ip: str = field(name="hostIP", default="")
    start_time: datetime | None = None
    qos_class: str = ""
    nominated_node_name: str = ""


class Pod(_Part, frozen=True):
    """A pod. The STATUS that kubectl prints is worked out in `pod_status`."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: PodSpec = field(default_factory=PodSpec)
    status: PodStatus = field(default_factory=PodStatus)

    def condition(self, type_: str) -> Condition | None:
        """The condition of a type, such as Ready or PodScheduled."""
        return _condition(self.status.conditions, type_)

    @property
    def is_ready(self) -> bool:
        """Whether the Ready condition holds: Services send traffic to it."""
        ready = self.condition("Ready")
        return ready is not None and ready.is_true

    @property
    def is_terminating(self) -> bool:
        """Whether its deletion has begun."""
        return self.metadata.deletion_timestamp is not None

    @property
    def is_finished(self) -> bool:
        """Whether its containers have ended for good."""
        return self.status.phase in {"Succeeded", "Failed"}


class WorkloadSpec(_Part, frozen=True):
    """What is common to Deployments, ReplicaSets and StatefulSets; `selector` is for `LabelSelector.from_dict`."""

    replicas: int | None = None
    selector: dict[str, Any] | None = None
    min_ready_seconds: int = 0
    paused: bool = False

    @property
    def wanted_replicas(self) -> int:
        """How many pods there should be: one where nothing is said."""
        return 1 if self.replicas is None else self.replicas


class WorkloadStatus(_Part, frozen=True):
    """How far a workload has got."""

    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    updated_replicas: int = 0
    unavailable_replicas: int = 0
    conditions: tuple[Condition, ...] = ()


class _Workload(_Part, frozen=True):
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: WorkloadSpec = field(default_factory=WorkloadSpec)
    status: WorkloadStatus = field(default_factory=WorkloadStatus)


class Deployment(_Workload, frozen=True):
    """A Deployment."""


class ReplicaSet(_Workload, frozen=True):
    """A ReplicaSet."""


class StatefulSet(_Workload, frozen=True):
    """A StatefulSet."""


class ScaleSpec(_Part, frozen=True):
    """How many replicas there should be."""

    replicas: int = 0


class ScaleStatus(_Part, frozen=True):
    """How many replicas there are; `selector` is the text of a label selector."""

    replicas: int = 0
    selector: str = ""


class Scale(_Part, frozen=True):
    """The scale subresource, the same for every kind that can be scaled."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: ScaleSpec = field(default_factory=ScaleSpec)
    status: ScaleStatus = field(default_factory=ScaleStatus)


class DaemonSetSpec(_Part, frozen=True):
    """What a DaemonSet should be."""

    selector: dict[str, Any] | None = None


class DaemonSetStatus(_Part, frozen=True):
    """How far a DaemonSet has got."""

    observed_generation: int = 0
    desired_number_scheduled: int = 0
    current_number_scheduled: int = 0
    number_ready: int = 0
    number_available: int = 0
    updated_number_scheduled: int = 0


class DaemonSet(_Part, frozen=True):
    """A DaemonSet."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: DaemonSetSpec = field(default_factory=DaemonSetSpec)
    status: DaemonSetStatus = field(default_factory=DaemonSetStatus)


class Taint(_Part, frozen=True):
    """Why pods should keep away from a node."""

    key: str
    value: str = ""
    effect: str = ""
    time_added: datetime | None = None


class NodeSpec(_Part, frozen=True):
    """What a node should be; `provider_id` names the machine in its cloud, `pod_cidrs` the ranges of its pods."""

    provider_id: str = field(name="providerID", default="")
    pod_cidrs: tuple[str, ...] = field(name="podCIDRs", default=())
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


class NodeAddress(_Part, frozen=True):
    """An address of a node; `type` is InternalIP, ExternalIP, Hostname, ..."""

    type: str
    address: str


class NodeInfo(_Part, frozen=True):
    """What a node's kubelet says of its system; `boot_id` is made anew each time that boots."""

    boot_id: str = field(name="bootID", default="")
    kubelet_version: str = ""


class NodeStatus(_Part, frozen=True):
    """What a node is."""

    conditions: tuple[Condition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()
    capacity: dict[str, str] | None = None
    allocatable: dict[str, str] | None = None
    node_info: NodeInfo = field(default_factory=NodeInfo)


class Node(_Part, frozen=True):
    """A node."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: NodeSpec = field(default_factory=NodeSpec)
    status: NodeStatus = field(default_factory=NodeStatus)

    @property
    def is_ready(self) -> bool:
        """Whether its kubelet reports, and reports Ready."""
        ready = _condition(self.status.conditions, "Ready")
        return ready is not None and ready.is_true

    def addresses(self, type_: str) -> tuple[str, ...]:
        """Its addresses of a type, such as InternalIP."""
        return tuple(address.address for address in self.status.addresses if address.type == type_)


class ServicePort(_Part, frozen=True):
    """A port of a Service; `target_port` is a number or a container port's name."""

    port: int
    name: str = ""
    protocol: str = "TCP"
    target_port: int | str | None = None
    node_port: int | None = None


class ServiceSpec(_Part, frozen=True):
    """What a Service should be; `selector` is a plain map (`LabelSelector.from_labels`)."""

    type: str = "ClusterIP"
    cluster_ip: str = field(name="clusterIP", default="")
    ports: tuple[ServicePort, ...] = ()
    selector: dict[str, str] | None = None
    external_name: str = ""


class Service(_Part, frozen=True):
    """A Service."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: ServiceSpec = field(default_factory=ServiceSpec)


class EndpointConditions(_Part, frozen=True):
    """Whether an endpoint takes traffic; unset readiness counts as ready."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class ObjectReference(_Part, frozen=True):
    """A pointer to another object."""

    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


class Endpoint(_Part, frozen=True):
    """One address behind a Service."""

    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = field(default_factory=EndpointConditions)
    target_ref: ObjectReference | None = None
    node_name: str = ""
    zone: str = ""


class EndpointPort(_Part, frozen=True):
    """A port of a slice's endpoints: the Service port's name, and the number behind its `targetPort`."""

    name: str | None = None
    port: int | None = None
    protocol: str = "TCP"


class EndpointSlice(_Part, frozen=True):
    """Some of the addresses behind a Service; `endpoints` is null when there are none."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    address_type: str = ""
    endpoints: tuple[Endpoint, ...] | None = None
    ports: tuple[EndpointPort, ...] | None = None


class NamespaceStatus(_Part, frozen=True):
    """Active or Terminating."""

    phase: str = ""


class Namespace(_Part, frozen=True):
    """A namespace."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    status: NamespaceStatus = field(default_factory=NamespaceStatus)


class PodDisruptionBudgetSpec(_Part, frozen=True):
    """How many pods must stay, or how many may go: a number or a percentage."""

    min_available: int | str | None = None
    max_unavailable: int | str | None = None
    selector: dict[str, Any] | None = None


class PodDisruptionBudgetStatus(_Part, frozen=True):
    """How many more pods may go at the moment."""

    observed_generation: int = 0
    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    expected_pods: int = 0


class PodDisruptionBudget(_Part, frozen=True):
    """A PodDisruptionBudget."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: PodDisruptionBudgetSpec = field(default_factory=PodDisruptionBudgetSpec)
    status: PodDisruptionBudgetStatus = field(default_factory=PodDisruptionBudgetStatus)


class Event(_Part, frozen=True):
    """What a component has to tell about an object."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    involved_object: ObjectReference = field(default_factory=ObjectReference)
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int | None = None


def _condition(conditions: tuple[Condition, ...], type_: str) -> Condition | None:
    return next((condition for condition in conditions if condition.type == type_), None)
