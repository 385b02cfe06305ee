"""Clusters with more add-ons than the lab's own, and what tests run on them as their users would."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml
from lab import extras, nodes
from lab.process import LabError

from .cli import Cli
from .fleet import Cluster, Fleet

AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.63.0"
BUSYBOX = "docker.io/library/busybox:1.36"

Addon = str | dict[str, Any]
Seen = TypeVar("Seen")


TYPES = Path(os.environ.get("KPY_TYPES", Path(__file__).parents[3] / "shared" / "crds"))
"""Where a developer's machine may have upstream's types; they are no part of this repository."""


def upstream_types(project: str) -> Path:
    """Return the file of a project's CustomResourceDefinitions, or skip the test where nobody has it."""
    path = TYPES / f"{project}.yaml"
    if not path.is_file():
        pytest.skip(f"{project}'s types are not at hand: {path}")
    return path


def with_addons(
    fleet: Fleet,
    cli: Cli,
    name: str,
    addons: Sequence[Addon],
    *,
    built: Sequence[str] = (),
    hosts: Sequence[str] = ("cp1", "w1"),
    edit: Callable[[dict[str, Any]], None] | None = None,
) -> Cluster:
    """Apply a config with these add-ons beside the lab's own to bare nodes.

    `built` are the components of the lab's table of extras that their images are made of.
    """

    def change(kinds: dict[str, Any]) -> None:
        spec = kinds["Cluster"]["spec"]
        spec["hosts"] = [host for host in spec["hosts"] if host["name"] in hosts]
        spec["addons"] = [*spec["addons"], *addons]
        bundle = extras.ensure(*built) if built else None
        if bundle is not None:
            spec["artifacts"]["path"] = str(bundle)
        if edit is not None:
            edit(kinds)

    config = fleet.variant(name, change)
    fleet.bare()
    cli.run("apply", "--config", config, within=1200)
    fleet.runs(config)
    workers = tuple(fleet.node(host) for host in hosts if host != "cp1")
    return Cluster(config, fleet.control_plane, workers)


def until(look: Callable[[], Seen], wanted: Callable[[Seen], bool], within: float, what: str) -> Seen:
    """Look until what is seen is as wanted, and return it; fail with what was seen last.

    A look that fails is one that saw nothing yet: what is asked may just be starting.
    """
    ends = time.monotonic() + within
    while True:
        try:
            seen = look()
            if wanted(seen):
                return seen
            found = repr(seen)
        except LabError as error:
            found = str(error)
        assert time.monotonic() < ends, f"{what}: not after {within:.0f} s, but {found}"
        time.sleep(1)


@contextmanager
def round_trips(cluster: Cluster) -> Iterator[Callable[[], dict[str, int]]]:
    """Have the nodes' own sshd count what is run on them meanwhile, by node."""
    talkative = "/etc/ssh/sshd_config.d/00-talkative.conf"
    asked = "journalctl -u ssh.service -o cat | grep -c '^Starting session: ' || :"

    def each(script: str) -> dict[str, str]:
        return {node.name: nodes.exec(node, ["sh", "-euc", script]).stdout for node in cluster.nodes}

    each(f"echo LogLevel VERBOSE >{talkative}; systemctl reload ssh.service")
    try:
        before = each(asked)
        yield lambda: {name: int(now) - int(before[name]) for name, now in each(asked).items()}
    finally:
        each(f"rm {talkative}; systemctl reload ssh.service")


def apply(cluster: Cluster, *objects: dict[str, Any]) -> None:
    """Apply objects as their users do."""
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))


def web(
    name: str, namespace: str = "default", *, replicas: int = 1, cpu: str = "10m", kind: str = "ClusterIP"
) -> list[dict[str, Any]]:
    """Return a Deployment that answers with its pods' names, and its Service."""
    labels = {"app": name}
    container = {
        "name": "web",
        "image": AGNHOST,
        "args": ["netexec", "--http-port=8080"],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": cpu}},
    }
    where = {"name": name, "namespace": namespace}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": where,
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": where,
            "spec": {"type": kind, "selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    ]


def claim(name: str, class_name: str, size: str = "1Gi", mode: str = "ReadWriteOnce") -> dict[str, Any]:
    """Return a claim of the namespace default; class "" is for volumes of no class."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "accessModes": [mode],
            "storageClassName": class_name,
            "resources": {"requests": {"storage": size}},
        },
    }


def rolled_out(cluster: Cluster, name: str, namespace: str = "default", seconds: int = 180) -> None:
    """Wait until a Deployment's pods are there."""
    words = ("rollout", "status", f"deployment/{name}", "-n", namespace, f"--timeout={seconds}s")
    cluster.kubectl(*words, timeout=seconds + 30)


@dataclass(frozen=True)
class Answer:
    """What a server said, and what it came from."""

    status: int
    text: str


def fetch(
    address: str, port: int, host: str, path: str = "/", *, ca: Path | None = None, within: float = 5.0
) -> Answer | None:
    """Ask a server, by its address, for what it has under a name; with `ca` over TLS. None: no answer."""
    try:
        connection = socket.create_connection((address, port), within)
        if ca is not None:
            connection = ssl.create_default_context(cafile=ca).wrap_socket(connection, server_hostname=host)
        with connection:
            client = http.client.HTTPConnection(host, port, timeout=within)
            client.sock = connection
            client.request("GET", path)
            answer = client.getresponse()
            return Answer(answer.status, answer.read().decode())
    except ssl.SSLCertVerificationError:
        raise
    except (OSError, http.client.HTTPException):
        return None
