"""nftables and iptables for the tests: those of this machine, else Debian's; `make test` fetches what is missing.

    python -m tests.firewalls

Debian's programs stand in the virtual environment, with their libraries and the few extensions of iptables that the
tests use; a script for each of them says where these are. Of iptables there are both variants that nodes have: the one
that makes nftables' rules, and the legacy one.
"""

import lzma
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.debian_packages import DebianPackage, DownloadError, put, take

INSTALLED = Path(sys.prefix) / "firewalls"
PROGRAMS = {
    "nft": "nft",
    "iptables": "xtables-nft-multi iptables",
    "ip6tables": "xtables-nft-multi ip6tables",
    "iptables-legacy": "xtables-legacy-multi iptables",
    "ip6tables-legacy": "xtables-legacy-multi ip6tables",
}
"""What there is, and how Debian's files are called for it."""

# Programs of the administrator are not on everybody's PATH.
_SYSTEM = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_VERSION_SECONDS = 20

# Some images have the last libraries that nft needs, others don't.
_PACKAGES = (
    (
        DebianPackage(
            "nftables",
            "1.0.6-2+deb12u2",
            "pool/main/n/nftables",
            {
                "amd64": "966ff20ce58c17163a771c02ddbca264291408f94c512bd85dd18da0ebdbe88c",
                "arm64": "f5906f44fffdb190f84e3fdd6c07cba399205de5173f67e8742876a7865e2fc9",
            },
        ),
        ("usr/sbin/nft",),
    ),
    (
        DebianPackage(
            "libnftables1",
            "1.0.6-2+deb12u2",
            "pool/main/n/nftables",
            {
                "amd64": "3a8223f9bfba99d97bf25296ac83de307ab036e1df63e5965f88809266851947",
                "arm64": "7470db9de55d13b40bf7d4c928adce4b1e58aada8a22d614907b52a9724906b2",
            },
        ),
        ("libnftables.so.1",),
    ),
    (
        DebianPackage(
            "libnftnl11",
            "1.2.4-2",
            "pool/main/libn/libnftnl",
            {
                "amd64": "9e619e1470a1915264e906020f3bfc046fd8458043b1342686d997b5078213af",
                "arm64": "fd8b6f2ea21d60e25b07dfee8804ece79c2b18309df7773b091a587135565b9f",
            },
        ),
        ("libnftnl.so.11",),
    ),
    (
        DebianPackage(
            "libmnl0",
            "1.0.4-3",
            "pool/main/libm/libmnl",
            {
                "amd64": "4581f42e3373cb72f9ea4e88163b17873afca614a6c6f54637e95aa75983ea7c",
                "arm64": "d63aafb6f2c07db8fcb135b00ff915baf72ef8a3397e773c9c24d67950c6a46c",
            },
        ),
        ("libmnl.so.0",),
    ),
    (
        DebianPackage(
            "libjansson4",
            "2.14-2",
            "pool/main/j/jansson",
            {
                "amd64": "3fc9742f9f1a37bcb9931df6074b4d1483419ef832ad5349f47323e75fc27864",
                "arm64": "49fda2bcfdf6b78098a5cdc9eaee23ef1f3b331559f02f1e32bc26f1fb6b4aec",
            },
        ),
        ("libjansson.so.4",),
    ),
    (
        DebianPackage(
            "libgmp10",
            "6.2.1+dfsg1-1.1",
            "pool/main/g/gmp",
            {
                "amd64": "187aedef2ed763f425c1e523753b9719677633c7eede660401739e9c893482bd",
                "arm64": "9906387c1dd806518c915bd8616d072c741061d7fa26b222e52763456060b31a",
            },
        ),
        ("libgmp.so.10",),
    ),
    (
        DebianPackage(
            "libedit2",
            "3.1-20221030-2",
            "pool/main/libe/libedit",
            {
                "amd64": "1cf14abf2716d3279db12d0657a5737cf70074a1e71d3bdf73206625e3c89ce6",
                "arm64": "6ca1e355586ebfcfe8122b4d317fcaad4a9a10ca455c6a9bbd36f55bf4be85d3",
            },
        ),
        ("libedit.so.2",),
    ),
    (
        DebianPackage(
            "libbsd0",
            "0.11.7-2",
            "pool/main/libb/libbsd",
            {
                "amd64": "bb31cc8b40f962a85b2cec970f7f79cc704a1ae4bad24257a822055404b2c60b",
                "arm64": "ef00f132ddd268ee67d756998723ee18543db27ab34930c0a9f1cff75cf55382",
            },
        ),
        ("libbsd.so.0",),
    ),
    (
        DebianPackage(
            "libmd0",
            "1.0.4-2",
            "pool/main/libm/libmd",
            {
                "amd64": "03539fd30c509e27101d13a56e52eda9062bdf1aefe337c07ab56def25a13eab",
                "arm64": "99a8c7dd591fae9fb37d8bf8dfdffa850e207fa405b3198c5b24711a5f972381",
            },
        ),
        ("libmd.so.0",),
    ),
    (
        DebianPackage(
            "iptables",
            "1.8.9-2",
            "pool/main/i/iptables",
            {
                "amd64": "2928d3ca6ca8a3dc3f423f6752822b1f3614a5ba609ff7806bcba4449ffe90e1",
                "arm64": "5cb1974950a07f89c2d61a20e62d2dbcd882acb6d522d36ad3c690f6f5d3c643",
            },
        ),
        (
            "usr/sbin/xtables-nft-multi",
            "usr/sbin/xtables-legacy-multi",
            "libxt_standard.so",
            "libxt_tcp.so",
            "libip6t_icmp6.so",
        ),
    ),
    (
        DebianPackage(
            "libxtables12",
            "1.8.9-2",
            "pool/main/i/iptables",
            {
                "amd64": "cb841d66950a43af4a398625313d2f3da9065299c9738538de6c2c3495857040",
                "arm64": "8884a42f98b989e5ba2e91d931b5c6e9eb72568e5d3001d97d73d7913890a7b3",
            },
        ),
        ("libxtables.so.12",),
    ),
    (
        DebianPackage(
            "libip4tc2",
            "1.8.9-2",
            "pool/main/i/iptables",
            {
                "amd64": "f2c48b367f9ec13f9aa577e7ccf81b371ce5d5fe22dddf9d7aa99f1e0bb7cfc4",
                "arm64": "fc5b488a30f697d13c8547ca32cebf53880141af77ec36c58b04f899b5708208",
            },
        ),
        ("libip4tc.so.2",),
    ),
    (
        DebianPackage(
            "libip6tc2",
            "1.8.9-2",
            "pool/main/i/iptables",
            {
                "amd64": "be88db3dfa2fe3345ea343207f7c75345602686121e579023d021c348b9b4f4d",
                "arm64": "f921206811bbda3dfa03995142ee704fd13f2bb07291ed418bd41fbea3a1d8cc",
            },
        ),
        ("libip6tc.so.2",),
    ),
)


