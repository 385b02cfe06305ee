"""A reset that is killed, cut off or loses its host is run again, and leaves what one run would have left."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import nodes
from lab.topology import Node

from kubeadm_py.engine.boundary import HELD, VARIABLE
from kubeadm_py.model import paths

from . import hostview
from .cli import Cli
from .fleet import KUBECTL, Fleet

pytestmark = pytest.mark.long

STAGE = "reset"
NOTHING = "nothing that kubeadm-py or kubeadm made is there"
FEWEST = 10
"""Actions that a reset has at the very least; with fewer boundaries the test looked at something else."""
# Whoever holds the stage's lock, with all that its login started.
_FREEZE = f"""read -r now
for fd in $(find /proc/[0-9]*/fd -lname {paths.STAGE_LOCK} 2>/dev/null); do
  read -r pid comm state parent group session rest <"${{fd%/fd/*}}/stat" && echo "$session"
done | sort -u | while read -r session; do pkill -STOP -s "$session"; echo "$session"; done"""


class Frozen:
    """What runs on a host stands still, in the middle of whatever it does, the moment that it is told to."""

    def __init__(self, node: Node) -> None:
        self.node = node
        # Ready before: to begin a program there takes longer than many an action.
        self._shell = subprocess.Popen(
            ["docker", "exec", "--interactive", node.container, "sh", "-c", _FREEZE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.sessions: list[str] = []

    def now(self) -> None:
        said, _ = self._shell.communicate("\n", timeout=60)
        self.sessions = said.split()
        assert self.sessions, "no stage runs"


def kill_script(frozen: Frozen) -> None:
    """End what runs on the host."""
    for session in frozen.sessions:
        nodes.exec(frozen.node, ["pkill", "-KILL", "-s", session])


def lose_power(frozen: Frozen) -> None:
    node = frozen.node
    nodes.run(["docker", "kill", node.container])
    nodes.run(["docker", "start", node.container])
    nodes.exec(node, ["systemctl", "is-system-running", "--wait"], check=False)


def words(config: Path, name: str) -> tuple[str | Path, ...]:
    return ("reset", "--config", config, "--host", name, "--yes")


def cut(cli: Cli, config: Path, name: str, *, stage: str, host: str, place: str) -> None:
    """Let a reset come as far as the boundary of a stage on a host, and kill it there."""
    running = cli.start(*words(config, name), env={VARIABLE: f"{stage}/{host}/{place}"})
    running.until(type="host-progress", stage=stage, message=HELD)
    running.signal(signal.SIGKILL)
    running.end()


def test_a_node_that_a_killed_one_left_goes_with_the_next(cli: Cli, fleet: Fleet) -> None:
    """Killed once the host is clean, and before the cluster has forgotten it."""
    cluster = fleet.cluster(workers=1)
    cut(cli, cluster.config, "w1", stage="forget", host="cp1", place="before")
    assert cluster.node_names() == ["cp1", "w1"]
    looked = cli.run("reset", "--config", cluster.config, "--host", "w1", "--dry-run")
    assert "delete Node w1" in looked.out
    again = cli.run(*words(cluster.config, "w1"))
    assert "w1 reset" in again.out
    assert cluster.node_names() == ["cp1"]
    assert NOTHING in cli.run(*words(cluster.config, "w1")).out


def test_a_control_plane_that_a_killed_one_left_goes_with_the_next(cli: Cli, fleet: Fleet) -> None:
    """Killed before its member leaves etcd, after that, and once its host is clean."""
    with fleet.grown("cp1", "cp2") as lab:
        config = lab.cluster_yaml
        cli.run("apply", "--config", config)

        def known() -> tuple[list[str], list[str]]:
            status = json.loads(cli.run("etcd", "status", "--config", config, "-o", "json", code=None).out)
            shown = nodes.exec(lab.node("cp1"), [*KUBECTL, "get", "nodes", "-o", "name"]).stdout
            return [each["name"] for each in status["items"]], shown.split()

        cut(cli, config, "cp2", stage="leave", host="cp2", place="before")
        assert known() == (["cp1", "cp2"], ["node/cp1", "node/cp2"])
        cut(cli, config, "cp2", stage="leave", host="cp2", place="after")
        assert known() == (["cp1"], ["node/cp1", "node/cp2"])
        cut(cli, config, "cp2", stage="forget", host="cp1", place="before")
        assert known() == (["cp1"], ["node/cp1", "node/cp2"])
        assert "cp2 reset" in cli.run(*words(config, "cp2")).out
        assert known() == (["cp1"], ["node/cp1"])
        assert NOTHING in cli.run(*words(config, "cp2")).out


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
    assert NOTHING in again.out
    hostview.assert_same(before[name], hostview.look(fleet.node(name)))


@pytest.mark.parametrize("end", [kill_script, lose_power])
@pytest.mark.parametrize(
    "action", ["stop the kubelet", "remove network links", "stop containerd", "remove empty directories"]
)
def test_cut_off_in_the_middle_of_an_action(
    cli: Cli, fleet: Fleet, action: str, end: Callable[[Frozen], None]
) -> None:
    """The tool dies without a word, and what runs on the host with it, or the whole host."""
    fleet.bare("w1", artifacts=False)
    w1 = fleet.node("w1")
    before = hostview.look(w1)
    config = fleet.cluster(workers=1).config
    frozen = Frozen(w1)
    running = cli.start(*words(config, "w1"))
    running.until(type="host-progress", stage=STAGE, message=action)
    running.signal(signal.SIGKILL)
    frozen.now()
    end(frozen)
    running.end()
    assert "w1 reset" in cli.run(*words(config, "w1")).out
    hostview.assert_same(before, hostview.look(w1))
