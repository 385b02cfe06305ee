"""Get files from Debian's packages, without installing them here."""

import tarfile
from pathlib import Path

from lab import paths
from lab.process import run, say

SUITE = "bookworm"

_TOOLS = ("iptables", "nftables", "conntrack", "ipset", "kmod", "iproute2", "busybox-static", "runc")
BALANCERS = {"haproxy": ("haproxy",), "keepalived": ("keepalived", "curl")}
"""Image -> what is in it; keepalived's check asks with curl."""


def base() -> Path:
    """Return a tar of the tools that images need."""
    return packages(_TOOLS)


def packages(names: tuple[str, ...]) -> Path:
    """Return a tar of packages with what they need, unpacked but not configured: the same every time."""
    tar = paths.cache() / "built" / "debian" / f"{SUITE}-{'-'.join(names)}.tar"
    if not tar.exists():
        say(f"collecting Debian packages: {', '.join(names)}")
        tar.parent.mkdir(parents=True, exist_ok=True)
        unfinished = tar.with_name(".unfinished.tar")
        run(
            ["mmdebstrap", "--variant=extract", f"--include={','.join(names)}", SUITE, unfinished],
            env={"SOURCE_DATE_EPOCH": "0"},
        )
        unfinished.rename(tar)
    return tar


def take(path: str, target: Path, tar: Path) -> Path:
    """Copy one program out of a tar of a Debian tree."""
    with tarfile.open(tar) as archive:
        content = archive.extractfile(f"./{path}")
        if content is None:
            raise ValueError(f"{path} is no file in {tar}")
        target.write_bytes(content.read())
    target.chmod(0o755)
    return target
