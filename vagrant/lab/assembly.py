"""Put what was built together: a bundle of every binary and image that a lab cluster needs."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from lab import bundle, debian, gobuild, images
from lab.components import Component, architecture
from lab.oci import Layout
from lab.process import LabError, say

_IN_BUNDLE = {
    # Component of the bundle -> component of the table, and which of its binaries.
    "kubelet": ("kubernetes", ["kubelet"]),
    "kubectl": ("kubernetes", ["kubectl"]),
    "etcdctl": ("etcd", ["etcdctl", "etcdutl"]),
    "containerd": ("containerd", ["containerd", "ctr", "containerd-shim-runc-v2"]),
    "crictl": ("crictl", ["crictl"]),
    "cni-plugins": ("cni-plugins", None),
    "flannel-cni-plugin": ("flannel-cni-plugin", None),
}


def assemble(components: dict[str, Component], folder: Path) -> None:
    """Write the bundle beside its final place and move it there when it is whole."""
    say("writing the bundle")
    folder.parent.mkdir(parents=True, exist_ok=True)
    machine = architecture()
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=folder.parent) as work:
        loose, unfinished = Path(work, "loose"), Path(work, "bundle")
        loose.mkdir()
        tar = debian.base()
        parts = images.Parts(
            components=components,
            folder=lambda name: gobuild.built(components[name]),
            debian=tar,
            balancers={name: debian.packages(names) for name, names in debian.BALANCERS.items()},
            busybox=debian.take("bin/busybox", loose / "busybox", tar),
            pause=images.compile_pause(loose / "pause"),
        )
        runc = debian.take("usr/sbin/runc", loose / "runc", tar)
        versions = {name: component.version for name, component in components.items()}
        versions["runc"] = _runc_version(runc)
        for name, (component, binaries) in _IN_BUNDLE.items():
            for binary in binaries or components[component].binaries:
                program = gobuild.built(components[component]) / binary
                bundle.place(program, unfinished, machine, name, components[component].version)
        bundle.place(runc, unfinished, machine, "runc", versions["runc"])
        layout = Layout(unfinished / "images", machine)
        images.write(layout, parts)
        layout.close()
        bundle.seal(unfinished, versions, machine)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)


def _runc_version(runc: Path) -> str:
    said = subprocess.run([runc, "--version"], capture_output=True, text=True, check=False).stdout
    words = said.split()
    if len(words) < 3:
        raise LabError("Debian's runc does not run here; install libseccomp2")
    return "v" + words[2].partition("+")[0]
