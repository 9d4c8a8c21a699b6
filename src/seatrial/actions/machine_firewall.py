"""What cuts a machine off by its own firewall, and what takes that back: shell scripts for the machine.

They need a POSIX shell and `nft` or `iptables`, whichever is there. What they make has a name of its own (a table of
nftables, or a chain of iptables), so that taking it back touches nobody else's rules and may be repeated. nftables'
rules take effect together; with iptables the chain is complete before anything leads to it. Traffic that the machine
sends to itself always passes. Rules of either are gone after a reboot.

Sources: nft(8), iptables(8), ssh(1) on SSH_CONNECTION; kube-proxy translates addresses before these rules are met.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

_TOKEN_BYTES: Final = 6
# Programs of the administrator are not on everybody's PATH.
_PRELUDE: Final = """
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH
nftables_are_there() { command -v nft >/dev/null 2>&1 && nft list tables >/dev/null 2>&1; }
iptables_are_there() { command -v $1 >/dev/null 2>&1 && $1 -w 5 -S >/dev/null 2>&1; }
"""
# Where the kubelet is configured to find its API server; a local proxy's address is none that could be cut.
_KUBELETS_SERVER: Final = """
for file in /etc/kubernetes/kubelet.conf /var/lib/kubelet/kubeconfig /etc/kubernetes/kubeconfig; do
  server=$(sed -n 's|^ *server: *"\\{0,1\\}https://\\([^/" ]*\\).*|\\1|p' "$file" 2>/dev/null | head -n 1)
  [ -n "$server" ] || continue
  case $server in
    \\[*\\]:*) host=${server%]:*}; host=${host#[}; port=${server##*:};;
    \\[*\\]) host=${server%]}; host=${host#[}; port=443;;
    *:*) host=${server%:*}; port=${server##*:};;
    *) host=$server; port=443;;
  esac
  for address in $(getent ahosts "$host" 2>/dev/null | while read -r each rest; do echo "$each"; done | sort -u); do
    case $address in 127.*|::1) ;; *) peers="$peers
$address $port";; esac
  done
done
"""
# `$peers` has a line for each address or range, with a port or `-`; `$keep` an address and a port of ours that stay.
_NFTABLES: Final = """
by_nftables() {
  rules='iifname "lo" return
oifname "lo" return'
  if [ -n "$keep" ]; then
    set -- $keep; case $1 in *:*) ip=ip6;; *) ip=ip;; esac
    rules="$rules
$ip saddr $1 tcp dport $2 return
$ip daddr $1 tcp sport $2 return
icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } return"
  fi
  while read -r net port; do
    [ -n "$net" ] || continue
    case $net in *:*) ip=ip6;; *) ip=ip;; esac
    case $port in
      -) rules="$rules
$ip daddr $net drop
$ip saddr $net drop";;
      *) rules="$rules
$ip daddr $net tcp dport $port drop
$ip saddr $net tcp sport $port drop";;
    esac
  done <<PEERS
$peers
PEERS
  [ -z "$everything" ] || rules="$rules
drop"
  nft -f - <<RULES || return 1
table inet $name {
chain cut {
$rules
}
chain incoming { type filter hook input priority -10; policy accept; jump cut; }
chain outgoing { type filter hook output priority -10; policy accept; jump cut; }
chain forwarded { type filter hook forward priority -10; policy accept; jump cut; }
}
RULES
  nft list table inet "$name" >/dev/null && echo "table inet $name of nftables is in its firewall"
}
"""
_IPTABLES: Final = """
has_ipv6() { case $peers in *:*) return 0;; esac; [ -n "$everything" ] && [ -s /proc/net/if_inet6 ]; }
by_iptables() {
  for program in iptables ip6tables; do
    case $program in iptables) mine='*.*';; *) mine='*:*';; esac
    if ! iptables_are_there $program; then
      if [ $program = iptables ] || has_ipv6; then echo "there is no $program" >&2; return 1; fi
      continue
    fi
    chain() { $program -w 5 "$@"; }
    chain -N "$name" || return 1
    chain -A "$name" -i lo -j RETURN && chain -A "$name" -o lo -j RETURN || return 1
    if [ -n "$keep" ]; then
      set -- $keep
      case $1 in $mine)
        chain -A "$name" -p tcp -s "$1" --dport "$2" -j RETURN || return 1
        chain -A "$name" -p tcp -d "$1" --sport "$2" -j RETURN || return 1
        [ $program = iptables ] || for type in 134 135 136; do
          chain -A "$name" -p icmpv6 --icmpv6-type $type -j RETURN || return 1
        done
      esac
    fi
    while read -r net port; do
      case $net in $mine) ;; *) continue;; esac
      case $port in
        -) chain -A "$name" -d "$net" -j DROP && chain -A "$name" -s "$net" -j DROP || return 1;;
        *) chain -A "$name" -p tcp -d "$net" --dport "$port" -j DROP || return 1
          chain -A "$name" -p tcp -s "$net" --sport "$port" -j DROP || return 1;;
      esac
    done <<PEERS
