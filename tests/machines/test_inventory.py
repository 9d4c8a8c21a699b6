import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.errors import ConfigurationError
from seatrial.machines.inventory import read_inventory


@pytest.fixture
def inventory(tmp_path):
    """Reads a text as an inventory file."""

    def read(text):
        path = tmp_path / "hosts.ini"
        path.write_text(text)
        return read_inventory(path)

    return read


def test_groups_have_hosts(inventory):
    """Names and addresses in lower case, in the order written; variables, comments and blank lines are none."""
    text = "# all of them\n[Workers]\n10.0.0.7\nNode-2 ansible_port=22\n\n; and\n[masters]\n10.0.0.1\n10.0.0.1\n"
    assert inventory(text) == {"workers": ("10.0.0.7", "node-2"), "masters": ("10.0.0.1",)}


@pytest.mark.parametrize("heading", ["[all]", "[all:children]"])
def test_groups_may_hold_groups(inventory, heading):
    """Plainly, as PowerfulSeal has it, or as children, as Ansible has it; through any number of levels."""
    text = f"[a]\nx\n[b]\na\ny\n{heading}\nb\nz\n[all:vars]\nansible_user=x\n"
    assert inventory(text)["all"] == ("x", "y", "z")


def test_a_group_that_holds_itself_ends_somewhere(inventory):
    """Two groups that name each other have both's hosts."""
    assert inventory("[a]\nb\nx\n[b]\na\ny\n") == {"a": ("y", "x"), "b": ("x", "y")}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("10.0.0.1\n", "line 1: a host outside of any group"),
        ("[a\nx\n", r"line 1: '\[a' is no group"),
        ("[]\nx\n", r"line 1: '\[\]' is no group"),
        ("[a]\nx\n[a:hosts]\n", r"line 3: '\[a:hosts\]' is no group"),
    ],
)
def test_what_is_no_inventory_is_told_with_its_line(inventory, text, problem):
    """An error of configuration with the file, the line and a hint."""
    with pytest.raises(ConfigurationError, match=problem) as caught:
        inventory(text)
    assert "[name]" in caught.value.hint


def test_a_file_that_can_t_be_read_is_told(tmp_path):
    """It isn't there, or isn't text."""
    with pytest.raises(ConfigurationError, match="can't read the inventory"):
        read_inventory(tmp_path / "none.ini")
    (tmp_path / "binary.ini").write_bytes(b"\xff\xfe[")
    with pytest.raises(ConfigurationError, match="is no text"):
        read_inventory(tmp_path / "binary.ini")


@given(st.text())
def test_any_text_is_read_or_told(tmp_path_factory, text):
    """Nothing but an error of configuration comes of any file."""
    path = tmp_path_factory.mktemp("inventory") / "hosts.ini"
    path.write_text(text, encoding="utf-8", newline="")
    try:
        groups = read_inventory(path)
    except ConfigurationError:
        return
    assert all(host == host.lower() for hosts in groups.values() for host in hosts)
