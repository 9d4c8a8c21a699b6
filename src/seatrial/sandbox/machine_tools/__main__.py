"""`python -m seatrial.sandbox.machine_tools NAME ...`: be that program of a machine.

Nothing else is loaded than that program: a command waits for it.
"""

import importlib
import sys

_MODULES = {
    "ip6tables": "firewall",
    "iptables": "firewall",
    "nft": "firewall",
    "pgrep": "processes",
    "pkill": "processes",
    "stress-ng": "stress",
    "systemctl": "services",
}

if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    sys.exit(importlib.import_module(f"{__package__}.{_MODULES[name]}").main(name, arguments))
