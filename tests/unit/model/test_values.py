"""Values that everything is built from: versions, endpoints, images, secrets, tables."""

from __future__ import annotations

import copy
import itertools
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeadm_py.model import binaries, host_settings, images, paths, ports, versions
from kubeadm_py.model.actions import FileSpec, Late
from kubeadm_py.model.bootstrap import BootstrapToken
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Dns, Etcd, ExternalEtcd, LocalEtcd
from kubeadm_py.model.networking import Networking, join_host_port, split_host_port
from kubeadm_py.model.node import CONTROL_PLANE_TAINT, Node, Role, Taint
from kubeadm_py.model.secret import Secret
from kubeadm_py.model.stages import HostPlan, Plan, PlannedStep, Stage
from kubeadm_py.model.versions import Version


def cluster(**changes) -> ResolvedCluster:
    node = Node("cp1", Role.CONTROL_PLANE, ("10.0.0.11",))
    return ResolvedCluster("demo", Version.parse("v1.36.3"), (node,), **changes)


class TestVersions:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("v1.36.3", "v1.36.3"),
            ("1.36.3", "v1.36.3"),
            (" v1.36.0-rc.1 ", "v1.36.0-rc.1"),
            ("v1.36.3+k3s1", "v1.36.3+k3s1"),
            ("v1.36.3-alpha.2+b.7", "v1.36.3-alpha.2+b.7"),
        ],
    )
    def test_what_is_one(self, text, shown):
        assert str(Version.parse(text)) == shown

    @pytest.mark.parametrize(
        "text", ["", "v1.36", "1.36.x", "v1.36.3 extra", "latest", "v1.36.3-", "vv1.2.3", "v1.2.3\n4"]
    )
    def test_what_is_none(self, text):
        with pytest.raises(ValueError, match="is not a version like"):
            Version.parse(text)

    def test_their_order_is_semvers(self):
        ordered = [
            "v1.35.9",
            "v1.36.0-0",
            "v1.36.0-alpha",
            "v1.36.0-alpha.1",
            "v1.36.0-alpha.2",
            "v1.36.0-alpha.10",
            "v1.36.0-beta",
            "v1.36.0-rc.1",
            "v1.36.0",
            "v1.36.1",
            "v1.37.0",
            "v2.0.0",
        ]
        parsed = [Version.parse(text) for text in ordered]
        assert sorted(parsed, key=lambda version: (version, str(version))) == parsed
        assert all(one < other for one, other in itertools.pairwise(parsed))

    @given(st.tuples(*[st.integers(0, 50)] * 3), st.tuples(*[st.integers(0, 50)] * 3))
    def test_numbers_are_compared_as_numbers(self, one, other):
        assert (Version(*one) < Version(*other)) == (one < other)

    def test_tags_of_images_hold_no_plus(self):
        version = Version.parse("v1.36.3+build.1")
        assert (version.image_tag, version.minor_text) == ("v1.36.3_build.1", "1.36")

    def test_the_table_is_whole(self):
        assert versions.DEFAULT_MINOR in versions.RELEASES
        for minor, row in versions.RELEASES.items():
            assert Version.parse(row.default_patch).minor_text == minor
            assert row.etcd_image_tag.startswith(row.etcd.removeprefix("v"))
            assert versions.release(Version.parse(f"v{minor}.0")) is row
        with pytest.raises(KeyError):
            versions.release(Version.parse("v1.20.0"))


class TestEndpoints:
    @pytest.mark.parametrize(
        ("text", "host", "port"),
        [
            ("10.0.0.1:443", "10.0.0.1", 443),
            ("10.0.0.1", "10.0.0.1", 6443),
            ("[fd00::1]:8443", "fd00::1", 8443),
            ("[fd00::1]", "fd00::1", 6443),
            ("fd00::1", "fd00::1", 6443),
            ("api.example.test:1", "api.example.test", 1),
        ],
    )
    def test_they_are_split(self, text, host, port):
        assert split_host_port(text) == (host, port)

    @pytest.mark.parametrize("text", ["[fd00::1", "host:port", "[fd00::1]:x"])
    def test_malformed_ones_are_refused(self, text):
        with pytest.raises(ValueError):  # noqa: PT011 - of int() or of ours
            split_host_port(text)

    @given(st.ip_addresses(), st.integers(1, 65535))
    def test_and_joined_again(self, address, port):
        assert split_host_port(join_host_port(str(address), port)) == (str(address), port)


