"""A reset that is killed, cut off or loses its host is run again, and leaves what one run would have left."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import nodes
from lab.topology import Node

from kubeadm_py.engine.boundary import HELD, VARIABLE
from kubeadm_py.model import paths

from . import hostview
from .cli import Cli
from .fleet import Fleet

pytestmark = pytest.mark.long

STAGE = "reset"
FEWEST = 10
"""Actions that a reset has at the very least; with fewer boundaries the test looked at something else."""
# Whoever holds the stage's lock, with all that its login started.
_KILL_SCRIPT = f"""for fd in /proc/[0-9]*/fd/*; do
  if [ "$(readlink "$fd" 2>/dev/null)" = {paths.STAGE_LOCK} ]; then
    process=${{fd%/fd/*}}
    read -r pid comm state parent group session rest <"$process/stat"
    pkill -KILL -s "$session"
    echo "$session"
  fi
done"""


def kill_script(node: Node) -> None:
    """End what runs on the host, in the middle of whatever it does."""
    assert nodes.exec(node, ["sh", "-c", _KILL_SCRIPT]).stdout.split(), "no stage runs"


def lose_power(node: Node) -> None:
    nodes.run(["docker", "kill", node.container])
    nodes.run(["docker", "start", node.container])
    nodes.exec(node, ["systemctl", "is-system-running", "--wait"], check=False)


def words(config: Path, name: str) -> tuple[str | Path, ...]:
    return ("reset", "--config", config, "--host", name, "--yes")


@pytest.mark.parametrize("name", ["w1", "cp1"])
def test_killed_before_each_action_in_turn(cli: Cli, fleet: Fleet, name: str) -> None:
    """Each run gets one action further than the one before, and is killed there."""
    fleet.bare(artifacts=False)
    before = {node.name: hostview.look(node) for node in fleet.lab.nodes}
    config = fleet.cluster(workers=1).config
    for number in range(100):
        running = cli.start(*words(config, name), env={VARIABLE: f"{STAGE}/{name}/{number}"})
        event = running.first({"message": HELD}, {"type": "host-done", "stage": STAGE})
        if event["type"] != "host-progress":
            assert running.end().code == 0
            break
        running.signal(signal.SIGKILL)
        running.end()
    assert number >= FEWEST
    again = cli.run(*words(config, name))
    assert "nothing that kubeadm-py or kubeadm made is there" in again.out
    assert hostview.difference(before[name], hostview.look(fleet.node(name))) == []


@pytest.mark.parametrize("end", [kill_script, lose_power])
@pytest.mark.parametrize(
    "action", ["stop the kubelet", "remove network links", "stop containerd", "remove empty directories"]
)
def test_cut_off_in_the_middle_of_an_action(
    cli: Cli, fleet: Fleet, action: str, end: Callable[[Node], None]
) -> None:
    """The tool dies without a word, and what runs on the host with it, or the whole host."""
    fleet.bare("w1", artifacts=False)
    w1 = fleet.node("w1")
    before = hostview.look(w1)
    config = fleet.cluster(workers=1).config
    running = cli.start(*words(config, "w1"))
    running.until(type="host-progress", stage=STAGE, message=action)
    running.signal(signal.SIGKILL)
    end(w1)
    running.end()
    cli.run(*words(config, "w1"))
    assert hostview.difference(before, hostview.look(w1)) == []
