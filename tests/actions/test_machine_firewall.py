"""The scripts that cut a machine off by its firewall: run for real, in a network that is theirs alone."""

import os
import shutil
import subprocess
import sys
import textwrap

import pytest

from seatrial.actions.machine_firewall import Firewall, Peer, mending
from tests.firewalls import find

TOKEN = "0123456789ab"
# The shell below stands for the machine, at 10.77.0.1; beside it, in a network of its own, is 10.77.0.2, which listens
# at two ports. `reach` prints which of them answer.
_PEER = """
import socket, sys
listeners = [socket.create_server(("10.77.0.2", port)) for port in (6443, 7000)]
print("listening", flush=True)
sys.stdin.read()
"""
_REACH = """
import socket, sys
for port in (6443, 7000):
    try:
        socket.create_connection(("10.77.0.2", port), timeout=0.5).close()
        print(port, end=" ")
    except TimeoutError:
        pass
print()
"""
_NETWORK = """
set -e
mkfifo {directory}/hold {directory}/said
unshare -n sh -c 'read go < {directory}/hold
  ip link set lo up; ip addr add 10.77.0.2/24 dev there; ip link set there up
  exec {python} -c "$PEER" < {directory}/hold > {directory}/said' &
peer=$!
exec 3> {directory}/hold
ip link set lo up
until ip link add here type veth peer name there netns $peer 2>/dev/null; do kill -0 $peer; done
ip addr add 10.77.0.1/24 dev here
ip link set here up
echo go >&3
read said < {directory}/said
reach() {{ {python} -c "$REACH"; }}
"""


KINDS = {
    "nftables": ("nft",),
    "iptables": ("iptables", "ip6tables"),
    "iptables-legacy": ("iptables-legacy", "ip6tables-legacy"),
}
_LISTING = {"nftables": "nft list tables"}


def _programs(*names):
    """Where programs are; the test is skipped where one is not."""
    found = {name: find(name) for name in names}
    if missing := [name for name, path in found.items() if path is None]:
        pytest.skip(f"needs {', '.join(missing)}: python -m tests.firewalls")
    return found


def _skip_unless_it_can_be_used(programs, listing):
    """Users may be forbidden to make networks, and kernels may be without one kind of firewall."""
    wanted = {
        "network namespaces for ordinary users": "true",
        "virtual networks": "ip link add here type veth peer name there",
        "a kernel with this firewall": listing,
    }
    for what, command in wanted.items():
        tried = subprocess.run(
            ["unshare", "-rn", "sh", "-c", command],
            env={"PATH": str(programs), "XTABLES_LOCKFILE": str(programs / "lock")},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if tried.returncode != 0:
            pytest.skip(f"needs {what}: {tried.stderr.strip()}")


@pytest.fixture(params=KINDS)
def machine(request, tmp_path):
    """Runs a shell script on a machine with a neighbour, which has that kind of firewall alone."""
    programs = tmp_path / "programs"
    programs.mkdir()
    needed = ("sh", "sed", "head", "sort", "getent", "mkfifo", "nsenter", "unshare", "ip", *KINDS[request.param])
    for name, path in _programs(*needed).items():
        (programs / name.removesuffix("-legacy")).symlink_to(path)
    _skip_unless_it_can_be_used(programs, _LISTING.get(request.param, "iptables -S && ip6tables -S"))

    def run(script):
        network = _NETWORK.format(directory=tmp_path, python=sys.executable)
        done = subprocess.run(
            ["unshare", "-rn", "--kill-child", "sh", "-c", network + textwrap.dedent(script)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={
                **os.environ, "PATH": str(programs), "PEER": _PEER, "REACH": _REACH,
                "XTABLES_LOCKFILE": str(tmp_path / "lock"),
            },
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def without_other_firewalls(script):
    """The script with no programs of the administrator but those of the test."""
    return script.replace(":/usr/local/sbin:/usr/sbin:/sbin", "")


def cut_and_mend(tmp_path, firewall):
    for name, text in {"cut": firewall.cutting(), "mend": mending(TOKEN)}.items():
        (tmp_path / name).write_text(without_other_firewalls(text))
    return f"reach; sh {tmp_path}/cut; reach; sh {tmp_path}/mend; reach; sh {tmp_path}/mend"


def test_an_api_server_is_cut_off_at_its_port_alone(machine, tmp_path):
    """Nothing passes to it while the rules are there; another port of the same machine is not concerned."""
    firewall = Firewall(token=TOKEN, peers=(Peer("10.77.0.2", 6443), Peer("fd00::77", 6443)))
    before, said, meanwhile, after = machine(cut_and_mend(tmp_path, firewall))
    assert (before.split(), meanwhile.split(), after.split()) == (["6443", "7000"], ["7000"], ["6443", "7000"])
    assert f"seatrial_{TOKEN}" in said


@pytest.mark.parametrize(
    "firewall",
    [Firewall(token=TOKEN, peers=(Peer("10.77.0.0/24"),)), Firewall(token=TOKEN, everything=True)],
    ids=["a range", "everything"],
)
def test_all_of_another_machine_is_cut_off(machine, tmp_path, firewall):
    """By its addresses, or with everything else; what the machine sends itself passes."""
    before, _, meanwhile, after = machine(cut_and_mend(tmp_path, firewall))
    assert (before.split(), meanwhile.split(), after.split()) == (["6443", "7000"], [], ["6443", "7000"])


def test_the_way_of_the_connection_that_brings_the_script_stays(machine, tmp_path):
    """Of everything else, the client that SSH names still gets to the port that it came by."""
    firewall = Firewall(token=TOKEN, everything=True)
    (tmp_path / "cut").write_text(without_other_firewalls(firewall.cutting()))
    listen = "import socket; s = socket.create_server(('10.77.0.1', 22)); print(s.accept()[1][0])"
    connect = "import socket; socket.create_connection(('10.77.0.1', 22), timeout=5)"
    lines = machine(f"""
        {sys.executable} -c "{listen}" & listening=$!
        sh {tmp_path}/cut "10.77.0.2 50000 10.77.0.1 22" >/dev/null
        reach
        until nsenter --net=/proc/$peer/ns/net {sys.executable} -c "{connect}" 2>/dev/null; do kill -0 $listening; done
        wait $listening
    """)
    assert [line.split() for line in lines] == [[], ["10.77.0.2"]]


def test_where_there_is_no_firewall_nothing_is_said_to_be_done(tmp_path):
    """Both scripts fail and say what is missing, rather than to count as done."""
    (tmp_path / "sh").symlink_to(shutil.which("sh"))
    for script in (Firewall(token=TOKEN, everything=True).cutting(), mending(TOKEN)):
        done = subprocess.run(
            [tmp_path / "sh", "-c", without_other_firewalls(script)],
            env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 69
        assert "neither nft nor iptables can be used here" in done.stderr
