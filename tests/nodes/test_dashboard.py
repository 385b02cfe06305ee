"""`kubeadm-py dashboard`: the tunnel, the URL, and what its two tokens may do.

headlamp itself cannot be built here, so its pod runs a small web server instead; all else is the add-on's.
"""

from __future__ import annotations

import json
import shutil
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lab import nodes

from kubeadm_py.addons.find import load

from .cli import Cli
from .fleet import Cluster, Fleet
from .workloads import AGNHOST, until, with_addons

pytestmark = pytest.mark.long


def stand_in(folder: Path) -> Path:
    """Copy the add-on with another image and command."""
    shipped = load("headlamp")
    shutil.copytree(shipped.folder, folder)
    definition, pods = folder / "addon.yaml", folder / "manifests" / "20-pods.yaml.j2"
    [image] = shipped.addon.images
    text = definition.read_text()
    assert image.reference in text
    definition.write_text(text.replace(image.reference, AGNHOST))
    text = pods.read_text()
    arguments = "args: {{ arguments | to_yaml }}"
    assert arguments in text
    pods.write_text(text.replace(arguments, "command: [/agnhost, netexec, --http-port=4466]"))
    return folder


@pytest.fixture(scope="module")
def cluster(fleet: Fleet, cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = stand_in(tmp_path_factory.mktemp("addons") / "headlamp")
    addon = {"path": str(folder), "parameters": {"adminLogin": True}}
    yield with_addons(fleet, cli, "dashboard", [addon])
    fleet.bare()


class Tunnel:
    """The verb as it runs in a terminal: what it printed, until Ctrl-C."""

    def __init__(self, cli: Cli, *argv: str | Path) -> None:
        self.process = subprocess.Popen(
            cli.command(("dashboard", *map(str, argv))),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=cli.environment(),
        )
        assert self.process.stdout is not None
        lines: list[str] = []
        for line in self.process.stdout:
            lines.append(line.strip())
            if line.startswith("Ctrl-C"):
                break
        assert "Ctrl-C closes the tunnel" in lines, self.process.communicate(timeout=60)
        self.url, self.token = lines[0], next(line for line in lines if line.startswith("eyJ"))

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=60)
        return self.process.returncode


def page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return str(answer.read().decode())


def seen(url: str) -> str:
    """Return a page, or nothing where a browser would show an error."""
    try:
        return page(url)
    except OSError:
        return ""


def may(cluster: Cluster, token: str, folder: Path, path: str) -> int:
    """Return the API server's status for what a browser asks in the name of the token."""
    ca = folder / "ca.crt"
    ca.write_text(nodes.exec(cluster.control_plane, ["cat", "/etc/kubernetes/pki/ca.crt"]).stdout)
    url = f"https://{cluster.endpoint}{path}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(
            request, timeout=30, context=ssl.create_default_context(cafile=ca)
        ) as answer:
            json.load(answer)
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_dashboard_is_reached_through_the_tunnel_and_its_token_views(cluster, cli, tmp_path):
    tunnel = Tunnel(cli, "--config", cluster.config)
    try:
        assert "NOW" in page(tunnel.url)
        with ThreadPoolExecutor(8) as browser:
            pages = list(browser.map(page, [tunnel.url] * 24))
        assert all("NOW" in each for each in pages)
        paths = ("/api/v1/pods", "/api/v1/nodes", "/api/v1/secrets")
        assert [may(cluster, tunnel.token, tmp_path, path) for path in paths] == [200, 200, 403]
    finally:
        code = tunnel.end()
    assert code == 0
    with pytest.raises(OSError, match="refused"):
        page(tunnel.url)


def test_an_administrators_token_may_do_everything(cluster, cli, tmp_path):
    tunnel = Tunnel(cli, "--config", cluster.config, "--admin", "--duration", "10m")
    try:
        assert may(cluster, tunnel.token, tmp_path, "/api/v1/secrets") == 200
    finally:
        tunnel.end()


def test_pods_that_are_gone_are_told_and_the_tunnel_stays(cluster, cli):
    tunnel = Tunnel(cli, "--config", cluster.config)
    try:
        cluster.kubectl("scale", "deployment/headlamp", "-n", "headlamp", "--replicas=0")
        cluster.kubectl("wait", "--for=delete", "pod", "--all", "-n", "headlamp", "--timeout=90s")
        assert seen(tunnel.url) == ""
        done = cli.run("dashboard", "--config", cluster.config, code=1)
        assert "pods are not ready" in done.text
        cluster.kubectl("scale", "deployment/headlamp", "-n", "headlamp", "--replicas=1")
        cluster.kubectl("rollout", "status", "deployment/headlamp", "-n", "headlamp", "--timeout=90s")
        # The nodes hear of the new pod a moment later.
        until(lambda: seen(tunnel.url), lambda text: "NOW" in text, 60, "the tunnel leads to the new pod")
    finally:
        tunnel.end()


def test_a_cluster_without_one_says_what_brings_it(cluster, cli):
    cli.run("addon", "remove", "headlamp", "--config", cluster.config, "--yes")
    done = cli.run("dashboard", "--config", cluster.config, code=1)
    assert "add headlamp to spec.addons" in done.text
