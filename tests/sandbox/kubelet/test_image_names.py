"""Full names of images."""

import pytest

from seatrial.sandbox.kubelet.image_names import InvalidImageNameError, canonical_name, pull_policy


@pytest.mark.parametrize(
    ("image", "canonical"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("bloomberg/goldpinger:3.0.0", "docker.io/bloomberg/goldpinger:3.0.0"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
        ("localhost:5000/team/app", "localhost:5000/team/app:latest"),
        ("nginx@sha256:00ff", "docker.io/library/nginx@sha256:00ff"),
    ],
)
def test_a_short_name_gets_registry_and_tag(image: str, canonical: str) -> None:
    """Docker Hub and `latest` are understood."""
    assert canonical_name(image) == canonical


def test_an_upper_case_name_is_invalid_and_the_message_is_the_kubelets() -> None:
    """The words are those of a recorded kubelet."""
    with pytest.raises(InvalidImageNameError) as caught:
        canonical_name("Bad_Image:$")
    assert str(caught.value) == (
        'Failed to apply default image tag "Bad_Image:$": couldn\'t parse image name "Bad_Image:$": '
        "invalid reference format: repository name (library/Bad_Image) must be lowercase"
    )


@pytest.mark.parametrize("image", ["", "a//b", "nginx:$", "-x"])
def test_other_nonsense_is_invalid_too(image: str) -> None:
    """Empty components, strange tags."""
    with pytest.raises(InvalidImageNameError):
        canonical_name(image)


def test_latest_is_always_pulled() -> None:
    """Unless the pod says otherwise."""
    assert pull_policy("nginx", None) == "Always"
    assert pull_policy("nginx:1.25", None) == "IfNotPresent"
    assert pull_policy("nginx", "Never") == "Never"
