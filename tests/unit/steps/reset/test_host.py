"""What a host's reset takes and leaves, phase by phase, on nodes of ours and of kubeadm's."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, Remove, RunScript, WriteFiles
from kubeadm_py.model.facts import FileFact, HostFacts, Interface
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.model.phases import Selection
from kubeadm_py.steps.etcd.birth import MANIFEST
from kubeadm_py.steps.reset import kubeadm_made
from kubeadm_py.steps.reset import left as reset_left
from kubeadm_py.steps.reset import pods as reset_pods
from kubeadm_py.steps.reset.paths import empty

from . import resetting

ETCD = b"""spec: {containers: [{command: [etcd, --name=cp1, --data-dir=/srv/etcd,
  "--initial-advertise-peer-urls=https://10.0.0.11:2380"]}]}
"""
BY_KUBEADM = (paths.KUBELET_FLAGS_ENV, paths.KUBELET_CONF, paths.ADMIN_CONF, MANIFEST)
ONLY_CLEANUP = Selection(skipped=("remove-etcd-member",))


def host(*files: str, directories: dict[str, int] | None = None, **content: bytes) -> HostFacts:
    facts = {path: FileFact(path, 0o600, "root:root") for path in files}
    if MANIFEST in facts:
        facts[MANIFEST] = FileFact(MANIFEST, 0o600, "root:root", content=ETCD)
    return HostFacts(hostname="CP1", files=facts, directories=directories or {})


def inventory(*files: str, directories: tuple[str, ...] = ()) -> Inventory:
    made = {path: {"sha256": "", "mode": "0600", "made": True} for path in files}
    return Inventory("demo", made, list(directories))


def removed(actions: list[Action]) -> set[str]:
    return {path for action in actions if isinstance(action, Remove) for path in action.paths}


def emptied(actions: list[Action]) -> str:
    return "\n".join(a.script for a in actions if isinstance(a, RunScript) and "kpy_remove" in a.script)


class TestEtcd:
    ours = inventory(MANIFEST, paths.KUBELET_FLAGS_ENV, directories=("/srv/etcd", paths.KUBELET_DIR))
    there = host(MANIFEST, paths.KUBELET_FLAGS_ENV, directories={"/srv/etcd": 1})

    def test_alone_it_leaves_the_node(self):
        actions = resetting.actions(self.ours, self.there, phases=Selection(("remove-etcd-member",)))
        assert removed(actions) == {"/srv/etcd", MANIFEST, paths.ETCD_BIRTH}
        # A rerun finds the data by the manifest, so that goes last.
        assert next(path for a in actions if isinstance(a, Remove) for path in a.paths) == "/srv/etcd"
        assert actions[-1].title == "let the kubelet go on"

    def test_before_the_cleanup_the_kubelet_stays_stopped(self):
        titles = [getattr(a, "title", "") for a in resetting.actions(self.ours, self.there)]
        assert "let the kubelet go on" not in titles

    @pytest.mark.parametrize("keep_artifacts", [True, False])
    def test_skipped_its_data_stays_and_stays_known(self, keep_artifacts):
        actions = resetting.actions(self.ours, self.there, keep_artifacts=keep_artifacts, phases=ONLY_CLEANUP)
        assert "/srv/etcd" not in removed(actions)
        assert paths.STATE_DIR not in removed(actions)
        left = actions[-1]
        assert isinstance(left, WriteFiles)
        again = Inventory.parse(left.files[0].content)
        assert again.directories == ["/srv/etcd"]
        assert "/srv/etcd" in removed(resetting.actions(again, host(directories={"/srv/etcd": 1})))

    def test_what_is_not_ours_is_emptied_only(self):
        actions = resetting.actions(inventory(), host(*BY_KUBEADM, directories={"/srv/etcd": 1}))
        assert "/srv/etcd" not in removed(actions)
        assert "for directory in /srv/etcd;" in emptied(actions)


class TestANodeThatKubeadmMade:
    def test_goes_by_kubeadms_table(self):
        actions = resetting.actions(inventory(), host(*BY_KUBEADM))
        assert removed(actions) >= set(kubeadm_made.KUBECONFIGS)
        assert f"for directory in {paths.MANIFESTS_DIR} {paths.KUBELET_DIR} {paths.PKI_DIR};" in emptied(
            actions
        )
        assert paths.KUBELET_DIR not in removed(actions)

    def test_keeps_what_prepared_it(self):
        actions = resetting.actions(inventory(), host(*BY_KUBEADM))
        assert not removed(actions) & {paths.CONTAINERD_CONFIG, paths.KUBELET_UNIT, "/var/lib/containerd"}

    def test_its_directories_may_be_named(self):
        actions = resetting.actions(
            inventory(), host(*BY_KUBEADM), certificates_dir="/srv/pki", cleanup_tmp_dir=True
        )
        assert "/srv/pki /etc/kubernetes/tmp;" in emptied(actions)
        assert paths.PKI_DIR not in emptied(actions)

    @pytest.mark.parametrize(
        "files",
        [
            (),
            # An external CA, as an operator lays it there before init.
            (f"{paths.PKI_DIR}/ca.crt", paths.ADMIN_CONF, paths.KUBELET_CONF),
        ],
    )
    def test_is_not_taken_for_one(self, files):
        assert resetting.actions(inventory(), host(*files)) == []

    def test_ours_is_not_one_whatever_lies_beside(self):
        ours = inventory(paths.KUBELET_FLAGS_ENV)
        assert not kubeadm_made.is_kubeadms(ours, host(*BY_KUBEADM))

    def test_is_prepared_by_us_all_the_same(self):
        prepared = inventory(paths.CONTAINERD_UNIT, "/usr/bin/kubelet")
        actions = resetting.actions(prepared, host(*BY_KUBEADM))
        assert "/usr/bin/kubelet" in removed(actions)
        assert f"for directory in {paths.MANIFESTS_DIR} " in emptied(actions)


class TestPackages:
    repository = "/etc/apt/sources.list.d/kubeadm-py-kubernetes.list"
    ours = replace(inventory(repository, paths.KUBELET_FLAGS_ENV), packages=["kubelet", "cri-tools"])
    there = host(repository, paths.KUBELET_FLAGS_ENV)

    def test_those_that_a_run_installed_go_with_their_repository(self):
        actions = resetting.actions(self.ours, self.there)
        assert "remove the packages kubelet, cri-tools" in [getattr(each, "title", "") for each in actions]
        assert self.repository in removed(actions)
        assert paths.STATE_DIR in removed(actions)

    def test_they_stay_with_what_prepared_the_host_and_stay_known(self):
        actions = resetting.actions(self.ours, self.there, keep_artifacts=True)
        assert not [each for each in actions if "packages" in getattr(each, "title", "")]
        left = actions[-1]
        assert isinstance(left, WriteFiles)
        assert Inventory.parse(left.files[0].content).packages == ["kubelet", "cri-tools"]


class TestNamedDirectories:
    @pytest.mark.parametrize(
        "there", [host(directories={"/srv/old-pki": 3}), host("/srv/old-pki/ca.key"), host()]
    )
    def test_certificates_that_nobody_knows_go_where_they_are_named(self, there):
        if there == host():
            assert resetting.actions(inventory(), there, certificates_dir="/srv/old-pki") == []
            return
        actions = resetting.actions(
            inventory(paths.KUBELET_FLAGS_ENV), there, certificates_dir="/srv/old-pki"
        )
        assert "for directory in /srv/old-pki;" in emptied(actions)

    def test_of_a_directory_that_is_known_only_what_is_listed_goes(self):
        ours = inventory(paths.KUBELET_FLAGS_ENV, f"{paths.PKI_DIR}/ca.crt")
        there = host(f"{paths.PKI_DIR}/theirs.key", directories={paths.PKI_DIR: 2})
        actions = resetting.actions(ours, there, certificates_dir=paths.PKI_DIR)
        assert emptied(actions) == ""
        assert f"{paths.PKI_DIR}/ca.crt" in removed(actions)

    @pytest.mark.parametrize("cleanup_tmp_dir", [True, False])
    def test_what_upgrades_replaced_goes_on_demand(self, cleanup_tmp_dir):
        ours = inventory(paths.KUBELET_FLAGS_ENV)
        actions = resetting.actions(ours, host(paths.TMP_DIR), cleanup_tmp_dir=cleanup_tmp_dir)
        assert (paths.TMP_DIR in removed(actions)) is cleanup_tmp_dir

    @pytest.mark.parametrize("path", ["/", "/etc", "/etc/", "//etc", "/srv/../usr", "/var/lib", "relative"])
    def test_the_whole_systems_are_refused(self, path):
        with pytest.raises(KubeadmPyError, match="refused to empty"):
            empty([path], "empty it")

    def test_emptying_leaves_the_directory_and_takes_hidden_files(self, tmp_path: Path):
        folder = tmp_path / "a b"
        (folder / "in").mkdir(parents=True)
        for name in ("x", ".hidden", "..odd", "in/y"):
            (folder / name).touch()
        (folder / "link").symlink_to("/nowhere")
        action = empty([str(folder)], "empty it")
        assert isinstance(action, RunScript)
        script = f'kpy_remove() {{ rm -rf -- "$@"; }}\n{action.script}'
        for said in ("", "unchanged\n"):
            done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=True)
            assert done.stdout == said
        assert folder.is_dir()
        assert not any(folder.iterdir())


class TestOthersOnOurRuntime:
    ours = inventory(paths.CONTAINERD_UNIT, "/usr/bin/containerd", paths.KUBELET_FLAGS_ENV)

    @pytest.mark.parametrize("others", [(), ("default/theirs",)])
    def test_it_stays_for_them(self, others):
        facts = HostFacts(others_containers=others)
        actions = resetting.actions(self.ours, facts)
        assert ("/usr/bin/containerd" in removed(actions)) is not bool(others)
        assert ("/var/lib/containerd" in removed(actions)) is not bool(others)
        assert paths.KUBELET_DIR in removed(actions)


@pytest.mark.parametrize(
    ("given", "files", "endpoint"),
    [
        ("unix:///run/x.sock", {}, "unix:///run/x.sock"),
        ("", {paths.CRICTL_CONFIG: b""}, ""),
        ("", {}, paths.CONTAINERD_SOCKET),
        (
            "",
            {paths.KUBELET_FLAGS_ENV: b'ARGS="--container-runtime-endpoint=unix:///run/a --x"'},
            "unix:///run/a",
        ),
        (
            "",
            {
                paths.KUBELET_INSTANCE_CONFIG: b"containerRuntimeEndpoint: unix:///var/run/crio/crio.sock\n",
                paths.CRICTL_CONFIG: b"",
            },
            "unix:///var/run/crio/crio.sock",
        ),
    ],
)
def test_the_runtime_is_the_kubelets(given, files, endpoint):
    facts = HostFacts(
        files={path: FileFact(path, 0o644, "root:root", content=text) for path, text in files.items()}
    )
    assert reset_pods.endpoint(given, facts) == endpoint


class TestWhatIsLeft:
    def test_is_named_and_the_rest_counted(self):
        files = [f"{paths.KUBERNETES_DIR}/{index}" for index in range(9)]
        facts = replace(host(*files), interfaces=(Interface("eth0"), Interface("tunl0")))
        assert reset_left.left(facts) == f"{', '.join(files[:6])} and 4 more"

    def test_directories_count_by_what_is_in_them(self):
        folder = FileFact(f"{paths.KUBERNETES_DIR}/pki", 0o755, "root:root", directory=True)
        facts = HostFacts(
            files={folder.path: folder},
            directories={paths.KUBELET_DIR: 0, paths.ETCD_DATA_DIR: 1},
            interfaces=(Interface("cni0"),),
        )
        assert reset_left.left(facts) == f"{paths.ETCD_DATA_DIR}, link cni0"

    def test_nothing_is(self):
        assert reset_left.left(host("/etc/hosts")) == ""
