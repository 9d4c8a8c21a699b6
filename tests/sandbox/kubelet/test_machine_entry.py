"""Which words of `nsenter` lead to the machine, and what is run there."""

import pytest

from seatrial.sandbox.kubelet.machine_entry import words_on_machine


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("nsenter -t 1 -m -u -i -n -p -- sh -c true", "sh -c true"),
        ("nsenter --target 1 --mount --uts --ipc --net --pid -- bash", "bash"),
        ("/usr/bin/nsenter --target=1 --mount=/proc/1/ns/mnt ls -l", "ls -l"),
        ("nsenter -t1 -muinp ls -m", "ls -m"),
        ("nsenter -at 1 id", "id"),
        ("nsenter -m/proc/1/ns/mnt -t 1", "/bin/sh"),
        ("nsenter -r -w -F -m -t 1 -- --odd", "--odd"),
        ("nsenter -t 1 -m -S 0 -G 0 --preserve-credentials id", "id"),
    ],
)
def test_the_file_system_of_process_1_is_the_machines(words, found):
    """Whatever form its options have; without a command it is a shell."""
    assert words_on_machine(words.split()) == tuple(found.split())


@pytest.mark.parametrize(
    "words",
    [
        "", "sh -c nsenter", "nsenter", "nsenter -t 1", "nsenter -t 1 -n -- ip a", "nsenter -t 12 -m -- sh",
        "nsenter -m -- sh", "nsenter -t", "nsenter --target", "nsenter -t 1 -m --nonsense x", "nsenter -t 1 -mx ls",
    ],
)  # fmt: skip
def test_any_other_words_do_not_lead_there(words):
    """Another process, other namespaces alone, options that there are not."""
    assert words_on_machine(words.split()) is None
