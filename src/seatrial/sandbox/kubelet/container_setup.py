"""From a container of a pod's spec to what the runtime starts: directory, volumes, environment, command, limits."""

import secrets
import shutil
from pathlib import Path
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.images.iptables import RULES_VARIABLE
from seatrial.sandbox.images.registry import Image, is_users
from seatrial.sandbox.kubelet.command import resolve_command
from seatrial.sandbox.kubelet.container_isolation.root_filesystem import Mount
from seatrial.sandbox.kubelet.container_isolation.root_template import make_template
from seatrial.sandbox.kubelet.environment import build_environ, pod_hostname
from seatrial.sandbox.kubelet.pod_host import PodHost
from seatrial.sandbox.kubelet.protocol import Container
from seatrial.sandbox.kubelet.volumes import link_volumes, volume_mounts
from seatrial.sandbox.rules.pod_resources import quantity

_RULES_MOUNT: Final = "/run/seatrial/redirections.json"
TERMINATION_LOG: Final = "/dev/termination-log"
_OWN_VARIABLES: Final = ("SEATRIAL_POD_IP", "SEATRIAL_ROOTFS", "SEATRIAL_SANDBOX")


def root_directory(host: PodHost, container: str) -> Path:
    """What a container has written outside its volumes is below this directory."""
    return host.directory / container / "rootfs"


def message_file(host: PodHost, container: str) -> Path:
    """Where a container's termination message is."""
    return host.directory / container / "termination-log"


def hosts_path(pod_directory: Path) -> Path:
    """Where the `/etc/hosts` of a pod's containers is."""
    return pod_directory / "etc-hosts"


def log_file(host: PodHost, container: str, attempt: int) -> Path:
    """Where the output of one life of a container is."""
    return host.directory / container / f"{attempt}.log"


def memory_limit(spec: Object) -> int:
    """The memory limit of a container's spec in bytes, 0 for none."""
    return int(quantity(str(_limits(spec).get("memory") or "0")).value)


def cpu_limit(spec: Object) -> float:
    """The limit of a container's processor time in cores, 0 for none."""
    return float(quantity(str(_limits(spec).get("cpu") or "0")).value)


def _limits(spec: Object) -> Object:
    limits: Object = (spec.get("resources") or {}).get("limits") or {}
    return limits


async def describe_container(host: PodHost, spec: Object, image: Image, *, attempt: int) -> Container:
    """Make a container's directory anew and say what is to run in it.

    Args:
        host: its pod's worker.
        spec: its entry in the pod's spec.
        image: what it starts from.
        attempt: which of its lives this is.

    Raises:
        ConfigurationMissingError: the environment refers to what isn't there.
        ValueError: the spec asks for what can't be.
    """
    name, pod, surroundings = spec["name"], host.pod, host.surroundings
    isolates = surroundings.runtime.isolates
    root = root_directory(host, name)
    environ = await build_environ(
        spec,
        pod,
        place=host.place,
        image_env=image.env,
        services=surroundings.services(),
        configuration=surroundings.configuration,
        own=_own_variables(host, "/" if isolates else str(root)) | _rules_variable(host, spec, isolates=isolates),
    )
    argv = resolve_command(spec, entrypoint=image.entrypoint, cmd=image.cmd, environ=environ)
    if not argv:
        raise ValueError("no command specified")
    mounts = _prepare(host, spec, root, environ=environ, isolates=isolates)
    user, group = _identity(spec, pod)
    directory = spec.get("workingDir") or "/"
    whole_host = is_users(spec["image"], surroundings.images)
    return Container(
        id=secrets.token_hex(32),
        pod_uid=pod["metadata"]["uid"],
        pod_name=pod["metadata"]["name"],
        namespace=pod["metadata"]["namespace"],
        name=name,
        attempt=attempt,
        image=spec["image"],
        argv=argv,
        environ=environ,
        working_directory=directory if isolates else _made(root, directory),
        log_file=str(log_file(host, name, attempt)),
        pod_ip=host.place.pod_ip,
        root=str(root) if isolates else "",
        template=str(_template(host, whole_host=whole_host)) if isolates else "",
        whole_host=whole_host,
        mounts=mounts,
        hostname=pod_hostname(pod),
        shares_host_pids=bool(pod["spec"].get("hostPID")),
        may_enter_machine=bool(pod["spec"].get("hostPID")) and _is_privileged(spec),
        read_only_root=bool((spec.get("securityContext") or {}).get("readOnlyRootFilesystem")),
        process_table_of=host.running_id(str(spec.get("targetContainerName") or "")),
        user=user,
        group=group,
        memory_limit_bytes=memory_limit(spec),
        cpu_limit_cores=cpu_limit(spec),
        stdin=bool(spec.get("stdin")),
        terminal=bool(spec.get("tty")),
    )


def _own_variables(host: PodHost, root: str) -> dict[str, str]:
    values = (host.place.listen_ip or host.place.pod_ip, root, host.surroundings.sandbox)
    return {name: value for name, value in zip(_OWN_VARIABLES, values, strict=True) if value}


def _rules_variable(host: PodHost, spec: Object, *, isolates: bool) -> dict[str, str]:
    """Where a container that may change the pod's network finds its rules."""
    if not _may_change_network(spec):
        return {}
    host.network.rules_file.touch()
    return {RULES_VARIABLE: _RULES_MOUNT if isolates else str(host.network.rules_file)}


def _may_change_network(spec: Object) -> bool:
    context = spec.get("securityContext") or {}
    added = (context.get("capabilities") or {}).get("add") or ()
    return _is_privileged(spec) or not {"NET_ADMIN", "ALL", "CAP_NET_ADMIN"}.isdisjoint(added)


def _is_privileged(spec: Object) -> bool:
    return bool((spec.get("securityContext") or {}).get("privileged"))


def _prepare(host: PodHost, spec: Object, root: Path, *, environ: dict[str, str], isolates: bool) -> tuple[Mount, ...]:
    """A fresh directory: what an earlier life of the container left outside its volumes is gone."""
    for old in (root, root.with_name(f"{root.name}.work")):
        shutil.rmtree(old, ignore_errors=True)
    root.mkdir(parents=True)
    messages = message_file(host, spec["name"])
    messages.write_bytes(b"")
    messages.chmod(0o666)
    message_path = spec.get("terminationMessagePath") or TERMINATION_LOG
    mounts = volume_mounts(spec, host.directory, environ=environ)
    if isolates and _may_change_network(spec):
        mounts = (*mounts, Mount(str(host.network.rules_file), _RULES_MOUNT))
    if isolates:
        hosts = Mount(str(hosts_path(host.directory)), "/etc/hosts")
        taken = {mount.target for mount in mounts}
        return (*mounts, Mount(str(messages), message_path), *(() if hosts.target in taken else (hosts,)))
    link_volumes((*mounts, Mount(str(messages), message_path)), root)
    return ()


def _template(host: PodHost, *, whole_host: bool) -> Path:
    """What all containers of the node have from the start; beside the pods' directories."""
    name = "host-template" if whole_host else "template"
    template = host.directory.parent.with_name(name)
    make_template(template, whole_host=whole_host)
    return template


def _made(root: Path, directory: str) -> str:
    made = root.joinpath(directory.lstrip("/"))
    made.mkdir(parents=True, exist_ok=True)
    return str(made)


def _identity(spec: Object, pod: Object) -> tuple[int | None, int | None]:
    """The user and group that the spec asks for."""
    wanted = {**(pod["spec"].get("securityContext") or {}), **(spec.get("securityContext") or {})}
    return wanted.get("runAsUser"), wanted.get("runAsGroup")
