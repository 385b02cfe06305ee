"""Joins of control planes from end to end on hosts that exist in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import yaml
from cryptography import x509

from kubeadm_py.engine.events import ActionDone, Notice
from kubeadm_py.errors import KubeadmPyError, UnreachableError
from kubeadm_py.model import paths
from kubeadm_py.model.bootstrap import Discovery
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import inspect, kubeconfig, pem, shared
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.keys import generate, public_pem
from kubeadm_py.pki.requests import kubeconfig_requests, leaf_requests
from kubeadm_py.plan.run import RunFailedError

TOKEN = Secret("abcdef.0123456789abcdef")
KEY = Secret("0123456789abcdef" * 4)
ENDPOINT = "api.demo.internal:6443"
SHARED = (
    "ca.crt",
    "ca.key",
    "front-proxy-ca.crt",
    "front-proxy-ca.key",
    "etcd/ca.crt",
    "etcd/ca.key",
    "sa.pub",
    "sa.key",
)


@pytest.fixture
def world(make_world):
    """cp1 is up; cp2 and cp3 are prepared."""
    return make_world(up=True, control_planes=3, control_plane_endpoint=ENDPOINT)


def pki(machine, name: str) -> bytes:
    return machine.content[f"{paths.PKI_DIR}/{name}"]


def command(machine, component: str) -> list[str]:
    pod = yaml.safe_load(machine.content[f"{paths.MANIFESTS_DIR}/{component}.yaml"])
    return pod["spec"]["containers"][0]["command"]


def by_flags(world, **changes):
    """Return cp2 as `join API:PORT --control-plane` knows it: no other host, the API's address."""
    world.api.tokens["abcdef"] = TOKEN
    found = pem.public_key_hashes(world.api.ca_pem)
    return replace(
        world.cluster,
        nodes=(world.cluster.node("cp2"),),
        control_plane_endpoint="",
        discovery=Discovery(token=TOKEN, api_server_endpoint="10.0.0.11:6443", ca_cert_hashes=tuple(found)),
        **changes,
    )


def test_what_all_control_planes_share_is_copied_and_the_rest_is_made(world):
    world.join("cp2")
    cp1, cp2 = world.machines["cp1"], world.machines["cp2"]
    assert {name: pki(cp1, name) for name in SHARED} == {name: pki(cp2, name) for name in SHARED}
    assert pki(cp1, "apiserver.key") != pki(cp2, "apiserver.key")
    for name, authority in (("apiserver", "ca"), ("etcd/peer", "etcd/ca")):
        assert inspect.key_matches(pki(cp2, f"{name}.crt"), pki(cp2, f"{name}.key"))
        leaf, issuer = (
            x509.load_pem_x509_certificate(pki(of, f"{each}.crt"))
            for of, each in ((cp2, name), (cp1, authority))
        )
        leaf.verify_directly_issued_by(issuer)
    modes = {name: cp2.facts.files[f"{paths.PKI_DIR}/{name}"].mode for name in SHARED}
    assert modes == {name: 0o644 if name.endswith(".crt") else 0o600 for name in SHARED}


def test_kubeconfigs_are_those_of_a_joining_control_plane(world):
    world.join("cp2")
    cp2 = world.machines["cp2"].content
    assert paths.SUPER_ADMIN_CONF not in cp2
    assert kubeconfig.cluster_of(cp2[paths.ADMIN_CONF]).server == f"https://{ENDPOINT}"
    assert kubeconfig.cluster_of(cp2[paths.SCHEDULER_CONF]).server == "https://10.0.0.12:6443"
    sent = [call.data for call in world.machines["cp2"].calls if b"bootstrap-token-user" in call.data]
    assert b"server: https://10.0.0.12:6443" in sent[0], "its kubelet speaks to its own API server"


