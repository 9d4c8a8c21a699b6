"""Fields that may have one of a few words, for the OpenAPI documents: `kubectl explain` lists them.

Facts of Kubernetes' published schemas. The server's own validation lies with the strategies of each kind.
"""

from collections.abc import Mapping
from typing import Final

_PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
_EFFECTS: Final = ("NoExecute", "NoSchedule", "PreferNoSchedule")
_OPERATORS: Final = ("DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn")
_HONOR: Final = ("Honor", "Ignore")
_PRIMITIVES: Final = ("ContainerResource", "External", "Object", "Pods", "Resource")

_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "apps.v1.DaemonSetUpdateStrategy.type": ("OnDelete", "RollingUpdate"),
    "apps.v1.DeploymentStrategy.type": ("Recreate", "RollingUpdate"),
    "apps.v1.StatefulSetSpec.podManagementPolicy": ("OrderedReady", "Parallel"),
    "apps.v1.StatefulSetUpdateStrategy.type": ("OnDelete", "RollingUpdate"),
    "autoscaling.v2.HPAScalingPolicy.type": ("Percent", "Pods"),
    "autoscaling.v2.HPAScalingRules.selectPolicy": ("Disabled", "Max", "Min"),
    "autoscaling.v2.MetricSpec.type": _PRIMITIVES,
    "autoscaling.v2.MetricStatus.type": _PRIMITIVES,
    "autoscaling.v2.MetricTarget.type": ("AverageValue", "Utilization", "Value"),
    "batch.v1.CronJobSpec.concurrencyPolicy": ("Allow", "Forbid", "Replace"),
    "batch.v1.JobSpec.completionMode": ("Indexed", "NonIndexed"),
    "batch.v1.JobSpec.podReplacementPolicy": ("Failed", "TerminatingOrFailed"),
    "batch.v1.PodFailurePolicyRule.action": ("Count", "FailIndex", "FailJob", "Ignore"),
    "batch.v1.PodFailurePolicyOnExitCodesRequirement.operator": ("In", "NotIn"),
    "core.v1.AppArmorProfile.type": ("Localhost", "RuntimeDefault", "Unconfined"),
    "core.v1.Container.imagePullPolicy": ("Always", "IfNotPresent", "Never"),
    "core.v1.Container.terminationMessagePolicy": ("FallbackToLogsOnError", "File"),
    "core.v1.ContainerPort.protocol": _PROTOCOLS,
    "core.v1.EndpointPort.protocol": _PROTOCOLS,
    "core.v1.EphemeralContainer.imagePullPolicy": ("Always", "IfNotPresent", "Never"),
    "core.v1.EphemeralContainer.terminationMessagePolicy": ("FallbackToLogsOnError", "File"),
    "core.v1.HTTPGetAction.scheme": ("HTTP", "HTTPS"),
    "core.v1.HostPathVolumeSource.type": (
        "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
    ),
    "core.v1.NamespaceStatus.phase": ("Active", "Terminating"),
    "core.v1.NodeSelectorRequirement.operator": _OPERATORS,
    "core.v1.NodeStatus.phase": ("Pending", "Running", "Terminated"),
    "core.v1.PersistentVolumeClaimSpec.volumeMode": ("Block", "Filesystem"),
    "core.v1.PersistentVolumeClaimStatus.phase": ("Bound", "Lost", "Pending"),
    "core.v1.PersistentVolumeSpec.persistentVolumeReclaimPolicy": ("Delete", "Recycle", "Retain"),
    "core.v1.PersistentVolumeSpec.volumeMode": ("Block", "Filesystem"),
    "core.v1.PersistentVolumeStatus.phase": ("Available", "Bound", "Failed", "Pending", "Released"),
    "core.v1.PodSecurityContext.fsGroupChangePolicy": ("Always", "OnRootMismatch"),
    "core.v1.PodSecurityContext.supplementalGroupsPolicy": ("Merge", "Strict"),
    "core.v1.PodSpec.dnsPolicy": ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    "core.v1.PodSpec.preemptionPolicy": ("Never", "PreemptLowerPriority"),
    "core.v1.PodSpec.restartPolicy": ("Always", "Never", "OnFailure"),
    "core.v1.PodStatus.phase": ("Failed", "Pending", "Running", "Succeeded", "Unknown"),
    "core.v1.PodStatus.qosClass": ("BestEffort", "Burstable", "Guaranteed"),
    "core.v1.ScopedResourceSelectorRequirement.operator": ("DoesNotExist", "Exists", "In", "NotIn"),
    "core.v1.SeccompProfile.type": ("Localhost", "RuntimeDefault", "Unconfined"),
    "core.v1.SecurityContext.procMount": ("Default", "Unmasked"),
    "core.v1.ServicePort.protocol": _PROTOCOLS,
    "core.v1.ServiceSpec.externalTrafficPolicy": ("Cluster", "Local"),
    "core.v1.ServiceSpec.internalTrafficPolicy": ("Cluster", "Local"),
    "core.v1.ServiceSpec.ipFamilyPolicy": ("PreferDualStack", "RequireDualStack", "SingleStack"),
    "core.v1.ServiceSpec.sessionAffinity": ("ClientIP", "None"),
    "core.v1.ServiceSpec.type": ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"),
    "core.v1.Taint.effect": _EFFECTS,
    "core.v1.Toleration.effect": _EFFECTS,
    "core.v1.Toleration.operator": ("Equal", "Exists", "Gt", "Lt"),
    "core.v1.TopologySpreadConstraint.nodeAffinityPolicy": _HONOR,
    "core.v1.TopologySpreadConstraint.nodeTaintsPolicy": _HONOR,
    "core.v1.TopologySpreadConstraint.whenUnsatisfiable": ("DoNotSchedule", "ScheduleAnyway"),
    "discovery.v1.EndpointSlice.addressType": ("FQDN", "IPv4", "IPv6"),
    "networking.v1.HTTPIngressPath.pathType": ("Exact", "ImplementationSpecific", "Prefix"),
    "networking.v1.NetworkPolicyPort.protocol": _PROTOCOLS,
    "policy.v1.PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy": ("AlwaysAllow", "IfHealthyBudget"),
    "scheduling.v1.PriorityClass.preemptionPolicy": ("Never", "PreemptLowerPriority"),
    "storage.v1.StorageClass.reclaimPolicy": ("Delete", "Recycle", "Retain"),
    "storage.v1.StorageClass.volumeBindingMode": ("Immediate", "WaitForFirstConsumer"),
}  # fmt: skip


def words_of(structure: str, field: str) -> list[str]:
    """The words that a field of a structure may have (`core.v1.PodSpec`, `restartPolicy`); empty for any."""
    return list(_WORDS.get(f"{structure}.{field}", ()))
