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
        "python:3.12-slim",
        "alpine:3.20",
        "debian:bookworm",
    ],
)
def test_built_in_images_start_one_of_their_own_programs(name: str) -> None:
    """What a built-in image runs without further words is a program that it holds."""
    image = find(name, {})
    assert image is not None
    assert (*image.entrypoint, *image.cmd)[0] in image.programs


@pytest.mark.parametrize("tag", ["1.25", "v3.10.0", "1.36-musl", "latest", "alpine", "stable-alpine3.20", "mainline"])
def test_tags_that_images_have(tag: str) -> None:
    """A version, with or without a variant, and names that move along with the versions stand for the image."""
    assert find(f"nginx:{tag}", {}) is not None
    assert find(f"nginx:{tag}@sha256:0123", {}) is not None


@pytest.mark.parametrize("tag", ["nosuchtag", "lates", "one"])
def test_tags_that_no_image_has(tag: str) -> None:
    """A misspelt tag is no image, so a rollout to it gets stuck; images of one's own may have any tag."""
    assert find(f"nginx:{tag}", {}) is None
    assert find(f"me/app:{tag}", {"me/app": ("true",)}) is not None


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
