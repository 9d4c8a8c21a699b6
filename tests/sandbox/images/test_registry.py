"""Image names, and what they stand for."""

import signal

import pytest

from seatrial.sandbox.images.registry import find, normalise


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("nginx", "nginx"),
        ("nginx:1.27", "nginx"),
        ("docker.io/library/nginx:1.27", "nginx"),
        ("index.docker.io/library/nginx", "nginx"),
        ("nginx@sha256:0123", "nginx"),
        ("nginx:1.27@sha256:0123", "nginx"),
        ("bloomberg/goldpinger:v3.10.0", "bloomberg/goldpinger"),
        ("docker.io/bloomberg/goldpinger:v3.10.0", "bloomberg/goldpinger"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause"),
        ("localhost:5000/team/app:1", "localhost:5000/team/app"),
    ],
)
def test_normalise(name: str, repository: str) -> None:
    """The default registry, `library/`, tag and digest don't count; another registry and its port do."""
    assert normalise(name) == repository


@pytest.mark.parametrize(
    "name",
    [
        "docker.io/bloomberg/goldpinger:v3.10.0",
        "nginx",
        "busybox:1.36",
        "registry.k8s.io/pause:3.10",
        "hashicorp/http-echo",
    ],
)
def test_built_in_images_start_one_of_their_own_programs(name: str) -> None:
    """What a built-in image runs without further words is a program that it holds."""
    image = find(name, {})
    assert image is not None
    assert (*image.entrypoint, *image.cmd)[0] in image.programs


@pytest.mark.parametrize("name", ["nosuch", "example.com/nginx", "quay.io/bloomberg/goldpinger", ""])
def test_unknown_images(name: str) -> None:
    """An unknown name, also a known one from another registry, is no image."""
    assert find(name, {}) is None


def test_users_images_win() -> None:
    """An image that the user gave runs the user's command, whatever its tag, and hides a built-in one."""
    extra = {"nginx": ("python3", "-m", "http.server"), "me/app": ("./app", "--fast")}
    image = find("docker.io/me/app:7", extra)
    assert image is not None
    assert (image.entrypoint, image.cmd, dict(image.programs)) == ((), ("./app", "--fast"), {})
    nginx = find("nginx:1.27", extra)
    assert nginx is not None
    assert nginx.cmd[0] == "python3"


def test_stop_signals() -> None:
    """An nginx is stopped by SIGQUIT, as its image says; others by SIGTERM."""
    nginx, pause = find("nginx", {}), find("registry.k8s.io/pause:3.10", {})
    assert nginx is not None
    assert pause is not None
    assert (nginx.stop_signal, pause.stop_signal) == (signal.SIGQUIT, signal.SIGTERM)
