"""The image registry of a sandbox: which program an image name stands for.

There is nothing to pull: an image is a handful of Python functions (`Program`) that a node runs in a forked process, or
a command of the host that the user gave (`seatrial sandbox up --image NAME=COMMAND`). A name is looked up without its
registry, tag and digest, as `docker.io/bloomberg/goldpinger:v3.10.0` and `bloomberg/goldpinger` are the same here. What
isn't found goes ImagePullBackOff in the kubelet, as it would.

Each program is a module of this package; nothing of it is loaded before a container runs it.
"""

import importlib
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Program = Callable[[Sequence[str], Mapping[str, str]], int]
"""A program: arguments (the first is its own name) and environment to exit code."""

_DOCKER_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})


@dataclass(frozen=True)
class Image:
    """What a container starts from: as in an OCI image's configuration, and the programs it holds."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, Program] = field(default_factory=dict)
    stop_signal: int = signal.SIGTERM


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
    return _BUILT_IN.get(wanted)


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


def _program(module: str) -> Program:
    """The `main` of a module of this package, imported when it runs."""

    def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
        program: Program = importlib.import_module(f"{__package__}.{module}").main
        return program(argv, environ)

    return run


def _busybox(*applets: str) -> dict[str, Program]:
    run = _program("busybox.program")
    return dict.fromkeys(("busybox", *applets), run)


_SHELL_TOOLS = _busybox("cat", "date", "echo", "env", "false", "hostname", "httpd", "nc", "sh", "sleep", "true", "wget")
_GOLDPINGER = Image(entrypoint=("goldpinger",), programs={"goldpinger": _program("goldpinger.program")})
_NGINX = Image(
    cmd=("nginx", "-g", "daemon off;"),
    env={"NGINX_VERSION": "1.27"},
    programs={"nginx": _program("nginx"), **_SHELL_TOOLS},
    stop_signal=signal.SIGQUIT,
)
_HTTP_ECHO = Image(entrypoint=("http-echo",), programs={"http-echo": _program("http_echo")})
_PAUSE = Image(entrypoint=("/pause",), programs={"/pause": _program("pause")})

_BUILT_IN: Mapping[str, Image] = {
    "bloomberg/goldpinger": _GOLDPINGER,
    "busybox": Image(cmd=("sh",), programs=_SHELL_TOOLS),
    "hashicorp/http-echo": _HTTP_ECHO,
    "nginx": _NGINX,
    "registry.k8s.io/pause": _PAUSE,
    "gcr.io/google_containers/pause": _PAUSE,
    "k8s.gcr.io/pause": _PAUSE,
}
