"""Take a cluster's fingerprint: what two runs that ended well have alike; what was generated is masked."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import yaml
from cryptography import x509
from lab import nodes
from lab.topology import Node

from .fleet import ADMIN

Fingerprint = dict[str, str]
"""What it is of (`cp1 /etc/kubernetes/admin.conf`, `object Node w1`) -> what is there, masked."""

# Where a cluster's files lie; the kubelet's and etcd's own state is theirs.
_ROOTS = (
    "/etc/kubernetes /etc/containerd /etc/cni /etc/crictl.yaml /etc/hosts /etc/fstab /etc/modules-load.d"
    " /etc/sysctl.d /etc/systemd/system /opt/cni/bin /usr/local/bin /var/lib/kubeadm-py"
    " /var/lib/kubelet/config.yaml /var/lib/kubelet/instance-config.yaml /var/lib/kubelet/kubeadm-flags.env"
    " /var/lib/kubelet/pki"
)
_LIST = f"for root in {_ROOTS}; do [ ! -e $root ] || find $root -printf '%y %m %U:%G %p %l\\n'; done"
_SMALL = f"for root in {_ROOTS}; do [ ! -e $root ] || find $root -type f -size -200k -print0; done"
_ETCDCTL = (
    "etcdctl --endpoints https://127.0.0.1:2379 --cacert /etc/kubernetes/pki/etcd/ca.crt"
    " --cert /etc/kubernetes/pki/etcd/server.crt --key /etc/kubernetes/pki/etcd/server.key -w json"
)
_AUTHORITIES = (
    *(
        f"/etc/kubernetes/pki/{name}.{end}"
        for name in ("ca", "front-proxy-ca", "etcd/ca")
        for end in ("crt", "key")
    ),
    "/etc/kubernetes/pki/sa.key",
)

_TIMES = re.compile(r"(kubelet-(?:client|server))-\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d")
_MOMENT = re.compile(r"@\d{10}\b")
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)
_DATA = re.compile(r"(certificate-authority-data): [A-Za-z0-9+/=]+")
_KEY = re.compile(r"<[a-z]+ private key>")
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
# What the cluster's controllers make by themselves, or what says only how it is at the moment.
_PASSING = (
    "bindings|componentstatuses|controllerrevisions|csinodes|certificatesigningrequests|endpoints|endpointslices|events"
    "|ipaddresses|leases|pods|podtemplates|replicasets"
)
_METADATA = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")


def take(hosts: Sequence[Node]) -> Fingerprint:
    """Return the fingerprint of the cluster that these hosts are; the first one is a control plane."""
    found: Fingerprint = {}
    with ThreadPoolExecutor(len(hosts) + 1) as pool:
        objects = pool.submit(_objects, hosts[0])
        for part in pool.map(lambda host: _files(host) | _member(host), hosts):
            found |= part
        return found | objects.result()


def difference(before: Fingerprint, after: Fingerprint) -> list[str]:
    """Return what is there only before (-), only after (+), and what is otherwise, a few lines each."""
    lines = [f"- {key}" for key in sorted(before.keys() - after.keys())]
    lines += [f"+ {key}" for key in sorted(after.keys() - before.keys())]
    for key in sorted(before.keys() & after.keys()):
        if before[key] != after[key]:
            old, new = before[key].splitlines(), after[key].splitlines()
            lines.append(f"~ {key}")
            lines += [f"    - {line}" for line in old if line not in new][:8]
            lines += [f"    + {line}" for line in new if line not in old][:8]
    return lines


def in_use(hosts: Sequence[Node]) -> dict[str, str]:
    """Return what never changes once it is there: authorities, the service accounts' key, etcd's cluster."""
    found: dict[str, str] = {}
    with ThreadPoolExecutor(len(hosts)) as pool:
        for part in pool.map(_in_use, hosts):
            found |= part
    return found


def _in_use(host: Node) -> dict[str, str]:
    listed = " ".join(_AUTHORITIES)
    sums = nodes.exec(host, ["sh", "-c", f"sha256sum {listed} 2>/dev/null"], check=False).stdout
    found = {f"{host.name} {path}": digest for digest, path in map(str.split, sums.splitlines())}
    members = _members(host)
    if members:
        found[f"{host.name} etcd"] = str(members["header"]["cluster_id"])
    return found


def _files(host: Node) -> Fingerprint:
    found = {}
    for line in nodes.exec(host, ["sh", "-c", _LIST]).stdout.splitlines():
        kind, mode, owner, path, *target = line.split(" ", 4)
        found[f"{host.name} {_timeless(path)}"] = " ".join([kind, mode, owner, *map(_timeless, target)])
    archive = subprocess.run(
        ["docker", "exec", host.container, "sh", "-c", f"{{ {_SMALL}; }} | tar -c -P --null -T -"],
        capture_output=True,
        check=True,
        timeout=120,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                key = f"{host.name} {_timeless(member.name)}"
                content = _content(member.name, file.read())
                # A certificate that was asked for again lies beside the first one.
                if content not in found.get(key, ""):
                    found[key] = f"{found.get(key, '')}\n{content}"
    return found


def _timeless(path: str) -> str:
    return _TIMES.sub(r"\1-TIME", path)


def _content(path: str, content: bytes) -> str:
    text = content.decode(errors="replace")
    mask = next((mask for start, mask in _MASKS.items() if path.startswith(start)), _pem)
    return mask(text)


def _pem(text: str) -> str:
    """Say of certificates what they are for, and of everything else in PEM that it is there."""

    def shown(match: re.Match[str]) -> str:
        return _certificate(match[0]) if match[1] == "CERTIFICATE" else f"<{match[1].lower()}>"

    return _PEM.sub(shown, text)


def _certificate(pem: str) -> str:
    certificate = x509.load_pem_x509_certificate(pem.encode())
    names: list[str] = []
    usages: list[str] = []
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            names = sorted(str(name.value) for name in extension.value)
        elif isinstance(extension.value, x509.ExtendedKeyUsage):
            usages = sorted(usage.dotted_string for usage in extension.value)
    subject, issuer = certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
    text = f"<certificate of {subject} by {issuer} names {names} usages {usages}>"
    # A kubelet names its own authority by the second in which it made it.
    return _MOMENT.sub("@TIME", text)


def _inventory(text: str) -> str:
    """Leave out digests: of what was generated they differ, and the rest is compared file by file."""

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without(each) for key, each in value.items() if key != "sha256"}
        if isinstance(value, list):
            return sorted((without(each) for each in value), key=json.dumps)
        return value

    return json.dumps(without(json.loads(_timeless(text))), indent=1, sort_keys=True)


def _kubeconfig(text: str) -> str:
    document = yaml.safe_load(text)
    for item in document.get("clusters", []) + document.get("users", []):
        for values in item.values():
            if isinstance(values, dict):
                for key in values.keys() & {"certificate-authority-data", "client-certificate-data"}:
                    values[key] = _pem(base64.b64decode(values[key]).decode())
                for key in values.keys() & {"client-key-data", "token"}:
                    values[key] = "<secret>"
    return str(yaml.safe_dump(document))


def _digests(text: str) -> str:
    return _DIGEST.sub("<digest>", text)


def _lines(text: str) -> str:
    return "\n".join(sorted(set(text.splitlines())))


_MASKS: dict[str, Callable[[str], str]] = {
    "/var/lib/kubeadm-py/inventory.json": _inventory,
    **dict.fromkeys(("/var/lib/kubeadm-py/applied/", "/var/lib/kubeadm-py/settled"), _digests),
    "/var/lib/kubeadm-py/made-directories": _lines,
    # One that the kubelet has renewed by then holds the same in another order, with a key of another kind.
    "/var/lib/kubelet/pki/kubelet-client-": lambda text: _lines(_KEY.sub("<private key>", _pem(text))),
    **{f"/etc/kubernetes/{name}.conf": _kubeconfig for name in ("admin", "super-admin", "kubelet")},
    **{f"/etc/kubernetes/{name}.conf": _kubeconfig for name in ("scheduler", "controller-manager")},
}


def _members(host: Node) -> dict[str, Any]:
    asked = nodes.exec(host, ["sh", "-c", f"{_ETCDCTL} member list"], check=False)
    return dict(json.loads(asked.stdout)) if asked.returncode == 0 else {}


def _member(host: Node) -> Fingerprint:
    members = _members(host)
    if not members:
        return {}
    listed = sorted(
        f"{each['name']} {each['peerURLs']} {each['clientURLs']} learner {each.get('isLearner', False)}"
        for each in members["members"]
    )
    return {f"{host.name} etcd members": "\n".join(listed)}


def _objects(control_plane: Node) -> Fingerprint:
    kubectl = f"kubectl --kubeconfig {ADMIN} --request-timeout 30s"
    kinds = f"{kubectl} api-resources --verbs list -o name | grep -vE '^({_PASSING})([.]|$)' | paste -sd ,"
    script = f"kinds=$({kinds}) && {kubectl} get $kinds -A -o json"
    items = json.loads(nodes.exec(control_plane, ["sh", "-c", script], timeout=180).stdout)["items"]
    return dict(_object(item) for item in items)


def _object(item: dict[str, Any]) -> tuple[str, str]:
    metadata = item["metadata"]
    kept = {key: value for key, value in metadata.items() if key not in _METADATA}
    for owner in kept.get("ownerReferences", ()):
        owner.pop("uid", None)
    kept.get("annotations", {}).pop("flannel.alpha.coreos.com/backend-data", None)
    shown = {**item, "metadata": kept}
    shown.pop("status", None)
    if item["kind"] == "Secret":
        shown["data"] = sorted(item.get("data") or {})
    if item["kind"] == "Node":
        shown["spec"] = {
            **item["spec"],
            **{key: "<given by the cluster>" for key in ("podCIDR", "podCIDRs") if key in item["spec"]},
            "taints": sorted(item["spec"].get("taints", ()), key=json.dumps),
        }
    name = f"{metadata.get('namespace', '')}/{metadata['name']}".lstrip("/")
    return f"object {item['kind']} {name}", json.dumps(_masked(shown), indent=1, sort_keys=True)


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        # A signature over the cluster's CA is as generated as that one is.
        return {
            key: "<signature>" if key.startswith("jws-kubeconfig-") else _masked(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_masked(each) for each in value]
    return _kubeconfigs(_pem(value)) if isinstance(value, str) else value


def _kubeconfigs(text: str) -> str:
    return _DATA.sub(r"\1: <data>", text)
