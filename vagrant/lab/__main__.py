"""Drive the lab from the command line: `python -m lab COMMAND`."""

import argparse
import shutil
import sys
from pathlib import Path

from lab import artifacts, collect, nodes, paths, topology
from lab.components import architecture
from lab.process import LabError


def main() -> int:
    """Run one command and return its exit code."""
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description="Real clusters on one small machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("artifacts", help="have the binaries and images complete, and print where")
    command.set_defaults(run=_artifacts)

    command = commands.add_parser("up", help="bring nodes up and write the cluster file")
    _add_name(command)
    command.add_argument("--provider", default="docker", choices=["docker", "libvirt", "virtualbox"])
    command.add_argument("nodes", nargs="*", metavar="NODE", help=f"of {', '.join(topology.NODES)}")
    command.set_defaults(run=_up)

    command = commands.add_parser("down", help="remove a lab and everything of it, caches aside")
    _add_name(command)
    command.add_argument("--all", action="store_true", help="all labs")
    command.set_defaults(run=_down)

    command = commands.add_parser("status", help="say which nodes run")
    command.set_defaults(run=_status)

    command = commands.add_parser("next", help="say what to type when the demo lab has a cluster")
    command.set_defaults(run=_next)

    command = commands.add_parser(
        "collect", help="copy journals, pod logs and network state out of the nodes"
    )
    _add_name(command)
    command.add_argument("folder", type=Path, metavar="DIR")
    command.set_defaults(run=_collect)

    command = commands.add_parser("clean-cache", help="delete everything that the lab keeps between runs")
    command.set_defaults(run=_clean_cache)
    return parser


def _add_name(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--name", default="demo", choices=list(topology.NETWORKS), help="which lab (default: demo)"
    )


def _artifacts(_: argparse.Namespace) -> None:
    found = artifacts.ensure()
    print(found.bundle or "the official releases are reachable: nothing to prepare")


def _up(arguments: argparse.Namespace) -> None:
    lab = nodes.up(arguments.name, arguments.nodes or topology.DEFAULT_NODES, arguments.provider)
    for node in lab.nodes:
        print(f"{node.name}  {node.address}  {node.role}")
    options = f"-i {lab.ssh.key} -o UserKnownHostsFile={lab.ssh.known_hosts}"
    print(f"ssh {options} {lab.ssh.user}@{lab.nodes[0].address}")
    print(lab.cluster_yaml)


def _down(arguments: argparse.Namespace) -> None:
    for name in topology.NETWORKS if arguments.all else [arguments.name]:
        nodes.down(name)


def _status(_: argparse.Namespace) -> None:
    for name in topology.NETWORKS:
        up = nodes.running(name)
        print(f"{name}: {', '.join(node.name for node in up) or 'down'}")
        if up:
            print(f"  {paths.cluster_file(name)}")


def _next(_: argparse.Namespace) -> None:
    programs = [Path(sys.executable).parent]
    found = artifacts.ensure()
    if shutil.which("kubectl") is None and found.bundle is not None:
        programs += found.bundle.glob(f"bin/{architecture()}/kubectl/*")
    print("\nnext:")
    print(f"  export PATH={':'.join(map(str, programs))}:$PATH")
    print(f"  export KUBECONFIG=$(kubeadm-py kubeconfig get --config {paths.cluster_file('demo')} --path)")
    print("  kubectl get nodes -o wide")
    print("  make down")


def _collect(arguments: argparse.Namespace) -> None:
    collect.collect(arguments.name, arguments.folder)
    print(arguments.folder)


def _clean_cache(_: argparse.Namespace) -> None:
    artifacts.forget()


if __name__ == "__main__":
    sys.exit(main())
