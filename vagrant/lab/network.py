"""Make and remove the Docker network of a lab."""

import ipaddress
import json

from lab.process import LabError, answers, run
from lab.topology import NETWORKS, gateway, on_machine


def name(lab: str) -> str:
    """Return the network's name."""
    return f"kubeadm-py-{on_machine(lab)}"


def bridge(lab: str) -> str:
    """Return the name of the bridge that this machine has for it."""
    return f"kpy-{on_machine(lab)}"


def ensure(lab: str) -> None:
    """Make the lab's network, unless this machine already uses its addresses for something else."""
    if answers(["docker", "network", "inspect", name(lab)]):
        return
    subnet = NETWORKS[lab]
    taken = overlapping(subnet, run(["ip", "-json", "-4", "route", "show", "table", "all"]))
    if taken:
        raise LabError(f"the {lab} lab's network {subnet} overlaps with this machine's route to {taken}")
    run(
        [
            *("docker", "network", "create", "--driver=bridge"),
            *(f"--subnet={subnet}", f"--gateway={gateway(lab)}"),
            *("--opt", f"com.docker.network.bridge.name={bridge(lab)}"),
            name(lab),
        ]
    )


def remove(lab: str) -> None:
    """Remove the lab's network, if it is there."""
    if answers(["docker", "network", "inspect", name(lab)]):
        run(["docker", "network", "rm", name(lab)])


def overlapping(subnet: str, routes: str) -> str | None:
    """Return the destination in `ip -json route` that shares addresses with the subnet, the default aside."""
    wanted = ipaddress.ip_network(subnet)
    for route in json.loads(routes or "[]"):
        destination = route.get("dst", "default")
        if destination == "default":
            continue
        if ipaddress.ip_network(destination, strict=False).overlaps(wanted):
            return str(destination)
    return None
