"""Packages: from which repository, in which versions, held; and what still comes from the releases."""

from __future__ import annotations

import configparser
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from kubeadm_py.artifacts import official
from kubeadm_py.artifacts.plan import ArtifactView, Decision, decide_binaries
from kubeadm_py.facts.profiles import load_saved
from kubeadm_py.model import distributions
from kubeadm_py.model.actions import Late, RunScript, WriteFiles
from kubeadm_py.model.cluster import ArtifactSource
from kubeadm_py.model.distributions import DEBIAN, RED_HAT
from kubeadm_py.steps.prepare.kubelet import plan_kubelet
from kubeadm_py.steps.prepare.packages import plan_packages, remove

ANSWERS = Path(__file__).parents[2] / "facts" / "answers"
KEYS = {DEBIAN.name: b"the key of debs\n", RED_HAT.name: b"the key of rpms\n"}
MINE = {"kubelet", "kubectl", "crictl"}


@pytest.fixture
def packaged(cluster, on):
    """Return a function that makes the context of a host that gets packages."""

    def make(facts, name="cp1", mirror="", keys=KEYS):
        shape = replace(cluster, artifacts=ArtifactSource.PACKAGES, artifacts_path=mirror)
        components = official.component_versions(shape.kubernetes_version)
        view = ArtifactView(ArtifactSource.PACKAGES, components, official.ARCHITECTURES, repository_keys=keys)
        return on(shape, name, facts, view)

    return make


def written(actions):
    return {spec.path: spec for action in actions if isinstance(action, WriteFiles) for spec in action.files}


def script(actions):
    [found] = [action for action in actions if isinstance(action, RunScript)]
    return found


def test_debian_gets_held_packages_of_the_clusters_version(packaged, machine):
    actions = plan_packages(packaged(machine))
    files = written(actions)
    assert files[DEBIAN.key_file].content == b"the key of debs\n"
    assert files[DEBIAN.repository_file].content.decode().splitlines()[1] == (
        "deb [signed-by=/etc/apt/keyrings/kubeadm-py-kubernetes.asc] "
        "https://pkgs.k8s.io/core:/stable:/v1.36/deb/ /"
    )
    assert (
        "install 'kubectl=1.36.3-*'" in script(actions).script
        or "'kubelet=1.36.3-*'" in script(actions).script
    )
    assert "apt-mark hold" in script(actions).script
    assert "cri-tools" in script(actions).title


def test_red_hat_excludes_them_from_upgrades(packaged):
    facts = load_saved((ANSWERS / "rocky-9-selinux-firewalld.txt").read_bytes())
    actions = plan_packages(packaged(facts, mirror="https://mirror.lan/x"))
    files = written(actions)
    repository = configparser.ConfigParser()
    repository.read_string(files[RED_HAT.repository_file].content.decode())
    section = repository["kubeadm-py-kubernetes"]
    assert section["baseurl"] == "https://mirror.lan/x/pkgs.k8s.io/core:/stable:/v1.36/rpm/"
    assert section["exclude"].split() == list(distributions.PACKAGES)
    assert (section["gpgcheck"], section["repo_gpgcheck"]) == ("1", "1")
    assert section["gpgkey"] == f"file://{RED_HAT.key_file}"
    assert "kubelet-1.36.3" in script(actions).script
    assert "disable_excludes=kubeadm-py-kubernetes" in script(actions).script


@pytest.mark.parametrize("manager", ["apt-get", "dnf"])
def test_the_script_stops_where_the_package_manager_does(packaged, machine, tmp_path, manager):
    """The commands as a shell runs them, with a package manager that notes what it is told."""
    release = {"ID": "debian"} if manager == "apt-get" else {"ID": "fedora"}
    text = script(plan_packages(packaged(replace(machine, os_release=release)))).script
    for name in (manager, "apt-mark"):
        command = tmp_path / name
        command.write_text(
            f'#!/bin/sh\nprintf "%s|" {name} "$@" >>{tmp_path}/log\necho >>{tmp_path}/log\n'
            f'case "$*" in *install*) exit $INSTALL ;; esac\n'
        )
        command.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "INSTALL": "0"}
    subprocess.run(["sh", "-euc", text], env=env, check=True)
    calls = [line.split("|") for line in (tmp_path / "log").read_text().splitlines()]
    installed = next(call for call in calls if "install" in call)
    wanted = "kubelet=1.36.3-*" if manager == "apt-get" else "kubelet-1.36.3"
    assert wanted in installed
    assert "kubernetes-cni" in installed
    failed = subprocess.run(["sh", "-euc", text], env={**env, "INSTALL": "100"}, check=False)
    assert failed.returncode != 0


