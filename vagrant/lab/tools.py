"""Have the programs that the lab drives: from Debian's packages as root, named to everybody else."""

import os
import re
import shutil
import tempfile
from pathlib import Path

from lab.process import LabError, run, say

_PACKAGES = {
    "docker": ("docker.io", "iptables"),
    "dockerd": ("docker.io", "iptables"),
    "gcc": ("gcc", "libc6-dev"),
    "mmdebstrap": ("mmdebstrap",),
    "ssh-keygen": ("openssh-client",),
    "vagrant": ("vagrant",),
}

_APT = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300"]
"""Another apt at work is waited for, not failed on."""

_GO_SWITCHES_SINCE = (1, 21)
"""From this Go on, `GOTOOLCHAIN=auto` fetches the toolchain that a module asks for."""


def require(*programs: str) -> None:
    """Make sure that the programs are there."""
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    packages = sorted({package for program in missing for package in _PACKAGES[program]})
    _may_install(missing, packages)
    say(f"installing {' '.join(packages)}")
    run([*_APT, "update"])
    _install(packages)
    still = [program for program in missing if shutil.which(program) is None]
    if still:
        raise LabError(f"still missing after the installation: {', '.join(still)}")


def require_go() -> None:
    """Make sure that a Go is there which can fetch the toolchain that a component asks for."""
    if _go_is_new_enough():
        return
    _may_install(["go 1.21 or newer"], ["golang-go"])
    say("installing golang-go from Debian's backports")
    with tempfile.TemporaryDirectory(prefix="lab-apt-") as folder:
        run([*_APT, "update"])
        sources = Path(folder, "sources.list")
        sources.write_text(_with_backports())
        # For these two commands only: the machine's own choice of sources stays as it is.
        only = ["-o", f"Dir::Etc::sourcelist={sources}", "-o", "Dir::Etc::sourceparts=-"]
        run([*_APT, *only, "-o", "APT::Get::List-Cleanup=0", "update"])
        _install(["golang-go"], *only, "--target-release", f"{_codename()}-backports")
    if not _go_is_new_enough():
        raise LabError("Debian's packages hold no Go 1.21 or newer, with which the components are built")


def _install(packages: list[str], *options: str) -> None:
    run(
        [*_APT, *options, "install", "--no-install-recommends", *packages],
        env={"DEBIAN_FRONTEND": "noninteractive"},
        timeout=900,
    )


def _may_install(missing: list[str], packages: list[str]) -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise LabError(f"missing: {', '.join(missing)}; on Debian: apt-get install {' '.join(packages)}")


def _go_is_new_enough() -> bool:
    if shutil.which("go") is None:
        return False
    # The machine's own, not one that it would switch to.
    said = run(["go", "env", "GOVERSION"], env={"GOTOOLCHAIN": "local"})
    found = re.match(r"go(\d+)\.(\d+)", said)
    return found is not None and (int(found[1]), int(found[2])) >= _GO_SWITCHES_SINCE


def _with_backports() -> str:
    """Return apt sources: the mirror that this machine already uses, and the backports beside it."""
    codename = _codename()
    mirrors = run(
        ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", f"Codename: {codename}"]
    ).split()
    if not mirrors:
        raise LabError(f"no mirror of Debian {codename} among this machine's apt sources")
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    suites = (codename, f"{codename}-backports")
    return "".join(f"deb [signed-by={keyring}] {mirrors[0]} {suite} main\n" for suite in suites)


def _codename() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        name, _, value = line.partition("=")
        if name == "VERSION_CODENAME":
            return value.strip('"')
    raise LabError("/etc/os-release names no release of Debian")
