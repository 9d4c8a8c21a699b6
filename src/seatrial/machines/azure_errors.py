"""What Azure's SDK raises, as errors for people.

Codes: https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors and
https://learn.microsoft.com/azure/virtual-machines/allocation-failure.
"""

import re
from typing import Any

from seatrial.errors import MachineError
from seatrial.machines.driver import MachineGone

_ACTION = re.compile(r"perform action '([^']+)'")
_NO_ROOM = (
    "AllocationFailed",
    "ZonalAllocationFailed",
    "OverconstrainedAllocationRequest",
    "OverconstrainedZonalAllocationRequest",
    "SkuNotAvailable",
)
# Azure's directory gives its refusals numbers; the SDK tells them below all ways of logging in that it tried.
_WHY_NO_TOKEN = re.compile(r"AADSTS\d+[^\n]*")
# Those that variables ask for, on purpose, of the ways that it tells.
_ASKED_FOR = re.compile(r"^\s*(?:EnvironmentCredential|WorkloadIdentityCredential): ([^\n]+)", re.MULTILINE)
_LOG_IN = "log in with az login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
_HINTS = {
    "ResourceGroupNotFound": "see az group list for the resource groups that there are",
    "SubscriptionNotFound": "see az account list for the subscriptions that there are",
    "InvalidSubscriptionId": "see az account list for the subscriptions that there are",
    "QuotaExceeded": "raise the subscription's quota, or free some of it",
    "OperationNotAllowed": "look at its quota, and at what else is being done to that machine",
    "AuthorizationFailed": "grant the role Virtual Machine Contributor",
    **dict.fromkeys(
        ("Conflict", "AnotherOperationInProgress", "OperationPreempted"),
        "something else is being done to that machine: try again",
    ),
    **dict.fromkeys(_NO_ROOM, "its place has no room for such a machine at present: try again later"),
}


def translated(error: Any, what: str) -> MachineError:
    """An error of the SDK.

    Args:
        error: an `AzureError`.
        what: what could not be done.
    """
    from azure.core.exceptions import (  # noqa: PLC0415 -- an extra
        ClientAuthenticationError,
        ResourceNotFoundError,
        ServiceRequestError,
        ServiceResponseError,
    )

    body = getattr(error, "error", None)  # the code and the message, where the answer had the usual form
    code = str(getattr(body, "code", None) or "")
    message = str(getattr(body, "message", None) or error.message or type(error).__name__)
    first_line = message.strip().splitlines()[0] if message.strip() else type(error).__name__
    hint = _HINTS.get(code, "")
    if action := _ACTION.search(message):
        hint = f"grant {action[1]}, as the role Virtual Machine Contributor does"
    elif isinstance(error, ClientAuthenticationError):
        hint = hint or _LOG_IN
        failed = [told for told in _ASKED_FOR.findall(message) if "unavailable" not in told]
        if why := _WHY_NO_TOKEN.search(message):
            first_line = f"Azure gives no token: {why[0].strip()}"
        elif failed:
            first_line = f"Azure gives no token: {failed[0].strip()}"
        elif "Attempted credentials" in message:
            first_line = "nothing here is logged in to Azure"
    elif isinstance(error, ServiceRequestError | ServiceResponseError):
        hint = "look at the network, the proxy, and the endpoint that is configured"
    elif isinstance(error, ResourceNotFoundError) and not hint:
        hint = "it is gone: az vm list and az vmss list-instances have what there is"
        return MachineGone(f"can't {what}: {first_line}", hint=hint)
    return MachineError(f"can't {what}: {first_line}", hint=hint)
