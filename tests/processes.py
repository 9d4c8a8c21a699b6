"""Processes of this machine, as tests look for them."""

import os
import select

import psutil


def processes_that_mention(text: str) -> list[psutil.Process]:
    """Processes with this text in their command line or environment, without this one and those that started it."""
    spared = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    return [each for each in psutil.process_iter() if each.pid not in spared and text in said_of(each)]


def said_of(process: psutil.Process) -> str:
    """A process's command line and environment; nothing of one that has ended, or is another user's."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return ""
        return " ".join([*process.cmdline(), *(f"{key}={value}" for key, value in process.environ().items())])
    except psutil.Error:
        return ""


def wait_for_end(pid: int) -> None:
    """Wait until a process has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], 60)[0], f"process {pid} does not end"
    finally:
        os.close(descriptor)
