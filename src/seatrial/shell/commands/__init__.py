"""The shell's commands: one click command a module, whose callback is a coroutine that is handed the `Shell`.

A command's docstring and examples are its `help`; it may return its exit code.
"""
