"""Render a case with our own code, put into the words of a recording."""

import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from kubeadm_py.config import load
from kubeadm_py.facts.profiles import plain_debian_12
from kubeadm_py.model import paths
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.node import Node, Role
from kubeadm_py.plan.rendering.cluster import Rendered, described_artifacts, render
from kubeadm_py.steps.nodes import mark as mark_node
from oracle import cases
from oracle.cases import Case
from oracle.compare import NODE, parse_files, parse_objects
from oracle.record import MADE_AT
from oracle.words import read_certificate, read_kubeconfig

_COMPARED = ("/etc/kubernetes/manifests/", "/var/lib/kubelet/")
"""What lies here is recorded byte for byte."""
_SKIPS_MARKS = "mark-control-plane"


@dataclass(frozen=True)
class Ours:
    """Hold what we make of a case."""

    case: Case

    @cached_property
    def cluster(self) -> ResolvedCluster:
        """Return the cluster that the case's file describes on its hosts."""
        loaded = self._load()
        return load.complete(loaded, {node.name: self._facts(node) for node in loaded.nodes})

    @cached_property
    def rendered(self) -> Rendered:
        """Return all files and API objects."""
        return render(
            self.cluster,
            {node.name: self._facts(node) for node in self.cluster.nodes},
            now=MADE_AT,
            artifacts=described_artifacts(self.cluster, {"amd64"}),
        )

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Return the files of the host that is looked at: the one that joins, else the only one."""
        return {file.path: file.content for file in self.rendered.hosts[-1].files}

    @cached_property
    def modes(self) -> dict[str, str]:
        """Return mode and owner of each of them."""
        return {file.path: f"{file.mode:o} {file.owner}" for file in self.rendered.hosts[-1].files}

    @cached_property
    def told(self) -> dict[str, Any]:
        """Return everything in the form of `compare.recorded`."""
        files, ca = self.files, self.files.get(f"{self.cluster.certificates_dir}/ca.crt", b"")
        kubeconfigs = [
            path
            for path in files
            if path.startswith("/etc/kubernetes/")
            and path.endswith(".conf")
            and path != paths.BOOTSTRAP_KUBELET_CONF
        ]
        return {
            **parse_files({path: content for path, content in files.items() if path.startswith(_COMPARED)}),
            **(parse_objects(self.rendered.objects, ca) if self.case.joining is None else {}),
            **{path: read_certificate(content) for path, content in files.items() if path.endswith(".crt")},
            **{path: read_kubeconfig(files[path], ca) for path in kubeconfigs},
            NODE: self._marks(),
        }

    def _load(self) -> ResolvedCluster:
        """Read the config; where it names files of the host, those of the case stand in for them."""
        given = self.case.folder / cases.GIVEN_FILES
        text = self.case.config.decode()
        if self.case.joining is not None:
            text += "---\n" + (self.case.folder / cases.CLUSTER).read_text()
        for path in {str(Path(path).parent) for path in self.case.host.files}:
            text = text.replace(path, f"{given}{path}")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, cases.CONFIG)
            file.write_text(text)
            return load.load(str(file)).cluster

    def _facts(self, node: Node) -> HostFacts:
        host = self.case.host
        if self.case.joining is not None and node.name == self.case.joining.hostname:
            host = self.case.joining
        plain = plain_debian_12(host.hostname, host.addresses[0])
        return replace(plain, directories=dict.fromkeys(host.directories, 1), environment=host.environment)

    def _marks(self) -> dict[str, str]:
        """Say what marks the node gets, in the words of kubeadm's dry run."""
        if _SKIPS_MARKS in self.cluster.init_skip_phases:
            return {}
        node = self.cluster.nodes[-1]
        if node.role is Role.WORKER:
            return {}
        marks = mark_node.joining(node)
        labels = [f"{name}={value}" if value else name for name, value in marks.labels.items()]
        words = {"labels": labels, "taints": [str(taint) for taint in marks.taints]}
        return {what: " ".join(said) for what, said in words.items() if said}
