"""Which driver or executor a run was given, and what its flags said to it, in one line for the journal.

    openstack
    openstack?OPENSTACK_CLOUD_NAME=prod
    ssh?PS_REMOTE_USER=core&SSH_PORT=2222

A setting's name is that of the environment variable which says the same. The line outlives the process, so that
clean-up after a crash reaches the machines that the run reached, in its way; credentials are never in it.
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode


def write_choice(name: str, settings: Mapping[str, str]) -> str:
    """One line for a driver or executor and its settings; those that say nothing are left out."""
    said = urlencode({key: value for key, value in sorted(settings.items()) if value})
    return f"{name}?{said}" if said else name


def read_choice(text: str) -> tuple[str, Mapping[str, str]]:
    """Its name, and its settings."""
    name, _, said = text.partition("?")
    return name, dict(parse_qsl(said))