$peers
PEERS
    [ -z "$everything" ] || chain -A "$name" -j DROP || return 1
  done
  for program in iptables ip6tables; do
    iptables_are_there $program || continue
    for hook in INPUT OUTPUT FORWARD; do $program -w 5 -I $hook 1 -j "$name" || return 1; done
  done
  echo "chain $name of iptables is in its firewall"
}
"""
_CUT: Final = """
if nftables_are_there; then by_nftables
elif iptables_are_there iptables; then by_iptables
else echo "neither nft nor iptables can be used here: they are not there, or we are not root" >&2; exit 69; fi
"""
_MEND: Final = """
looked=
if nftables_are_there; then
  looked=yes
  if nft list table inet "$name" >/dev/null 2>&1; then nft delete table inet "$name" || exit 1; fi
fi
for program in iptables ip6tables; do
  iptables_are_there $program || continue
  looked=yes
  $program -w 5 -S "$name" >/dev/null 2>&1 || continue
  for hook in INPUT OUTPUT FORWARD; do
    while $program -w 5 -D $hook -j "$name" 2>/dev/null; do :; done
  done
  $program -w 5 -F "$name" && $program -w 5 -X "$name" || exit 1
done
[ -n "$looked" ] || { echo "neither nft nor iptables can be used here: are we root?" >&2; exit 69; }
"""


class Peer(NamedTuple):
    """An address or a range that is cut off: all of it, or (with a port) what it serves over TCP there."""

    network: str
    port: int | None = None

    def __str__(self) -> str:
        return f"{self.network} {self.port or '-'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Firewall:
    """What one partition adds to a machine's firewall.

    `everything` drops all but the way of the SSH connection by which the script comes, if it comes by one. With
    `kubelets_server` the machine adds the API server that its kubelet is configured with, which may be a load balancer
    that the cluster itself doesn't know.
    """

    token: str
    peers: tuple[Peer, ...] = ()
    everything: bool = False
    kubelets_server: bool = False

    @staticmethod
    def new_token() -> str:
        """What tells one partition's rules from all others."""
        return secrets.token_hex(_TOKEN_BYTES)

    def cutting(self) -> str:
        """The script that makes the rules; it ends with 0 when they are in place, and says what has them.

        $1 is what SSH_CONNECTION says to the shell that starts it, which `sudo` would hide.
        """
        peers = "\n".join(_in_order(self.peers))
        settings = f"name={_name(self.token)}; everything={'yes' * self.everything}; keep=\npeers='{peers}'\n"
        way = '[ -z "$1" ] || { set -- $1; keep="$1 $4"; }\n' if self.everything else ""
        server = _KUBELETS_SERVER if self.kubelets_server else ""
        return f"{settings}{way}{_PRELUDE}{server}{_NFTABLES}{_IPTABLES}{_CUT}"


def mending(token: str) -> str:
    """The script that takes the rules of that token away; it ends with 0 when none of them is left."""
    return f"name={_name(token)}\n{_PRELUDE}{_MEND}"


def _name(token: str) -> str:
    """Names of iptables' chains have at most 28 characters."""
    return f"seatrial_{token}"


def _in_order(peers: Iterable[Peer]) -> list[str]:
    return sorted({str(peer) for peer in peers})
