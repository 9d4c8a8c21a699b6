"""What flags and variables say about SSH."""

import pytest

from seatrial.errors import ConfigurationError
from seatrial.remote.ssh_settings import Address, SshSettings


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("bastion", Address("bastion")),
        ("bastion:2222", Address("bastion", 2222)),
        ("ops@bastion", Address("bastion", None, "ops")),
        ("ops@10.0.0.1:22", Address("10.0.0.1", 22, "ops")),
        ("ops@[fe80::1]:22", Address("fe80::1", 22, "ops")),
        ("fe80::1", Address("fe80::1")),
    ],
)
def test_a_host_may_have_a_user_and_a_port(text, address):
    """And reads as it is written."""
    assert Address.parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize("text", ["", "@", "a b", "a@b@c", "host:", "host:0", "host:65536", "host:ssh", "a,b"])
def test_what_is_no_host_is_refused(text):
    """A list of hops too: that is what ~/.ssh/config is for."""
    assert Address.parse(text) is None


def test_a_jump_host_that_is_none_and_a_port_that_is_none_are_said():
    """With what would be one."""
    with pytest.raises(ConfigurationError, match="'a,b' is no jump host") as caught:
        SshSettings.of({"SEATRIAL_SSH_JUMP_HOST": "a,b"})
    assert "ProxyJump" in caught.value.hint
    for port in ("0", "ssh", "70000", "²"):
        with pytest.raises(ConfigurationError, match="is no port"):
            SshSettings.of({"SEATRIAL_SSH_PORT": port})


def test_a_variable_that_says_no_is_not_taken_for_yes():
    """Flags say 1; a variable may say many things."""
    for text, meant in (("1", True), ("true", True), ("0", False), ("False", False), ("", False)):
        assert SshSettings.of({"SEATRIAL_SSH_USE_PRIVATE_IP": text}).use_private_ip is meant


def test_secrets_are_not_shown():
    """Wherever settings are."""
    settings = SshSettings.of({"PS_SSH_PASSWORD": "hunter2", "SEATRIAL_SSH_PASSPHRASE": "sesame"})
    assert (settings.password, settings.passphrase) == ("hunter2", "sesame")
    assert "hunter2" not in repr(settings)
    assert "sesame" not in repr(settings)