class TestCluster:
    def test_nodes_by_role(self):
        nodes = (
            Node("w1", Role.WORKER, ("10.0.0.21",)),
            Node("cp1", Role.CONTROL_PLANE, ("10.0.0.11",), bind_port=7443),
            Node("cp2", Role.CONTROL_PLANE, ("10.0.0.12",), advertise_address="10.9.9.9"),
        )
        made = ResolvedCluster("d", Version(1, 36, 3), nodes)
        assert [node.name for node in made.control_planes] == ["cp1", "cp2"]
        assert [node.name for node in made.workers] == ["w1"]
        assert made.endpoint == "10.0.0.11:7443"
        assert nodes[2].local_endpoint == "10.9.9.9:6443"
        assert made.node("cp2") is nodes[2]
        with pytest.raises(KeyError):
            made.node("cp3")
        named = ResolvedCluster("d", Version(1, 36, 3), nodes, control_plane_endpoint="api:6443")
        assert named.endpoint == "api:6443"

    def test_taints(self):
        node = Node("n", Role.CONTROL_PLANE, ())
        assert node.effective_taints == (CONTROL_PLANE_TAINT,)
        assert Node("n", Role.CONTROL_PLANE, (), taints=()).effective_taints == ()
        assert Node("n", Role.WORKER, ()).effective_taints == ()
        assert str(Taint("k", "NoSchedule", "v")) == "k=v:NoSchedule"
        assert str(Taint("k", "NoExecute")) == "k:NoExecute"

    def test_addresses_of_services(self):
        networking = Networking("10.55.0.0/16, fd00:5::/112", "10.244.0.0/16,fd00:6::/48")
        assert (networking.api_service_ip, networking.dns_ip) == ("10.55.0.1", "10.55.0.10")
        assert [str(each) for each in networking.pod_networks] == ["10.244.0.0/16", "fd00:6::/48"]
        assert Networking().pod_networks == []
        assert Networking("fd00:5::/112").dns_ip == "fd00:5::a"


class TestImages:
    def test_by_default(self):
        assert images.control_plane_images(cluster()) == [
            "registry.k8s.io/kube-apiserver:v1.36.3",
            "registry.k8s.io/kube-controller-manager:v1.36.3",
            "registry.k8s.io/kube-scheduler:v1.36.3",
            "registry.k8s.io/kube-proxy:v1.36.3",
            "registry.k8s.io/coredns/coredns:v1.14.2",
            "registry.k8s.io/pause:3.10.2",
            "registry.k8s.io/etcd:3.6.8-0",
        ]

    def test_another_repository_has_no_sub_path(self):
        """kubeadm#2714: only the default repository keeps CoreDNS one folder deeper."""
        found = images.control_plane_images(cluster(image_repository="reg.test/k8s"))
        assert "reg.test/k8s/coredns:v1.14.2" in found
        assert all(name.startswith("reg.test/k8s/") for name in found)

    def test_components_of_their_own(self):
        made = cluster(
            etcd=Etcd(LocalEtcd("reg.test/e", "9")), dns=Dns("reg.test/d", "8"), proxy_disabled=True
        )
        found = images.control_plane_images(made)
        assert {"reg.test/e/etcd:9", "reg.test/d/coredns:8"} <= set(found)
        assert not [name for name in found if "kube-proxy" in name]

    def test_what_is_not_run_is_not_listed(self):
        made = cluster(etcd=Etcd(None, ExternalEtcd(("https://e:2379",))), dns=Dns(disabled=True))
        found = images.control_plane_images(made)
        assert not [name for name in found if "etcd" in name or "coredns" in name]
        assert images.worker_images(made) == ["registry.k8s.io/kube-proxy:v1.36.3", images.pause_image(made)]