def find(name: str) -> Path | None:
    """A program: this machine's, else the one that was fetched."""
    places = [os.environ.get("PATH", os.defpath), *_SYSTEM, str(INSTALLED)]
    found = shutil.which(name, path=os.pathsep.join(places))
    return Path(found) if found else None


def install(directory: Path = INSTALLED) -> None:
    """Fetch, check and unpack the programs with what they need, then make the scripts that start them."""
    parts = directory / "parts"
    for package, files in _PACKAGES:
        take(package.fetch(), files, parts)
    where = shlex.quote(str(parts.absolute()))
    for name, call in PROGRAMS.items():
        script = f'#!/bin/sh\nexport LD_LIBRARY_PATH={where} XTABLES_LIBDIR={where}\nexec {where}/{call} "$@"\n'
        put(script.encode(), directory / name)


def main() -> int:
    """Install the programs where one is missing, and see that they can be started."""
    if all(map(find, PROGRAMS)):
        return os.EX_OK
    try:
        install()
        for name in PROGRAMS:
            said = subprocess.run(
                [INSTALLED / name, "--version"], capture_output=True, text=True, timeout=_VERSION_SECONDS, check=True
            )
            print(f"{said.stdout.strip()}: {INSTALLED / name}")  # noqa: T201 -- a command's output
    except (DownloadError, subprocess.SubprocessError, OSError, lzma.LZMAError, tarfile.TarError) as error:
        reason = (getattr(error, "stderr", "") or str(error)).strip()
        print(f"nftables and iptables could not be had: {reason}", file=sys.stderr)  # noqa: T201 -- likewise
        return os.EX_UNAVAILABLE
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
