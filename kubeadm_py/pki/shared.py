"""Know what all control planes share, and the kubeadm-certs Secret that carries it (kubeadm contract 8.4)."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.joined import SharedFile
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import pem
from kubeadm_py.pki.keys import parse_private, same_key
from kubeadm_py.pki.requests import authority_requests, key_pair_requests

SECRET_NAME = "kubeadm-certs"  # noqa: S105 - a name
NAMESPACE = "kube-system"
KEY_BYTES = 32
_NONCE_BYTES = 12
_KEY_MODE = 0o600
_PUBLIC_MODE = 0o644
_KEY_MARK = b" PRIVATE KEY-----"
_NEW = "kubeadm-py init phase upload-certs --upload-certs     (on a control plane, as root)"

RandomBytes = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class SharedPath:
    """Name a shared file: its path on every control plane, and its key in the Secret."""

    path: str
    key: str
    required: bool = True
    """Whether a cluster cannot be without it: with an external CA, its key is nowhere."""

    @property
    def is_key(self) -> bool:
        """Say whether it holds a private key."""
        return self.path.endswith(".key")


def shared_paths(cluster: ResolvedCluster) -> tuple[SharedPath, ...]:
    """List the files that a joining control plane needs of those that run, in kubeadm's order."""
    folder = f"{cluster.certificates_dir}/"
    listed: list[SharedPath] = []

    def add(path: str, required: bool = True) -> None:
        listed.append(SharedPath(path, path.removeprefix(folder).replace("/", "-"), required))

    for authority in authority_requests(cluster):
        add(authority.certificate_path)
        add(authority.key_path, required=False)
    for pair in key_pair_requests(cluster):
        add(pair.public_key_path)
        add(pair.key_path)
    external = cluster.etcd.external
    if external is not None:
        for key, path in (
            ("external-etcd-ca.crt", external.ca_file),
            ("external-etcd.crt", external.cert_file),
            ("external-etcd.key", external.key_file),
        ):
            if path:
                listed.append(SharedPath(path, key))
    return tuple(listed)


def generate_key(random: RandomBytes = secrets.token_bytes) -> Secret:
    """Make a certificate key: 32 random bytes in hex, as `kubeadm certs certificate-key` prints them."""
    return Secret(random(KEY_BYTES).hex())


def secret_object(
    cluster: ResolvedCluster,
    content: Mapping[str, bytes],
    key: Secret,
    random: RandomBytes = secrets.token_bytes,
) -> dict[str, Any]:
    """Return the Secret kubeadm-certs: each shared file as nonce and AES-256-GCM ciphertext.

    `content` is by path; a file that is nowhere (the key of an external CA) is empty there, as kubeadm
    writes it. The owner is put in where its uid is known.
    """
    cipher = AESGCM(_key(key))
    data = {}
    for shared in shared_paths(cluster):
        nonce = random(_NONCE_BYTES)
        plain = content.get(shared.path, b"")
        sealed = nonce + cipher.encrypt(nonce, plain, None) if plain else b""
        data[shared.key] = base64.b64encode(sealed).decode()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET_NAME, "namespace": NAMESPACE},
        "type": "Opaque",
        "data": data,
    }


def decrypt(cluster: ResolvedCluster, secret: Mapping[str, Any], key: Secret) -> dict[str, bytes]:
    """Return the shared files of a Secret kubeadm-certs by path; what is empty there is left out.

    Raise KubeadmPyError where the key is not the one that it was encrypted with, or a file is missing.
    """
    cipher = AESGCM(_key(key))
    data = secret.get("data") or {}
    found: dict[str, bytes] = {}
    for shared in shared_paths(cluster):
        try:
            sealed = base64.b64decode(data.get(shared.key) or "", validate=True)
            if sealed:
                found[shared.path] = cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
        except InvalidTag:
            raise KubeadmPyError(
                f"the certificate key does not open Secret {NAMESPACE}/{SECRET_NAME}",
                details=["it was encrypted with another key: each upload makes a new one"],
                fix=f"give the key that the last upload printed, or upload anew: {_NEW}",
            ) from None
        except (ValueError, TypeError, binascii.Error):
            raise KubeadmPyError(
                f"Secret {NAMESPACE}/{SECRET_NAME} is damaged: {shared.key} is not what an upload writes",
                fix=f"upload anew: {_NEW}",
            ) from None
    missing = [shared.key for shared in shared_paths(cluster) if shared.required and shared.path not in found]
    if missing:
        raise KubeadmPyError(
            f"Secret {NAMESPACE}/{SECRET_NAME} lacks {', '.join(missing)}",
            fix=f"upload anew from a control plane that has them: {_NEW}",
        )
    return found


def refuse_halves(cluster: ResolvedCluster, content: Mapping[str, bytes], host: str = "") -> None:
    """Raise KubeadmPyError where a public key is not that of the private key beside it.

    What one control plane signs with the private one, the API servers of all check with the public one.
    Pairs of which `content` lacks a half are left alone.
    """
    for pair in key_pair_requests(cluster):
        if not content.keys() >= {pair.key_path, pair.public_key_path}:
            continue
        private = parse_private(content[pair.key_path], pair.key_path).public_key()
        public = pem.public_keys(content[pair.public_key_path], pair.public_key_path)
        if not any(same_key(private, each) for each in public):
            raise KubeadmPyError(
                f"{pair.public_key_path} is not the public half of {pair.key_path}",
                host=host,
                details=["API servers would refuse the tokens of service accounts"],
                fix=f"put the pair back from another control plane, or make the half anew: openssl pkey"
                f" -in {pair.key_path} -pubout -out {pair.public_key_path}",
            )


def gone() -> KubeadmPyError:
    """Return the error for a cluster without the Secret."""
    return KubeadmPyError(
        f"the cluster has no Secret {NAMESPACE}/{SECRET_NAME}",
        details=["it ends two hours after its upload"],
        fix=f"upload anew: {_NEW}",
    )


def describe(content: Mapping[str, bytes], digest: Callable[[bytes], str]) -> tuple[SharedFile, ...]:
    """Describe shared files whose content is at hand."""
    described = []
    for path, text in content.items():
        secret = _KEY_MARK in text
        described.append(SharedFile(path, mode_of(path), digest(text), None if secret else text))
    return tuple(described)


def mode_of(path: str) -> int:
    """Return a shared file's mode: that which init gives it."""
    return _PUBLIC_MODE if path.endswith(".crt") else _KEY_MODE


def rbac(node_token_group: str) -> list[dict[str, Any]]:
    """Return what lets joining nodes read the Secret."""
    name = f"kubeadm:{SECRET_NAME}"
    metadata = {"name": name, "namespace": NAMESPACE}
    api = "rbac.authorization.k8s.io"
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [SECRET_NAME], "verbs": ["get"]}
    return [
        {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]},
        {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            "metadata": dict(metadata),
            "roleRef": {"apiGroup": api, "kind": "Role", "name": name},
            "subjects": [{"kind": "Group", "name": node_token_group}],
        },
    ]


def _key(key: Secret) -> bytes:
    try:
        raw = bytes.fromhex(key.text())
    except ValueError:
        raw = b""
    if len(raw) != KEY_BYTES:
        raise UsageError(
            f"the certificate key is not {2 * KEY_BYTES} hexadecimal digits",
            fix="kubeadm-py certs certificate-key makes one",
        )
    return raw
