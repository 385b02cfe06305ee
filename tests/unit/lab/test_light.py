"""What light hosts are like: a worker's files with another address, and digests that fit."""

from __future__ import annotations

import hashlib

from lab.light import STATE_FILES, File, State

INVENTORY, SETTLED = STATE_FILES


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_digests_of_what_changes_change_with_it():
    flags, config = b"--node-ip=10.0.0.21", b"port: 10250"
    inventory = f"{sha256(flags)} {sha256(config)}".encode()
    files = [
        File(SETTLED, f"{sha256(inventory)}\n".encode()),
        File(INVENTORY, inventory, 0o600),
        File("/var/lib/kubelet/kubeadm-flags.env", flags),
        File("/var/lib/kubelet/config.yaml", config),
    ]
    made = {file.path: file for file in State("10.0.0.21", files, {}, {}).of("10.0.0.141")}
    moved = b"--node-ip=10.0.0.141"
    assert made["/var/lib/kubelet/kubeadm-flags.env"].content == moved
    assert made["/var/lib/kubelet/config.yaml"].content == config
    noted = f"{sha256(moved)} {sha256(config)}".encode()
    assert (made[INVENTORY].content, made[INVENTORY].mode) == (noted, 0o600)
    assert made[SETTLED].content == f"{sha256(noted)}\n".encode()
