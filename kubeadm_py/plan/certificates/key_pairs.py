"""Find out whether certificates go with keys that we did not write: an operator's, or renewed by kubeadm."""

from __future__ import annotations

from collections.abc import Mapping

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.pki import inspect, kubeconfig, shared
from kubeadm_py.pki.requests import key_pair_requests, kubeconfig_requests, leaf_requests
from kubeadm_py.plan.certificates.producers import read_files


def look(cluster: ResolvedCluster, session: Session, *, halves: bool = True) -> dict[str, bool]:
    """Return whether each key that the inventory does not know goes with its certificate, by the key's path.

    A kubeconfig holds both. One round trip where there is such a key, none where there is not. The keys are
    dropped at once. Raise KubeadmPyError where a bare public key is not the half of the private one; without
    `halves` these are not looked at: a joining host's are held against the cluster's.
    """
    facts, known = session.facts.files, session.inventory.files
    pairs: dict[str, str] = {}
    for request in leaf_requests(cluster, session.node):
        if request.key_path in facts and request.certificate_path in facts:
            pairs[request.key_path] = request.certificate_path
    for wanted in kubeconfig_requests(cluster, session.node):
        fact = facts.get(wanted.path)
        # One that names files instead is the kubelet's, which looks after its own.
        if fact is not None and b"client-certificate-data" in (fact.content or b""):
            pairs[wanted.path] = wanted.path
    foreign = [path for path in pairs if facts[path].sha256 != _recorded(known, path)]
    bare: list[str] = []
    for pair in key_pair_requests(cluster, session.node) if halves else ():
        both = [path for path in (pair.key_path, pair.public_key_path) if path in facts]
        if len(both) > 1 and any(facts[path].sha256 != _recorded(known, path) for path in both):
            bare += both
    wanted_paths = list(dict.fromkeys([*foreign, *(pairs[path] for path in foreign), *bare]))
    if not wanted_paths:
        return {}
    content = read_files(session, wanted_paths)
    shared.refuse_halves(cluster, content, session.name)
    return {path: _belong(content, path, pairs[path]) for path in foreign}


def _recorded(known: Mapping[str, Mapping[str, object]], path: str) -> object:
    return known.get(path, {}).get("sha256")


def _belong(content: Mapping[str, bytes], path: str, certificate_path: str) -> bool:
    try:
        if path != certificate_path:
            return inspect.key_matches(content[certificate_path], content[path])
        entry = kubeconfig.cluster_of(content[path])
        if entry.client_certificate_pem is None or entry.client_key is None:
            return False
        return inspect.key_matches(entry.client_certificate_pem, entry.client_key)
    except KubeadmPyError:
        # What cannot be read is no pair.
        return False
