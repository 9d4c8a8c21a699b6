"""Programs that a command on a machine finds before the computer's own: they know that machine alone.

A sandbox's machines share one computer. So `pgrep` and `pkill` see the processes of theirs only, `systemctl` knows its
one service, the kubelet, and `sudo` runs the rest of its line as who you are: nobody's `pkill kubelet` or `systemctl
stop` reaches another machine, or the computer itself. `nft` is the machine's own firewall, `iptables` isn't there.
`stress-ng` makes as much load as it is told to. `directory` writes them down, each is started by `__main__`.
"""
