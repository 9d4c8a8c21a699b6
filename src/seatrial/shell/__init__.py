"""The interactive shell: look at a cluster and break it by hand, safely.

`command_table` has the commands, one click command in a module of its own each under `commands/`; click parses them,
writes their help and completes their options. `front` is what a person sees (`prompt`, `plain`) or a script needs
(`script`), `loop` takes line after line from it, `acting` stands between a destructive command and the cluster.
What is done, kept and undone is `by_hand`'s; nothing here knows how.
"""
