"""Bring the machines of a lab up and down; this is what the node tests import."""

import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import artifacts, clusterfile, dockerd, machine, network, nodeimage, paths, tools, topology
from lab.clusterfile import Ssh
from lab.locking import held
from lab.process import LabError, answers, run, say
from lab.topology import DEFAULT_NODES, NETWORKS, Node, on_machine

USER = "vagrant"
BUNDLE_ON_NODES = "/opt/kubeadm-py/bundle"
"""Where the bundle is mounted, read-only, for convenience: the product itself brings what a host needs."""

AUTHORIZED_KEYS = "/etc/ssh/lab_authorized_keys"
"""Where a node looks for the key of its lab."""

_LABEL = "kubeadm-py.lab"
_CHECKOUT_LABEL = "kubeadm-py.checkout"
_UP_WITHIN = 600.0
_TRIES = 5
_BOOTED_WITHIN = 60.0


@dataclass(frozen=True)
class Lab:
    """Machines that are up, and what it takes to make a cluster of them."""

    name: str
    nodes: tuple[Node, ...]
    ssh: Ssh
    version: str
    bundle: Path | None
    cluster_yaml: Path

    def node(self, name: str) -> Node:
        """Return the node of that name."""
        return next(node for node in self.nodes if node.name == name)


def up(name: str = "demo", node_names: Sequence[str] = DEFAULT_NODES, provider: str = "docker") -> Lab:
    """Bring the named nodes up, beside those of this lab that are up already.

    Nodes that run are left as they are. The cluster file is written anew and lists the named nodes.
    """
    _check(name, node_names)
    found = artifacts.ensure()
    nodes = tuple(topology.node(name, node) for node in node_names)
    with held(on_machine(name)):
        tools.require("ssh-keygen", "vagrant")
        ssh = _ssh(name)
        if provider == "docker":
            _up_in_docker(name, nodes, ssh, found.bundle)
            facts = machine.detect()
        else:
            _up_in_machines(name, nodes, ssh, provider)
            facts = machine.VIRTUAL
        cluster_yaml = paths.cluster_file(name)
        docs = clusterfile.documents(f"lab-{name}", found.version, nodes, ssh, facts, found.bundle)
        _write_if_changed(cluster_yaml, clusterfile.text(docs))
    return Lab(name, nodes, ssh, found.version, found.bundle, cluster_yaml)


def down(name: str = "demo") -> None:
    """Remove everything of a lab: machines, volumes, network, keys, and the product's local state of it.

    Machines that another checkout made, or a run that was killed, go too.
    """
    with held(on_machine(name)):
        if (_state(name) / "nodes.json").exists() or dockerd.started_by_us() or _containers(name):
            if _provider(name) == "docker":
                _down_in_docker(name)
            else:
                _vagrant(name, ["destroy", "--force"])
    shutil.rmtree(_state(name), ignore_errors=True)
    paths.cluster_file(name).unlink(missing_ok=True)
    for folder in paths.product_state().glob(f"lab-{name}-*"):
        shutil.rmtree(folder)
    for folder in (paths.STATE, paths.product_state()):
        if folder.exists() and not any(folder.iterdir()):
            folder.rmdir()
    dockerd.stop()


def fresh(node: Node, packages: Sequence[str] = ()) -> Node:
    """Replace a node by a new one of the same name and address, with nothing of the old one on it.

    `packages` of the distribution are on it beside those that every node has.
    """
    with held(on_machine(node.lab)):
        description = json.loads((_state(node.lab) / "nodes.json").read_text())
        for each in description["nodes"]:
            if each["name"] == node.name:
                each["image"] = nodeimage.ensure(packages)
        _describe(node.lab, description)
        run(["docker", "rm", "--force", "--volumes", node.container])
        _vagrant(node.lab, ["up", "--provider=docker", node.name])
        _wait_until_booted(node)
        _collect_host_keys(node.lab)
    return node


