"""Azure's SDK, as the driver uses it: who logs in, what is sent again. Importing it takes a second or two.

The SDK repeats what failed by itself, as often as the driver's own time limits allow. It sends a POST again after 500,
503 and 504, which is wrong for a restart, as it may have been done; it does not after 429, which was not, and 502.
"""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from azure.core.pipeline.policies import AsyncRetryPolicy
from azure.identity.aio import DefaultAzureCredential
from azure.mgmt.compute.aio import ComputeManagementClient

from seatrial.errors import ConfigurationError
from seatrial.machines.azure_settings import AzureSettings

# What it warns of is raised as well, and said in fewer words.
logging.getLogger("azure").setLevel(logging.ERROR)
_THROTTLED = 429
_BAD_GATEWAY = 502
_RETRIES: dict[str, Any] = {
    "retry_total": 100,
    "retry_status": 100,
    "retry_read": 100,
    "retry_connect": 5,  # some 20 s
    "retry_backoff_max": 10,
}
_TIMEOUTS: dict[str, Any] = {"connection_timeout": 10, "read_timeout": 30}


class _Retries(AsyncRetryPolicy[Any, Any]):
    """What is sent again."""

    def is_retry(self, settings: Any, response: Any) -> bool:
        """Whether an answer may pass, and the request be made twice: what was throttled was not done."""
        request, status = response.http_request, response.http_response.status_code
        if status == _THROTTLED:
            return True
        if request.method == "POST" and request.url.partition("?")[0].endswith("/restart"):
            return False
        return status == _BAD_GATEWAY or bool(super().is_retry(settings, response))


def open_azure(chosen: AzureSettings) -> tuple[Callable[[str], Any], Callable[[], Awaitable[None]]]:
    """What makes the compute client of a subscription, and what lets go of the credentials that all of them use.

    Raises:
        ConfigurationError: a variable says what the SDK can't use.
    """
    if chosen.certificates and not Path(chosen.certificates).is_file():
        raise ConfigurationError(
            f"there is no file {chosen.certificates}, which SSL_CERT_FILE names",
            hint="name the certificate authorities",
        )
    verify: dict[str, Any] = {"connection_verify": chosen.certificates} if chosen.certificates else {}
    try:
        credential = DefaultAzureCredential(disable_instance_discovery=chosen.private, **verify)
    except ValueError as error:
        raise ConfigurationError(
            f"can't log in to Azure: {str(error).splitlines()[0]}", hint="look at the AZURE_* variables"
        ) from error

    def open_client(subscription: str) -> Any:
        return ComputeManagementClient(
            credential,
            subscription,
            base_url=chosen.endpoint,
            credential_scopes=[f"{chosen.endpoint}/.default"],
            retry_policy=_Retries(**_RETRIES),
            **_TIMEOUTS,
            **verify,
        )

    return open_client, credential.close