def test_etcd_starts_with_the_members_that_there_are(world):
    world.join("cp2")
    words = command(world.machines["cp2"], "etcd")
    assert "--initial-cluster=cp1=https://10.0.0.11:2380,cp2=https://10.0.0.12:2380" in words
    assert "--initial-cluster-state=existing" in words
    assert "--etcd-servers=https://127.0.0.1:2379" in command(world.machines["cp2"], "kube-apiserver")


def test_a_control_plane_marks_itself_and_waits_for_no_worker(world):
    world.join("cp2")
    scripts = world.machines["cp2"].scripts
    assert '"node-role.kubernetes.io/control-plane": ""' in scripts[-1]
    ready = world.machines["cp1"].scripts[-1]
    assert "patch node cp2" not in ready
    assert "wait for network" not in str(world.event(ActionDone))


def test_two_at_once_beside_a_worker(world):
    world.join("cp2", "cp3", "w1")
    assert len(world.api.etcd_members) == 3
    assert len(world.api.minted) == 1
    assert all(world.api.nodes[name] for name in ("cp2", "cp3", "w1"))
    assert f"{paths.PKI_DIR}/ca.key" not in world.machines["w1"].content
    assert pki(world.machines["w1"], "ca.crt") == world.api.ca_pem
    assert "patch node w1" not in world.machines["cp1"].scripts[-1], "it has no labels of its own"


def test_a_rerun_writes_nothing(world):
    world.join("cp2")
    before = world.machines["cp2"].facts
    world.forget()
    report = world.join("cp2")
    assert report.already == ("cp2",)
    assert report.changed == 0
    assert world.machines["cp2"].facts == before
    assert not [event for event in world.event(ActionDone) if event.changed]


def test_the_next_control_plane_of_the_file_is_asked_where_one_is_silent(world):
    world.join("cp2")
    world.forget()
    world.machines["cp1"].unreachable = UnreachableError("no route to host", host="cp1")
    world.join("cp3")
    assert any("asking cp2 instead" in event.text for event in world.event(Notice))
    assert pki(world.machines["cp3"], "ca.key") == pki(world.machines["cp2"], "ca.key")


def test_a_cluster_without_an_endpoint_takes_no_second_control_plane(make_world):
    world = make_world(up=True, control_planes=2)
    with pytest.raises(KubeadmPyError, match="has no controlPlaneEndpoint: cp2 cannot join") as caught:
        world.join("cp2")
    assert "ClusterConfiguration.controlPlaneEndpoint" in caught.value.fix
    assert world.machines["cp2"].trips == ["hold"]


def test_the_live_configuration_counts_for_all_control_planes(world):
    data = world.api.config_map("kubeadm-config")
    live = yaml.safe_load(data["ClusterConfiguration"])
    live["apiServer"] = {
        "extraArgs": [{"name": "audit-log-maxage", "value": "7"}],
        "certSANs": ["api.example"],
    }
    live["etcd"]["local"]["dataDir"] = "/var/lib/other-etcd"
    data["ClusterConfiguration"] = yaml.safe_dump(live)
    world.join("cp2")
    assert "--audit-log-maxage=7" in command(world.machines["cp2"], "kube-apiserver")
    assert "--data-dir=/var/lib/other-etcd" in command(world.machines["cp2"], "etcd")


def test_a_live_configuration_that_cannot_be_carried_out_is_named(world):
    data = world.api.config_map("kubeadm-config")
    live = yaml.safe_load(data["ClusterConfiguration"])
    data["ClusterConfiguration"] = yaml.safe_dump({**live, "encryptionAlgorithm": "RSA-1"})
    with pytest.raises(KubeadmPyError, match="kubeadm-config holds what kubeadm-py cannot") as caught:
        world.join("cp2")
    assert "encryptionAlgorithm" in caught.value.details[0]


def test_another_clusters_key_is_never_overwritten(world):
    cp2 = world.machines["cp2"]
    cp2._put(f"{paths.PKI_DIR}/sa.key", b"-----BEGIN PRIVATE KEY-----", 0o600, "root:root")
    with pytest.raises(KubeadmPyError, match=r"sa\.key is not the one that the cluster has"):
        world.join("cp2")
    assert pki(cp2, "sa.key") == b"-----BEGIN PRIVATE KEY-----"


