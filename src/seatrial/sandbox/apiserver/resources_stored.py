"""Resources that are served and stored, and that nothing in the sandbox acts upon.

Clients list them, and charts of operators bring some along: certificates are not signed, admission webhooks and
policies not called, devices not allocated, requests not queued by flow schemas.
"""

from seatrial.sandbox.apiserver.resources import Resource, Subresource


def _cluster(
    plural: str,
    kind: str,
    group: str,
    *subresources: str,
    short_names: tuple[str, ...] = (),
    categories: tuple[str, ...] = (),
) -> Resource:
    """A resource outside namespaces; subresources answer with its own kind."""
    return Resource(
        plural,
        kind,
        group,
        singular=kind.lower(),
        namespaced=False,
        short_names=short_names,
        categories=categories,
        subresources=tuple(Subresource(name, kind) for name in subresources),
    )


_EXTENSIONS = ("api-extensions",)
_ADMISSION = "admissionregistration.k8s.io"
_DEVICES = "resource.k8s.io"
_STORAGE = "storage.k8s.io"

STORED = (
    _cluster("apiservices", "APIService", "apiregistration.k8s.io", "status", categories=_EXTENSIONS),
    _cluster(
        "certificatesigningrequests",
        "CertificateSigningRequest",
        "certificates.k8s.io",
        "approval",
        "status",
        short_names=("csr",),
    ),
    _cluster("ipaddresses", "IPAddress", "networking.k8s.io", short_names=("ip",)),
    _cluster("servicecidrs", "ServiceCIDR", "networking.k8s.io", "status"),
    _cluster("csidrivers", "CSIDriver", _STORAGE),
    Resource("csistoragecapacities", "CSIStorageCapacity", _STORAGE, singular="csistoragecapacity"),
    _cluster("volumeattachments", "VolumeAttachment", _STORAGE, "status"),
    _cluster("volumeattributesclasses", "VolumeAttributesClass", _STORAGE, short_names=("vac",)),
    _cluster("mutatingadmissionpolicies", "MutatingAdmissionPolicy", _ADMISSION, categories=_EXTENSIONS),
    _cluster("mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding", _ADMISSION, categories=_EXTENSIONS),
    _cluster("mutatingwebhookconfigurations", "MutatingWebhookConfiguration", _ADMISSION, categories=_EXTENSIONS),
    _cluster("validatingadmissionpolicies", "ValidatingAdmissionPolicy", _ADMISSION, "status", categories=_EXTENSIONS),
    _cluster(
        "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", _ADMISSION, categories=_EXTENSIONS
    ),
    _cluster("validatingwebhookconfigurations", "ValidatingWebhookConfiguration", _ADMISSION, categories=_EXTENSIONS),
    _cluster("deviceclasses", "DeviceClass", _DEVICES),
    Resource(
        "resourceclaims",
        "ResourceClaim",
        _DEVICES,
        singular="resourceclaim",
        subresources=(Subresource("status", "ResourceClaim"),),
    ),
    Resource("resourceclaimtemplates", "ResourceClaimTemplate", _DEVICES, singular="resourceclaimtemplate"),
    _cluster("resourceslices", "ResourceSlice", _DEVICES),
    _cluster("flowschemas", "FlowSchema", "flowcontrol.apiserver.k8s.io", "status"),
    _cluster("prioritylevelconfigurations", "PriorityLevelConfiguration", "flowcontrol.apiserver.k8s.io", "status"),
)
