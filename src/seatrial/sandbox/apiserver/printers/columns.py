"""The columns of each resource's table. A wide column (`-o wide`) has priority 1."""

from typing import Any, NamedTuple


class Column(NamedTuple):
    """One column."""

    name: str
    wide: bool = False
    type: str = "string"
    format: str = ""

    def definition(self) -> dict[str, Any]:
        """The column as a Table defines it."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": _DESCRIPTIONS.get(self.name, f"{self.name} of the object."),
            "priority": 1 if self.wide else 0,
        }


_DESCRIPTIONS = {
    "Name": "The object's name, unique within its namespace.",
    "Age": "The time since the object was created.",
    "Created At": "The time at which the object was created.",
    "Ready": "How many of the wanted pods or containers are ready.",
    "Status": "The object's state, in a word.",
    "Restarts": "How often containers were restarted, and when last.",
    "Containers": "Names of each container in the template.",
    "Images": "Images referenced by each container in the template.",
}


def _columns(text: str) -> tuple[Column, ...]:
    """Columns from their names; `*` marks a wide one, `#` an integer, `?` a boolean, `@` a date, `!` no name."""
    types = {"#": "integer", "?": "boolean", "@": "date"}
    found = []
    for word in text.split("|"):
        name = word.strip("*#?@!")
        kind = next((types[mark] for mark in types if mark in word), "string")
        found.append(Column(name, "*" in word, kind, "name" if name == "Name" and "!" not in word else ""))
    return tuple(found)


_TEMPLATE = "Containers*|Images*|Selector*"
COLUMNS: dict[str, tuple[Column, ...]] = {
    key: _columns(text)
    for key, text in {
        "pods": "Name|Ready|Status|Restarts|Age|IP*|Node*|Nominated Node*|Readiness Gates*",
        "deployments.apps": f"Name|Ready|Up-to-date|Available|Age|{_TEMPLATE}",
        "replicasets.apps": f"Name|Desired#|Current#|Ready#|Age|{_TEMPLATE}",
        "replicationcontrollers": f"Name|Desired#|Current#|Ready#|Age|{_TEMPLATE}",
        "statefulsets.apps": "Name|Ready|Age|Containers*|Images*",
        "daemonsets.apps": f"Name|Desired#|Current#|Ready#|Up-to-date#|Available#|Node Selector|Age|{_TEMPLATE}",
        "controllerrevisions.apps": "Name|Controller|Revision|Age",
        "jobs.batch": f"Name|Status|Completions|Duration|Age|{_TEMPLATE}",
        "cronjobs.batch": f"Name|Schedule|Timezone|Suspend?|Active#|Last Schedule|Age|{_TEMPLATE}",
        "services": "Name|Type|Cluster-IP|External-IP|Port(s)|Age|Selector*",
        "endpoints": "Name|Endpoints|Age",
        "endpointslices.discovery.k8s.io": "Name|AddressType|Ports|Endpoints|Age",
        "scales": "Name!|Desired#|Available#|Age",
        "nodes": (
            "Name|Status|Roles|Age|Version|Internal-IP*|External-IP*|OS-Image*|Kernel-Version*|Container-Runtime*"
        ),
        "namespaces": "Name|Status|Age",
        "configmaps": "Name|Data|Age",
        "secrets": "Name|Type|Data|Age",
        "serviceaccounts": "Name|Age",
        "events": ("Last Seen|Type|Reason|Object|Subobject*|Source*|Message|First Seen*|Count*|Name*"),
        "leases.coordination.k8s.io": "Name|Holder|Age",
        "poddisruptionbudgets.policy": "Name|Min Available|Max Unavailable|Allowed Disruptions#|Age",
        "horizontalpodautoscalers.autoscaling": "Name|Reference|Targets|MinPods|MaxPods|Replicas|Age",
        "roles.rbac.authorization.k8s.io": "Name|Created At@",
        "clusterroles.rbac.authorization.k8s.io": "Name|Created At@",
        "rolebindings.rbac.authorization.k8s.io": "Name|Role|Age|Users*|Groups*|ServiceAccounts*",
        "clusterrolebindings.rbac.authorization.k8s.io": "Name|Role|Age|Users*|Groups*|ServiceAccounts*",
        "networkpolicies.networking.k8s.io": "Name|Pod-Selector|Age",
        "ingresses.networking.k8s.io": "Name|Class|Hosts|Address|Ports|Age",
        "priorityclasses.scheduling.k8s.io": "Name|Value#|Global-Default?|Age|PreemptionPolicy",
        "resourcequotas": "Name|Request|Limit|Age",
        "persistentvolumes": (
            "Name|Capacity|Access Modes|Reclaim Policy|Status|Claim|StorageClass|VolumeAttributesClass|Reason|Age"
            "|VolumeMode*"
        ),
        "storageclasses.storage.k8s.io": "Name|Provisioner|ReclaimPolicy|VolumeBindingMode|AllowVolumeExpansion|Age",
        "podtemplates": "Name|Containers|Images|Pod Labels",
        "componentstatuses": "Name|Status|Message|Error",
        "apiservices.apiregistration.k8s.io": "Name|Service|Available|Age",
        "ingressclasses.networking.k8s.io": "Name|Controller|Parameters|Age",
        "runtimeclasses.node.k8s.io": "Name|Handler|Age",
        "certificatesigningrequests.certificates.k8s.io": ("Name|Age|SignerName|Requestor|RequestedDuration|Condition"),
        "csinodes.storage.k8s.io": "Name|Drivers#|Age",
        "csidrivers.storage.k8s.io": (
            "Name|AttachRequired?|PodInfoOnMount?|StorageCapacity?|TokenRequests|RequiresRepublish?|Modes|Age"
        ),
        "csistoragecapacities.storage.k8s.io": "Name|StorageClassName|Capacity",
        "volumeattachments.storage.k8s.io": "Name|Attacher|PV|Node|Attached?|Age",
        "volumeattributesclasses.storage.k8s.io": "Name|DriverName|Age",
        "flowschemas.flowcontrol.apiserver.k8s.io": (
            "Name|PriorityLevel|MatchingPrecedence#|DistinguisherMethod|Age|MissingPL"
        ),
        "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": (
            "Name|Type|NominalConcurrencyShares|Queues|HandSize|QueueLengthLimit|Age"
        ),
        "mutatingwebhookconfigurations.admissionregistration.k8s.io": "Name|Webhooks#|Age",
        "validatingwebhookconfigurations.admissionregistration.k8s.io": "Name|Webhooks#|Age",
        "validatingadmissionpolicies.admissionregistration.k8s.io": "Name|Validations#|ParamKind|Age",
        "mutatingadmissionpolicies.admissionregistration.k8s.io": "Name|Mutations#|ParamKind|Age",
        "validatingadmissionpolicybindings.admissionregistration.k8s.io": "Name|PolicyName|ParamRef|Age",
        "mutatingadmissionpolicybindings.admissionregistration.k8s.io": "Name|PolicyName|ParamRef|Age",
        "servicecidrs.networking.k8s.io": "Name|CIDRs|Age",
        "ipaddresses.networking.k8s.io": "Name|ParentRef|Age",
        "deviceclasses.resource.k8s.io": "Name|Age",
        "resourceclaims.resource.k8s.io": "Name|State|Age",
        "resourceclaimtemplates.resource.k8s.io": "Name|Age",
        "resourceslices.resource.k8s.io": "Name|Node|Driver|Pool|Age",
        "persistentvolumeclaims": (
            "Name|Status|Volume|Capacity|Access Modes|StorageClass|VolumeAttributesClass|Age|VolumeMode*"
        ),
    }.items()
}
DEFAULT = _columns("Name|Created At@")
