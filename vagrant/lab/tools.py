"""Have the programs that the lab drives: installed from Debian's packages as root, named to everybody else."""

import os
import shutil

from lab.process import LabError, run, say

_PACKAGES = {
    "docker": ("docker.io",),
    "dockerd": ("docker.io", "iptables"),
    "gcc": ("gcc", "libc6-dev"),
    "go": ("golang-go",),
    "mmdebstrap": ("mmdebstrap",),
    "ssh-keygen": ("openssh-client",),
    "vagrant": ("vagrant",),
}


def require(*programs: str) -> None:
    """Make sure that the programs are there."""
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    packages = sorted({package for program in missing for package in _PACKAGES[program]})
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise LabError(f"missing: {', '.join(missing)}; on Debian: apt-get install {' '.join(packages)}")
    say(f"installing {' '.join(packages)}")
    # Another apt at work is waited for, not failed on.
    apt = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300"]
    run([*apt, "update"])
    run([*apt, "install", "--no-install-recommends", *packages], env={"DEBIAN_FRONTEND": "noninteractive"})
    still = [program for program in missing if shutil.which(program) is None]
    if still:
        raise LabError(f"still missing after the installation: {', '.join(still)}")
