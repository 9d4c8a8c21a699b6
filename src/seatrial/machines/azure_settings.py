"""Which resource groups of Azure, and which of its clouds: flags, variables, and what the cluster's nodes say."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from seatrial.errors import MachineError

GROUP = "AZURE_RESOURCE_GROUP_NAME"
NODE_GROUP = "AZURE_NODE_RESOURCE_GROUP_NAME"

# Who gives tokens, and where machines are managed, in the public cloud and the national ones:
# https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure, .../azure/china/.
_ENDPOINTS = {
    "login.microsoftonline.com": "https://management.azure.com",
    "login.chinacloudapi.cn": "https://management.chinacloudapi.cn",
    "login.partner.microsoftonline.cn": "https://management.chinacloudapi.cn",
    "login.microsoftonline.us": "https://management.usgovcloudapi.net",
}
_ID = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)/providers/Microsoft\.Compute"
    r"(?:/virtualMachineScaleSets/(?P<scale_set>[^/]+))?/virtualMachines/(?P<name>[^/]+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureId:
    """A machine's resource id, taken apart; in a scale set `name` is the instance's number."""

    subscription: str
    group: str
    scale_set: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "AzureId | None":
        """None: it is no id of a machine."""
        found = _ID.fullmatch(text)
        return cls(**{key: value or "" for key, value in found.groupdict().items()}) if found else None

    @classmethod
    def of(cls, machine_id: str) -> "AzureId":
        """That of a machine.

        Raises:
            MachineError: it is none.
        """
        parsed = cls.parse(machine_id)
        if parsed is None:
            raise MachineError(f"'{machine_id}' is no machine of Azure", hint="its form is /subscriptions/.../NAME")
        return parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureSettings:
    """Where machines are looked for: resource groups as pairs of subscription and name.

    `endpoint` is that of Azure's resource manager; a cloud that is `private` isn't in Microsoft's directory of clouds.
    `certificates` is a file of authorities to trust, where it isn't the system's.
    """

    groups: tuple[tuple[str, str], ...]
    endpoint: str
    private: bool
    certificates: str


def read_settings(variables: Mapping[str, str], provider_ids: Iterable[str]) -> AzureSettings:
    """The settings that variables, and the provider ids of the nodes, give.

    Where the group of the machines isn't given, those that the nodes are in count.
    """
    nodes = [found for each in provider_ids if (found := AzureId.parse(each.removeprefix("azure://")))]
    subscriptions = dict.fromkeys(each.subscription for each in nodes) or dict.fromkeys(
        [variables["AZURE_SUBSCRIPTION_ID"]] if variables.get("AZURE_SUBSCRIPTION_ID") else []
    )
    named = [variables[each] for each in (GROUP, NODE_GROUP) if variables.get(each)]
    groups = {(subscription, name.casefold()): name for subscription in subscriptions for name in named}
    if not variables.get(NODE_GROUP):
        groups |= {(each.subscription, each.group.casefold()): each.group for each in nodes}
    authority = variables.get("AZURE_AUTHORITY_HOST", "login.microsoftonline.com")
    host = urlsplit(authority if "://" in authority else f"https://{authority}").hostname or ""
    return AzureSettings(
        groups=tuple((subscription, name) for (subscription, _), name in groups.items()),
        endpoint=(variables.get("ARM_ENDPOINT") or _ENDPOINTS.get(host, "https://management.azure.com")).rstrip("/"),
        private=host not in _ENDPOINTS,
        certificates=variables.get("SSL_CERT_FILE", ""),
    )