def exec(
    node: Node, argv: Sequence[str], *, stdin: str = "", check: bool = True, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a command as root in a node without SSH, as a test does that breaks something."""
    done = subprocess.run(
        ["docker", "exec", "--interactive", node.container, *argv],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if check and done.returncode != 0:
        raise LabError(f"{node.name}: {' '.join(argv)}: exit {done.returncode}\n{done.stderr.strip()}")
    return done


def placement(node: Node) -> list[str]:
    """Return the words by which `docker create` puts a machine into its lab."""
    labels = (word for label in _labels(node.lab) for word in ("--label", label))
    return ["--network", network.name(node.lab), "--ip", node.address, *labels]


def ssh_config(lab: Lab) -> str:
    """Return what `vagrant ssh-config` prints for the nodes of a lab."""
    return _vagrant(lab.name, ["ssh-config", *[node.name for node in lab.nodes]])


def running(name: str) -> list[Node]:
    """Return the nodes of a lab that run, in the table's order."""
    # Asking for the nodes of a lab must not start an engine.
    if not answers(["docker", "version", "--format", "{{.Server.Version}}"]):
        return []
    listed = run(
        ["docker", "ps", "--filter", f"label={_LABEL}={on_machine(name)}", "--format", "{{.Names}}"]
    ).split()
    nodes = (topology.node(name, node) for node in topology.NODES)
    return [node for node in nodes if node.container in listed]


def _labels(name: str) -> list[str]:
    return [f"{_LABEL}={on_machine(name)}", f"{_CHECKOUT_LABEL}={paths.STATE}"]


def _check(name: str, node_names: Sequence[str]) -> None:
    if name not in NETWORKS:
        raise LabError(f"no lab is called {name}; there are {', '.join(NETWORKS)}")
    unknown = [node for node in node_names if node not in topology.NODES]
    if unknown:
        raise LabError(f"no node is called {', '.join(unknown)}; there are {', '.join(topology.NODES)}")


def _state(name: str) -> Path:
    return paths.STATE / name


def _ssh(name: str) -> Ssh:
    state = _state(name)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = state / "id_ed25519"
    if not key.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"kubeadm-py lab {name}", "-f", key])
    return Ssh(user=USER, key=key, known_hosts=state / "known_hosts")


def _up_in_docker(name: str, nodes: Sequence[Node], ssh: Ssh, bundle: Path | None) -> None:
    tools.require("docker")
    dockerd.require()
    _clear_leftovers(name)
    up_already = running(name)
    missing = [node for node in nodes if node not in up_already]
    if not missing and ssh.known_hosts.exists():
        return
    image = nodeimage.ensure()
    network.ensure(name)
    facts = machine.detect()
    volumes = ["/var/lib", f"{ssh.key}.pub:{AUTHORIZED_KEYS}:ro"]
    if bundle is not None:
        volumes.append(f"{bundle}:{BUNDLE_ON_NODES}:ro")
    # Behind an engine of our own there is no way out: a server that refuses beats one that never answers.
    nameservers = () if dockerd.started_by_us() else facts.nameservers
    known = sorted({*up_already, *nodes}, key=lambda node: topology.NODES.index(node.name))
    description: dict[str, Any] = {
        "name": name,
        "provider": "docker",
        "ssh": {"user": ssh.user, "key": str(ssh.key)},
        "network": network.name(name),
        "labels": _labels(name),
        "nameservers": list(nameservers) or [topology.gateway(name)],
        "cap_drop": [] if facts.sys_resource else ["SYS_RESOURCE"],
        "nodes": [
            {
                "name": node.name,
                "role": node.role,
                "address": node.address,
                "container": node.container,
                "image": image,
                "volumes": volumes,
            }
            for node in known
        ],
    }
    _describe(name, description)
    # Complete again only at the end, so that a rerun after a failure does not take it for done.
    ssh.known_hosts.unlink(missing_ok=True)
    if missing:
        say(f"vagrant up: {', '.join(node.name for node in missing)}")
        # One after the other: Vagrant looks at every container for its ports, and fails on one in the making.
        _vagrant(name, ["up", "--provider=docker", "--no-parallel", *[node.name for node in missing]])
    for node in missing:
        _wait_until_booted(node)
    _collect_host_keys(name)


def _down_in_docker(name: str) -> None:
    dockerd.require()
    if (_state(name) / "vagrant").exists():
        _vagrant(name, ["destroy", "--force"])
    # What a broken run left without Vagrant knowing.
    _remove(_containers(name))
    network.remove(name)


