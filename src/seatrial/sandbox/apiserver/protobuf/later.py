"""Fields that Kubernetes' messages gained after the descriptors that `build` reads (1.33); `messages` has the notation.

Facts of Kubernetes 1.36: the numbers that the API's Go types carry in their `protobuf` tags.
"""

LATER: dict[str, dict[str, str]] = {
    "core.v1.Container": {"restartPolicyRules": "25 []@core.v1.ContainerRestartRule"},
    "core.v1.ContainerExtendedResourceRequest": {
        "containerName": "1 string",
        "resourceName": "2 string",
        "requestName": "3 string",
    },
    "core.v1.ContainerRestartRule": {
        "action": "1 string",
        "exitCodes": "2 @core.v1.ContainerRestartRuleOnExitCodes?",
    },
    "core.v1.ContainerRestartRuleOnExitCodes": {"operator": "1 string", "values": "2 []int32"},
    "core.v1.EnvVarSource": {"fileKeyRef": "5 @core.v1.FileKeySelector?"},
    "core.v1.EphemeralContainerCommon": {"restartPolicyRules": "25 []@core.v1.ContainerRestartRule"},
    "core.v1.FileKeySelector": {"volumeName": "1 string", "path": "2 string", "key": "3 string", "optional": "4 bool?"},
    "core.v1.ImageVolumeStatus": {"imageRef": "1 string"},
    "core.v1.NodeAllocatableResourceClaimStatus": {
        "resourceClaimName": "1 string",
        "containers": "2 []string",
        "resources": "3 {}quantity",
    },
    "core.v1.NodeStatus": {"declaredFeatures": "14 []string"},
    "core.v1.PodCertificateProjection": {
        "signerName": "1 string",
        "keyType": "2 string",
        "maxExpirationSeconds": "3 int32?",
        "credentialBundlePath": "4 string",
        "keyPath": "5 string",
        "certificateChainPath": "6 string",
        "userAnnotations": "7 {}string",
    },
    "core.v1.PodExtendedResourceClaimStatus": {
        "requestMappings": "1 []@core.v1.ContainerExtendedResourceRequest",
        "resourceClaimName": "2 string",
    },
    "core.v1.PodSchedulingGroup": {"podGroupName": "1 string?"},
    "core.v1.PodSpec": {"hostnameOverride": "41 string?", "schedulingGroup": "43 @core.v1.PodSchedulingGroup?"},
    "core.v1.PodStatus": {
        "extendedResourceClaimStatus": "18 @core.v1.PodExtendedResourceClaimStatus?",
        "allocatedResources": "19 {}quantity",
        "resources": "20 @core.v1.ResourceRequirements?",
        "nodeAllocatableResourceClaimStatuses": "21 []@core.v1.NodeAllocatableResourceClaimStatus",
    },
    "core.v1.ResourceHealth": {"message": "3 string?"},
    "core.v1.VolumeMountStatus": {"volumeStatus": "5 @core.v1.VolumeStatus?"},
    "core.v1.VolumeProjection": {"podCertificate": "6 @core.v1.PodCertificateProjection?"},
    "core.v1.VolumeStatus": {"image": "1 @core.v1.ImageVolumeStatus?"},
    "meta.v1.ListMeta": {"shardInfo": "5 @meta.v1.ShardInfo?"},
    "meta.v1.ShardInfo": {"selector": "1 string"},
    "storage.v1.CSIDriverSpec": {
        "serviceAccountTokenInSecrets": "10 bool?",
        "preventPodSchedulingIfMissing": "11 bool?",
    },
    "storage.v1.VolumeAttributesClass": {
        "metadata": "1 @meta.v1.ObjectMeta",
        "driverName": "2 string",
        "parameters": "3 {}string",
    },
    "storage.v1.VolumeAttributesClassList": {
        "metadata": "1 @meta.v1.ListMeta",
        "items": "2 []@storage.v1.VolumeAttributesClass",
    },
}
