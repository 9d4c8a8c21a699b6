"""The image registry of a sandbox: which program an image name stands for.

There is nothing to pull: an image is a handful of Python functions (`Program`) that a node runs in a forked process, or
a command of the host that the user gave (`seatrial sandbox up --image NAME=COMMAND`). A name is looked up without its
registry, tag and digest, as `docker.io/bloomberg/goldpinger:v3.10.0` and `bloomberg/goldpinger` are the same here. What
isn't found, or has a tag that no image has, goes ImagePullBackOff in the kubelet, as it would.

Each program is a module of this package; nothing of it is loaded before a container runs it.
"""

import importlib
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Program = Callable[[Sequence[str], Mapping[str, str]], int]
"""A program: arguments (the first is its own name) and environment to exit code."""

_MOVING_TAGS = frozenset(
    {
        "latest", "stable", "mainline", "alpine", "perl", "otel", "glibc", "musl", "uclibc",
        "bookworm", "bullseye", "edge", "slim", "testing", "trixie", "unstable",
    }
)  # fmt: skip
_DOCKER_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})


@dataclass(frozen=True)
class Image:
    """What a container starts from: as in an OCI image's configuration, and the programs it holds.

    `has_host_programs`: what isn't among its programs is looked for on the host, as if it were part of the image.
    """

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, Program] = field(default_factory=dict)
    stop_signal: int = signal.SIGTERM
    has_host_programs: bool = True


def find(image: str, extra: Mapping[str, tuple[str, ...]]) -> Image | None:
    """The image of that name, or None where the sandbox has none.

    Args:
        image: as a pod names it, with or without registry, tag and digest.
        extra: the user's images: name to the host command that they run. They win over built-in ones.
    """
    wanted = normalise(image)
    for name, command in extra.items():
        if name == image or normalise(name) == wanted:
            return Image(cmd=tuple(command))
    tag = _tag_of(image)
    if not _may_exist(tag):
        return None
    return _with_shell(wanted, tag) or _BUILT_IN.get(wanted)


def built_in_images() -> tuple[str, ...]:
    """The names of the images that every sandbox has."""
    return tuple(_BUILT_IN)


def is_users(image: str, extra: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether an image's name is one that the user gave a command for."""
    wanted = normalise(image)
    return any(name == image or normalise(name) == wanted for name in extra)


def normalise(image: str) -> str:
    """The bare repository of an image reference: no default registry, no `library/`, no tag, no digest.

    >>> normalise("docker.io/library/nginx:1.27@sha256:00")
    'nginx'
    """
    repository = image.strip().partition("@")[0]
    head, slash, last = repository.rpartition("/")
    repository = head + slash + last.partition(":")[0]
    registry, _, path = repository.partition("/")
    if registry in _DOCKER_HUB:
        repository = path
    return repository.removeprefix("library/")


def _tag_of(image: str) -> str:
    return image.strip().partition("@")[0].rpartition("/")[2].partition(":")[2] or "latest"


def _may_exist(tag: str) -> bool:
    """Whether images have such a tag: a version, with or without a variant, or a name that moves along with them."""
    version, _, variant = tag.partition("-")
    is_version = re.fullmatch(r"v?\d+(\.\d+)*", version) is not None
    return (is_version and re.fullmatch(r"[\w.-]*", variant) is not None) or version in _MOVING_TAGS


def _with_shell(name: str, tag: str) -> Image | None:
    """Toxiproxy's image of old: it holds a shell, and its programs lie elsewhere."""
    if name not in _TOXIPROXY_NAMES or not re.fullmatch(r"v?\d+(\.\d+)*", tag):
        return None
    return _OLD_TOXIPROXY if tuple(map(int, tag.removeprefix("v").split("."))) <= _LAST_WITH_SHELL else None


def _shell(programs: Mapping[str, Program]) -> Program:
    """A shell that finds these programs, too."""

    def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
        found: int = importlib.import_module(f"{__package__}.shell").run(argv, environ, programs)
        return found

    return run


def _program(module: str) -> Program:
    """The `main` of a module of this package, imported when it runs."""

    def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
        program: Program = importlib.import_module(f"{__package__}.{module}").main
        return program(argv, environ)

    return run


def _busybox(*applets: str) -> dict[str, Program]:
    run = _program("busybox.program")
    return dict.fromkeys(("busybox", *applets), run)


_SHELL_TOOLS = {
    **_busybox("cat", "date", "echo", "env", "false", "hostname", "httpd", "nc", "sh", "sleep", "tar", "true", "wget"),
    "nsenter": _program("nsenter"),
}
_GOLDPINGER = Image(entrypoint=("goldpinger",), programs={"goldpinger": _program("goldpinger.program")})
_NGINX = Image(
    cmd=("nginx", "-g", "daemon off;"),
    env={"NGINX_VERSION": "1.27"},
    programs={"nginx": _program("nginx"), **_SHELL_TOOLS},
    stop_signal=signal.SIGQUIT,
)
_PYTHON = Image(cmd=("python3",), programs={**dict.fromkeys(("python", "python3"), _program("python")), **_SHELL_TOOLS})
# A system without programs of its own: what the host has.
_SYSTEM = Image(cmd=("sh",), programs=_SHELL_TOOLS)
_HTTP_ECHO = Image(entrypoint=("http-echo",), programs={"http-echo": _program("http_echo")})
_PAUSE = Image(entrypoint=("/pause",), programs={"/pause": _program("pause")})
_TOXIPROXY_PROGRAMS = {
    "toxiproxy": _program("toxiproxy.program"),
    "toxiproxy-server": _program("toxiproxy.program"),
    "toxiproxy-cli": _program("toxiproxy.cli"),
}
_TOXIPROXY_NAMES = ("shopify/toxiproxy", "ghcr.io/shopify/toxiproxy")
_TOXIPROXY = Image(
    entrypoint=("/toxiproxy",), cmd=("-host=0.0.0.0",), programs=_TOXIPROXY_PROGRAMS, has_host_programs=False
)
_OLD_TOXIPROXY = Image(
    entrypoint=("/go/bin/toxiproxy",),
    cmd=("-host=0.0.0.0",),
    programs={**_SHELL_TOOLS, **_TOXIPROXY_PROGRAMS, "sh": _shell(_TOXIPROXY_PROGRAMS)},
)
# The last Toxiproxy whose image is more than its two programs.
_LAST_WITH_SHELL = (2, 1, 5)
_IPTABLES_PROGRAMS = {"iptables": _program("iptables"), "tc": _program("tc")}
_IPTABLES = Image(cmd=("sh",), programs={**_SHELL_TOOLS, **_IPTABLES_PROGRAMS, "sh": _shell(_IPTABLES_PROGRAMS)})

_BUILT_IN: Mapping[str, Image] = {
    "alpine": _SYSTEM,
    "bloomberg/goldpinger": _GOLDPINGER,
    "busybox": Image(cmd=("sh",), programs=_SHELL_TOOLS),
    "gaiadocker/iproute2": _IPTABLES,
    "hashicorp/http-echo": _HTTP_ECHO,
    "debian": _SYSTEM,
    "nginx": _NGINX,
    "python": _PYTHON,
    "nicolaka/netshoot": _IPTABLES,
    "registry.k8s.io/pause": _PAUSE,
    **dict.fromkeys(_TOXIPROXY_NAMES, _TOXIPROXY),
    "gcr.io/google_containers/pause": _PAUSE,
    "k8s.gcr.io/pause": _PAUSE,
}