def _clear_leftovers(name: str) -> None:
    """Remove what killed runs left of this lab, and refuse to take one that another checkout uses."""
    mine = [f"{_CHECKOUT_LABEL}={paths.STATE}"]
    alive = _containers(name, running=True)
    elsewhere = sorted(set(alive) - set(_containers(name, labels=mine, running=True)))
    if elsewhere:
        template = f'{{{{index .Config.Labels "{_CHECKOUT_LABEL}"}}}}'
        owner = run(["docker", "inspect", "--format", template, elsewhere[0]]).strip() or "another checkout"
        raise LabError(
            f"the lab {name} is up already, from {owner}; `make down` there removes it, and so does here"
            f" `python -m lab down --name {name}`"
        )
    _remove(sorted(set(_containers(name)) - set(alive)))


def _containers(name: str, labels: Sequence[str] = (), running: bool = False) -> list[str]:
    """Return the ids of a lab's containers, those that do not run included; none where no engine answers."""
    if not answers(["docker", "version", "--format", "{{.Server.Version}}"]):
        return []
    filters = [f"--filter=label={label}" for label in (f"{_LABEL}={on_machine(name)}", *labels)]
    return run(["docker", "ps", *([] if running else ["--all"]), "--quiet", *filters]).split()


def _remove(containers: Sequence[str]) -> None:
    if containers:
        run(["docker", "rm", "--force", "--volumes", *containers])


def _up_in_machines(name: str, nodes: Sequence[Node], ssh: Ssh, provider: str) -> None:
    described = [
        {"name": node.name, "role": node.role, "address": node.address, "volumes": []} for node in nodes
    ]
    _describe(
        name,
        {
            "name": name,
            "provider": provider,
            "ssh": {"user": ssh.user, "key": str(ssh.key)},
            "nameservers": [],
            "cap_drop": [],
            "nodes": described,
        },
    )
    _vagrant(name, ["up", f"--provider={provider}"])
    lines = []
    for node in nodes:
        # Vagrant's own channel to the machine, which it made, vouches for the keys.
        keys = _vagrant(name, ["ssh", node.name, "--command", "cat /etc/ssh/ssh_host_*_key.pub"])
        lines += _known_hosts(node.address, keys)
    ssh.known_hosts.write_text("\n".join(lines) + "\n")


def _describe(name: str, description: dict[str, Any]) -> None:
    (_state(name) / "nodes.json").write_text(json.dumps(description, indent=2) + "\n")


def _provider(name: str) -> str:
    try:
        return str(json.loads((_state(name) / "nodes.json").read_text())["provider"])
    except FileNotFoundError:
        return "docker"


def _vagrant(name: str, argv: Sequence[str]) -> str:
    state = _state(name)
    environment = {
        "LAB_NODES": str(state / "nodes.json"),
        "VAGRANT_CWD": str(paths.VAGRANT),
        "VAGRANT_DOTFILE_PATH": str(state / "vagrant"),
        # Nothing of the lab's belongs into the person's own Vagrant.
        "VAGRANT_HOME": str(state / "vagrant-home"),
        "VAGRANT_CHECKPOINT_DISABLE": "1",
    }
    for _ in range(_TRIES - 1):
        try:
            return run(["vagrant", *argv], env=environment, timeout=_UP_WITHIN)
        except LabError as error:
            # It looks at every container of the machine, and fails over one that goes away meanwhile.
            if "No such object" not in str(error):
                raise
    return run(["vagrant", *argv], env=environment, timeout=_UP_WITHIN)


def _wait_until_booted(node: Node) -> None:
    """Wait until systemd is through, and refuse a node with failed units."""
    waiting = ["systemctl", "is-system-running", "--wait"]
    deadline = time.monotonic() + _BOOTED_WITHIN
    while True:
        answer = exec(node, waiting, check=False, timeout=_BOOTED_WITHIN)
        said = answer.stdout.strip()
        # Until its bus is there, systemd cannot be asked at all.
        if said or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    if said != "running":
        failed = exec(node, ["systemctl", "--failed", "--no-legend", "--plain"], check=False).stdout
        raise LabError(f"{node.name}: systemd says {said or answer.stderr.strip() or 'nothing'}\n{failed}")


def _collect_host_keys(name: str) -> None:
    """Write known_hosts from the nodes' own files, read past the network that the keys are to protect."""
    lines = []
    for node in running(name):
        keys = exec(node, ["sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub"]).stdout
        lines += _known_hosts(node.address, keys)
    (_state(name) / "known_hosts").write_text("\n".join(lines) + "\n")


def _known_hosts(address: str, public_keys: str) -> list[str]:
    return [f"{address} {' '.join(line.split()[:2])}" for line in public_keys.splitlines() if line.strip()]


def _write_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