@pytest.mark.parametrize("name", ["sa.pub", "sa.key", "ca.key", "etcd/ca.crt"])
def test_what_a_member_has_otherwise_is_told_and_not_overwritten(world, name):
    """Its inventory knows the file; nobody knows which of the two control planes has the right one."""
    world.join("cp2")
    cp2 = world.machines["cp2"]
    cp2._put(f"{paths.PKI_DIR}/{name}", b"-----BEGIN ANOTHER-----", 0o600, "root:root")
    before = cp2.facts
    world.forget()
    with pytest.raises(RunFailedError, match=rf"{name} is not the one that the cluster has") as caught:
        world.join("cp2")
    assert caught.value.host == "cp2"
    assert "kubeadm-py reset --config c.yaml --host cp2" in caught.value.fix
    assert cp2.facts == before
    assert cp2.trips == ["hold"]


@pytest.mark.parametrize("by_key", [False, True], ids=["from-cp1", "from-the-upload"])
def test_halves_of_two_service_account_keys_are_not_passed_on(world, by_key):
    """API servers would refuse each other's tokens."""
    other = generate("RSA-2048").public_key()
    world.machines["cp1"]._put(f"{paths.PKI_DIR}/sa.pub", public_pem(other), 0o600, "root:root")
    world.api.secrets["kubeadm-certs"] = uploaded(world)
    wanted = by_flags(world, certificate_key=KEY) if by_key else world.cluster
    with pytest.raises(KubeadmPyError, match=r"sa\.pub is not the public half of .*/sa\.key"):
        world.join("cp2", cluster=wanted)
    assert f"{paths.PKI_DIR}/sa.pub" not in world.machines["cp2"].content


def uploaded(world, key: Secret = KEY):
    content = {
        path: text for path, text in world.machines["cp1"].content.items() if path.startswith(paths.PKI_DIR)
    }
    return shared.secret_object(world.cluster, content, key)


def test_by_certificate_key_without_a_file(world):
    world.api.secrets["kubeadm-certs"] = uploaded(world)
    world.join("cp2", cluster=by_flags(world, certificate_key=KEY))
    cp1, cp2 = world.machines["cp1"], world.machines["cp2"]
    assert {name: pki(cp1, name) for name in SHARED} == {name: pki(cp2, name) for name in SHARED}
    assert cp1.trips == []
    assert kubeconfig.cluster_of(cp2.content[paths.ADMIN_CONF]).server == f"https://{ENDPOINT}"
    assert not any(KEY.text() in script for script in cp2.scripts)


def test_the_secret_has_ended(world):
    with pytest.raises(KubeadmPyError, match="has no Secret kube-system/kubeadm-certs") as caught:
        world.join("cp2", cluster=by_flags(world, certificate_key=KEY))
    assert caught.value.details == ("it ends two hours after its upload",)
    assert world.machines["cp2"].trips == ["hold"]


def test_another_certificate_key(world):
    world.api.secrets["kubeadm-certs"] = uploaded(world, Secret("f" * 64))
    with pytest.raises(KubeadmPyError, match="does not open Secret"):
        world.join("cp2", cluster=by_flags(world, certificate_key=KEY))


def test_without_a_certificate_key_the_files_must_be_there(world):
    with pytest.raises(RunFailedError, match=r"is not all there: .*/sa\.pub") as caught:
        world.join("cp2", cluster=by_flags(world))
    assert "--certificate-key-file" in caught.value.fix
    for name in SHARED:
        world.machines["cp2"]._put(
            f"{paths.PKI_DIR}/{name}", pki(world.machines["cp1"], name), 0o600, "root:root"
        )
    world.join("cp2", cluster=by_flags(world))
    assert world.api.nodes["cp2"]


