"""The columns of each resource's table. A wide column (`-o wide`) has priority 1."""

from typing import Any, NamedTuple


class Column(NamedTuple):
    """One column."""

    name: str
    wide: bool = False
    type: str = "string"

    def definition(self) -> dict[str, Any]:
        """The column as a Table defines it."""
        return {
            "name": self.name,
            "type": self.type,
            "format": "name" if self.name == "Name" else "",
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
    """Columns from their names; `*` marks a wide one, `#` an integer, `?` a boolean, `@` a date."""
    types = {"#": "integer", "?": "boolean", "@": "date"}
    found = []
    for word in text.split("|"):
        name = word.strip("*#?@")
        found.append(Column(name, "*" in word, next((types[mark] for mark in types if mark in word), "string")))
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
        "persistentvolumeclaims": (
            "Name|Status|Volume|Capacity|Access Modes|StorageClass|VolumeAttributesClass|Age|VolumeMode*"
        ),
    }.items()
}
DEFAULT = _columns("Name|Created At@")