def decided(ctx):
    return {
        state.binary.name: state for state in decide_binaries(ctx.cluster, ctx.node, ctx.facts, ctx.artifacts)
    }


def test_packages_bring_what_kubernetes_has_packages_of_and_releases_the_rest(packaged, machine):
    states = decided(packaged(machine))
    assert {name for name, state in states.items() if state.decision is Decision.PACKAGE} >= MINE | {"bridge"}
    assert states["kubelet"].path == "/usr/bin/kubelet"
    sent = {name for name, state in states.items() if state.decision is Decision.SEND}
    assert sent == {"containerd", "containerd-shim-runc-v2", "ctr", "runc", "etcdctl", "etcdutl"}


@pytest.mark.parametrize(
    ("version", "decision"),
    [
        ("v1.36.3", Decision.KEEP),
        ("v1.36.1", Decision.PACKAGE),
        ("v1.36.4", Decision.UNSUITABLE),
        ("v1.35.9", Decision.UNSUITABLE),
    ],
)
def test_a_kubelet_that_is_there_is_kept_brought_up_or_refused(packaged, machine, version, decision):
    facts = replace(
        machine, executables={"kubelet": "/usr/bin/kubelet"}, binary_versions={"kubelet": version}
    )
    assert decided(packaged(facts))["kubelet"].decision is decision


def test_the_packages_unit_stays_and_gets_kubeadms_drop_in(packaged, machine):
    paths = set(written(plan_kubelet(packaged(machine))))
    assert paths == {"/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"}


def test_what_the_host_had_is_not_noted_as_brought(packaged, machine):
    facts = replace(
        machine, executables={"kubelet": "/usr/bin/kubelet"}, binary_versions={"kubelet": "v1.36.1"}
    )
    planned = script(plan_packages(packaged(facts)))
    assert planned.title == "install cri-tools, kubectl, kubelet, kubernetes-cni"
    assert set(planned.packages) == {"kubernetes-cni", "cri-tools", "kubectl"}


DPKG = """
echo "$*" >>dpkg-calls
[ $(wc -l <dpkg-calls) -gt 1 ] || { echo "dpkg: error: dpkg frontend lock was locked" >&2; exit 2; }
"""


def test_packages_go_once_nobody_else_holds_the_lock(shell, tmp_path):
    stands_in = {"apt-mark": 'echo "$*" >>held', "dpkg": DPKG, "sleep": "exit 0", "rpm": "exit 1"}
    done = shell(remove(["kubelet", "cri-tools"]).script, **stands_in)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "held").read_text() == "unhold kubelet cri-tools\n"
    assert (tmp_path / "dpkg-calls").read_text() == "--purge kubelet cri-tools\n" * 2


def test_packages_that_others_depend_on_stay_and_that_is_told(shell):
    refuses = 'echo "dpkg: dependency problems" >&2; echo "kubeadm depends on kubelet" >&2; exit 1'
    text = 'kpy_warn() { echo "warning $*"; }\n' + remove(["kubelet"]).script
    done = shell(text, **{"apt-mark": "exit 0", "dpkg": refuses})
    assert (done.returncode, done.stdout) == (0, "warning packages stay: kubeadm depends on kubelet\n")


def test_a_plan_fetches_no_key(packaged, machine):
    files = written(plan_packages(packaged(machine, keys={})))
    assert isinstance(files[DEBIAN.key_file].content, Late)


def test_other_sources_install_no_packages(cluster, machine, bundle, on):
    assert plan_packages(on(cluster, "cp1", machine, bundle)) == []