class TestSecrets:
    SECRET = Secret("hunter2")

    def test_its_value_is_only_where_it_is_asked_for(self):
        assert (self.SECRET.reveal(), self.SECRET.text()) == (b"hunter2", "hunter2")
        shown = (
            f"{self.SECRET} {self.SECRET!r} {[self.SECRET]} {BootstrapToken(self.SECRET)} %s" % self.SECRET
        )
        assert "hunter2" not in shown
        assert "Secret(***)" in shown

    def test_equal_values_are_equal(self):
        assert Secret(b"hunter2") == self.SECRET
        assert Secret("other") != self.SECRET
        assert self.SECRET != "hunter2"
        assert len({Secret("hunter2"), self.SECRET}) == 1

    def test_it_has_no_attributes_to_look_through(self):
        assert not hasattr(self.SECRET, "__dict__")
        assert copy.deepcopy(self.SECRET) == self.SECRET
        assert b"hunter2" in pickle.dumps(self.SECRET), "so a Secret must never be pickled into a file"

    def test_a_files_secret_content_is_not_shown(self):
        assert "hunter2" not in repr(FileSpec("/f", b"hunter2", 0o600, secret=True))
        assert "hunter2" in repr(FileSpec("/f", b"hunter2"))
        assert "Late" in repr(FileSpec("/f", Late("p"), secret=True))


def test_an_empty_plan():
    step = PlannedStep("s", "s", ())
    assert Stage("a", "a", (HostPlan("h", ()),)).empty
    assert not Stage("a", "a", (HostPlan("h", (step,)),)).empty
    assert Plan("v", (Stage("a", "a", (HostPlan("h", ()),)),)).empty


class TestTables:
    def test_every_path_is_absolute_and_plain(self):
        named = {
            name: value
            for name, value in vars(paths).items()
            if name.isupper()
            and isinstance(value, str)
            and name != "SEARCH_PATH"
            and not name.endswith("_SOCKET")
        }
        assert len(named) > 30
        for name, path in named.items():
            assert path.startswith("/"), name
            assert " " not in path, name
            assert not path.endswith("/"), name

    def test_our_own_state_lies_together(self):
        for path in (
            paths.INVENTORY,
            paths.MADE_DIRECTORIES,
            paths.APPLIED_DIR,
            host_settings.MASKED_SWAP_UNITS,
        ):
            assert path.startswith(f"{paths.STATE_DIR}/")
        for path in (paths.RUN_LOCK, paths.STAGE_LOCK, paths.KUBECTL_CACHE):
            assert path.startswith(f"{paths.RUN_DIR}/")

    def test_what_we_write_is_never_what_no_reset_may_remove(self):
        assert paths.STATE_DIR not in paths.NEVER_REMOVED
        assert paths.KUBERNETES_DIR not in paths.NEVER_REMOVED
        assert {"/", "/etc", "/usr/bin", "/var/lib"} <= paths.NEVER_REMOVED

    def test_ports_are_kubeadms_and_one_of_ours(self):
        assert {
            name: value for name, value in vars(ports).items() if name.isupper() and isinstance(value, int)
        } == {
            "API_SERVER": 6443,
            "SCHEDULER": 10259,
            "CONTROLLER_MANAGER": 10257,
            "KUBELET": 10250,
            "KUBELET_HEALTHZ": 10248,
            "ETCD_CLIENT": 2379,
            "ETCD_PEER": 2380,
            "ETCD_METRICS": 2381,
            "KUBE_PROXY_METRICS": 10249,
            "BALANCER_HEALTH": 10270,
        }

    def test_each_binary_has_one_place(self):
        found = [binary.path for binary in binaries.BINARIES]
        assert len(found) == len(set(found))