@pytest.mark.parametrize("again", [False, True])
def test_what_init_uploads_a_join_finds(make_world, again):
    world = make_world(up=again, control_planes=2, control_plane_endpoint=ENDPOINT)
    report = world.init(upload_certs=True)
    key = report.certificate_key
    assert key is not None
    assert not any(key.text() in script for script in world.machines["cp1"].scripts)
    secret = world.api.secrets["kubeadm-certs"]
    (owner,) = secret["metadata"]["ownerReferences"]
    assert owner["name"] == f"bootstrap-token-{world.api.minted[-1]}"
    world.join("cp2", cluster=by_flags(world, certificate_key=key))
    cp1, cp2 = world.machines["cp1"], world.machines["cp2"]
    assert {name: pki(cp1, name) for name in SHARED} == {name: pki(cp2, name) for name in SHARED}


def test_nothing_is_uploaded_unasked(make_world):
    world = make_world(up=True)
    assert world.api.secrets == {}
    given = replace(world.cluster, certificate_key=KEY)
    assert world.init(cluster=given).certificate_key is None
    assert world.init(cluster=given, upload_certs=True).certificate_key == KEY
    shared.decrypt(world.cluster, world.api.secrets["kubeadm-certs"], KEY)


class TestExternalCA:
    """The CA's key is nowhere in the cluster: what it signs has to be on the joining host already."""

    @pytest.fixture
    def external(self, world):
        cp1 = world.machines["cp1"]
        left = {path: fact for path, fact in cp1.facts.files.items() if path != f"{paths.PKI_DIR}/ca.key"}
        cp1.facts = replace(cp1.facts, files=left)
        return world

    def test_all_that_is_missing_is_named_at_once(self, external):
        with pytest.raises(KubeadmPyError, match=r"the external CA \(ca\)") as caught:
            external.join("cp2")
        assert set(caught.value.details) == {
            *(f"{paths.PKI_DIR}/apiserver.{half} is missing" for half in ("crt", "key")),
            *(f"{paths.PKI_DIR}/apiserver-kubelet-client.{half} is missing" for half in ("crt", "key")),
            *(f"{path} is missing" for path in (paths.ADMIN_CONF, paths.CONTROLLER_MANAGER_CONF)),
            f"{paths.SCHEDULER_CONF} is missing",
        }
        assert external.machines["cp2"].stages == []
        told = [event.text for event in external.event(Notice)]
        assert any("the CA's key is not in the cluster" in text for text in told)

    def test_what_is_given_is_used_and_the_rest_made(self, external):
        cp1, cp2 = external.machines["cp1"], external.machines["cp2"]
        with Authorities.from_existing(
            {"ca": (pki(cp1, "ca.crt"), pki(cp1, "ca.key"))}, now=datetime.now(UTC)
        ) as authorities:
            node = external.cluster.node("cp2")
            cp2._put(f"{paths.PKI_DIR}/ca.crt", pki(cp1, "ca.crt"), 0o644, "root:root")
            for request in leaf_requests(external.cluster, node):
                if request.signer == "ca":
                    certificate, key = authorities.sign(request)
                    cp2._put(request.certificate_path, certificate, 0o644, "root:root")
                    cp2._put(request.key_path, key, 0o600, "root:root")
            for wanted in kubeconfig_requests(external.cluster, node):
                if wanted.path not in (paths.SUPER_ADMIN_CONF, paths.KUBELET_CONF):
                    cp2._put(wanted.path, authorities.kubeconfig(wanted), 0o600, "root:root")
        given = {path: cp2.content[path] for path in (f"{paths.PKI_DIR}/apiserver.crt", paths.ADMIN_CONF)}
        external.join("cp2")
        assert {path: cp2.content[path] for path in given} == given
        assert f"{paths.PKI_DIR}/ca.key" not in cp2.content
        assert f"{paths.PKI_DIR}/etcd/peer.crt" in cp2.content, "its CA's key is there"
        assert "--cluster-signing-key-file=" in command(cp2, "kube-controller-manager")
