"""The environment that programs of others are given: the user's own, without what we put into ours for ourselves.

What such a program does with a variable is its business: a probe that is written in Python must find its own plugins.
Programs that libraries start by themselves (an SSH ProxyCommand) get ours as it is.
"""

import os

_ours: dict[str, str] = {}


def set_for_ourselves(name: str, value: str) -> None:
    """Set a variable of this process, unless the user has set it."""
    if name not in os.environ:
        os.environ[name] = _ours[name] = value


def users_environment() -> dict[str, str]:
    """What this process was started with, and what was set in it since for all."""
    return {name: value for name, value in os.environ.items() if _ours.get(name) != value}
