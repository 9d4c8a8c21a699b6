"""Which project and region of Google Cloud, and as whom: gcloud's configuration, a service account's file, variables.

`--gcp-config-file` names one of three: the JSON of `gcloud config list --format json` (as PowerfulSeal took it), a
configuration of gcloud itself (ini, in `~/.config/gcloud/configurations`), or the key file of a service account. Unless
it is the last, application default credentials decide who we are
(https://cloud.google.com/docs/authentication/application-default-credentials).
"""

import configparser
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seatrial.errors import ConfigurationError

CONFIG_FILE = "GCP_CONFIG_FILE"
ENDPOINT = "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"

_COMPUTE = "https://compute.googleapis.com/compute/v1/"
_HINT = (
    "give the output of gcloud config list --format json, a configuration of gcloud, or a service account's key file"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GcpSettings:
    """What was said about Google Cloud; empty leaves it to the credentials and to the cluster's nodes.

    `key` is a service account's key file, read: never to be shown.
    """

    project: str = ""
    region: str = ""
    endpoint: str = _COMPUTE
    key: Mapping[str, Any] | None = None

    def __repr__(self) -> str:
        return f"GcpSettings(project={self.project!r}, region={self.region!r}, endpoint={self.endpoint!r})"


def read_settings(variables: Mapping[str, str]) -> GcpSettings:
    """The settings that variables, and the file that one of them names, give.

    Raises:
        ConfigurationError: the file can't be read, or is none of the three.
    """
    name = variables.get(CONFIG_FILE, "")
    said = _read_file(Path(name).expanduser()) if name else {}
    if said.get("type") == "service_account":
        return GcpSettings(project=_text(said, "project_id"), endpoint=_endpoint("", variables), key=said)
    return GcpSettings(
        project=_text(said, "core", "project"),
        region=_text(said, "compute", "region"),
        endpoint=_endpoint(_text(said, "api_endpoint_overrides", "compute"), variables),
    )


def _endpoint(said: str, variables: Mapping[str, str]) -> str:
    return f"{(variables.get(ENDPOINT) or said or _COMPUTE).rstrip('/')}/"


def _read_file(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"can't read {path}: {error.strerror}", hint=_HINT) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is no text", hint=_HINT) from error
    # What is wrong inside isn't quoted: it may be a key.
    try:
        said = json.loads(text) if text.lstrip().startswith("{") else _ini(text)
    except (ValueError, configparser.Error) as error:
        raise ConfigurationError(f"{path} is neither JSON nor a configuration of gcloud", hint=_HINT) from error
    if not {"core", "compute", "type"} & set(said):
        raise ConfigurationError(f"{path} names neither a project nor a region", hint=_HINT)
    if said.get("type", "service_account") != "service_account":
        raise ConfigurationError(
            f"{path} has credentials of the kind '{said['type']}', not of a service account",
            hint="point GOOGLE_APPLICATION_CREDENTIALS to it instead",
        )
    return said


def _ini(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def _text(said: Mapping[str, Any], *keys: str) -> str:
    found: Any = said
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else ""
