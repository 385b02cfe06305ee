"""Joins of workers from end to end on hosts that exist in memory."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import yaml

from kubeadm_py.engine.events import ActionDone, HostDone, Notice
from kubeadm_py.engine.interrupt import InterruptedRunError
from kubeadm_py.errors import ExitCode, KubeadmPyError, UnreachableError, UsageError
from kubeadm_py.model import paths
from kubeadm_py.model.bootstrap import Discovery
from kubeadm_py.model.cluster import AddonRequest, ArtifactSource
from kubeadm_py.model.joined import JoinedCluster
from kubeadm_py.model.networking import Networking
from kubeadm_py.model.node import Taint
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import kubeconfig, pem
from kubeadm_py.plan.joining import join as plan_join
from kubeadm_py.plan.joining.joined import as_joined
from kubeadm_py.plan.joining.leader import Leader
from kubeadm_py.plan.run import RunFailedError
from kubeadm_py.preflight.run import PreflightRefused
from kubeadm_py.token import errors as token_errors
from kubeadm_py.transport.base import Result

TOKEN = Secret("abcdef.0123456789abcdef")


def released(machine) -> bool:
    kinds = [call.kind for call in machine.calls]
    return kinds.count("hold") == kinds.count("release") and kinds[-1] == "close"


def by_token(world, *, token: Secret = TOKEN, pins: tuple[str, ...] | None = None):
    """Return the cluster as `join API:PORT --token` knows it: no control plane, the API's address."""
    world.api.tokens["abcdef"] = TOKEN
    found = pem.public_key_hashes(world.api.ca_pem) if pins is None else pins
    return replace(
        world.cluster,
        nodes=world.cluster.workers,
        discovery=Discovery(token=token, api_server_endpoint="10.0.0.11:6443", ca_cert_hashes=tuple(found)),
    )


def test_a_bare_worker_takes_three_round_trips_and_the_control_plane_two(make_world):
    world = make_world(up=True, base="lab-bare", artifacts=ArtifactSource.BUNDLE)
    report = world.join("w1")
    w1, cp1 = world.machines["w1"], world.machines["cp1"]
    assert w1.trips == ["hold", "prepare", "join"]
    assert cp1.trips == ["run", "ready"]
    assert report.already == ()
    assert world.api.nodes["w1"] is True
    assert released(w1)
    assert cp1.calls[-1].kind == "close"


def test_what_a_join_leaves(joined):
    joined.join("w1")
    w1 = joined.machines["w1"]
    assert w1.content[f"{paths.PKI_DIR}/ca.crt"] == joined.api.ca_pem
    assert paths.BOOTSTRAP_KUBELET_CONF not in w1.content, "the token does not stay on the host"
    assert paths.KUBELET_CONF in w1.content
    live = yaml.safe_load(joined.api.config_map("kubelet-config")["kubelet"])
    own = {"containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock"}
    assert yaml.safe_load(w1.content[paths.KUBELET_CONFIG]) == live | own
    assert f"{paths.PKI_DIR}/ca.key" not in w1.content


def test_the_token_is_minted_for_this_join_and_deleted_in_it(joined):
    joined.join("w1")
    assert joined.api.minted == joined.api.deleted
    assert len(joined.api.minted) == 1
    assert joined.api.minted[0] not in joined.api.tokens
    bootstrap = [call.data for call in joined.machines["w1"].calls if b"bootstrap-token-user" in call.data]
    assert bootstrap, "the kubelet got it"


def subjects(world) -> list[str]:
    return [request.subject.rfc4514_string() for request in world.api.requests]


def test_a_cluster_that_signs_at_once_spares_the_kubelet_the_asking(make_world):
    world = make_world(up=True, workers=2)
    world.api.signs = True
    report = world.join("w1", "w2")
    assert subjects(world) == ["CN=system:node:w1,O=system:nodes", "CN=system:node:w2,O=system:nodes"]
    for name in ("w1", "w2"):
        machine = world.machines[name]
        (dated,) = [path for path in machine.content if re.search(r"kubelet-client-20[-\d]+\.pem$", path)]
        assert re.findall(rb"-----BEGIN (.*)-----", machine.content[dated]) == [
            b"CERTIFICATE",
            b"EC PRIVATE KEY",
        ]
        assert machine.facts.files[dated].mode == 0o600
        assert f"ln -sfn {dated.rpartition('/')[2]} {paths.KUBELET_CLIENT_CURRENT}" in machine.scripts[-1]
        login = yaml.safe_load(machine.content[paths.KUBELET_CONF])["users"][0]
        assert login == {
            "name": f"system:node:{name}",
            "user": {
                "client-certificate": paths.KUBELET_CLIENT_CURRENT,
                "client-key": paths.KUBELET_CLIENT_CURRENT,
            },
        }
        told = b"".join(call.data for call in machine.calls) + "".join(machine.scripts).encode()
        assert b"token:" not in told, "the token never reaches the worker"
        assert b"has not signed" not in told
    assert world.api.minted == world.api.deleted
    steps = [step.step for host in report.plan.stages[-1].hosts for step in host.steps]
    assert steps == ["kubelet-start", "kubelet-wait-bootstrap"] * 2


def test_nothing_is_signed_where_no_kubelet_is_started(joined):
    joined.api.signs = True
    joined.join("w1", skip_phases=("kubelet-start", "kubelet-wait-bootstrap"))
    assert joined.api.requests == []


def test_a_join_by_token_asks_for_the_certificate_with_it(joined):
    joined.api.signs = True
    joined.join("w1", cluster=by_token(joined))
    assert subjects(joined) == ["CN=system:node:w1,O=system:nodes"]
    assert joined.api.nodes["w1"] is True


def test_a_rerun_writes_nothing(joined):
    joined.join("w1")
    w1, cp1 = joined.machines["w1"], joined.machines["cp1"]
    before = (w1.facts, cp1.facts)
    joined.forget()
    joined.api.minted.clear()
    report = joined.join("w1")
    assert report.already == ("w1",)
    assert report.changed == 0
    assert w1.trips == ["hold"]
    assert cp1.trips == ["run", "ready"]
    assert [call.data for call in cp1.calls if call.kind == "run"] == [b"", b""]
    assert (w1.facts, cp1.facts) == before
    assert joined.api.minted == []
    assert not [event for event in joined.event(ActionDone) if event.changed]


def test_a_dry_run_takes_no_lock_mints_nothing_and_writes_nothing(joined):
    w1, cp1 = joined.machines["w1"], joined.machines["cp1"]
    before = (w1.facts, cp1.facts)
    report = joined.join("w1", dry_run=True)
    assert (w1.trips, cp1.trips) == (["run"], ["run"])
    assert "flock -n" not in w1.scripts[0]
    assert (w1.facts, cp1.facts) == before
    assert joined.api.minted == []
    steps = [step.step for host in report.plan.stages[-1].hosts for step in host.steps]
    assert steps == ["kubelet-start", "kubelet-wait-bootstrap"]


def test_labels_are_set_by_the_control_plane(make_world):
    world = make_world(up=True)
    nodes = tuple(
        replace(node, labels={"disk": "ssd"}, taints=(Taint("only", "NoSchedule", "gpu"),))
        if node.name == "w1"
        else node
        for node in world.cluster.nodes
    )
    world.cluster = replace(world.cluster, nodes=nodes)
    world.join("w1")
    ready = world.machines["cp1"].scripts[-1]
    assert """patch node w1 --type strategic -p '{"metadata": {"labels": {"disk": "ssd"}}}'""" in ready
    flags = world.machines["w1"].content[paths.KUBELET_FLAGS_ENV].decode()
    assert "--register-with-taints=only=gpu:NoSchedule" in flags


def test_three_at_once(make_world):
    world = make_world(up=True, workers=3)
    report = world.join("w1", "w2", "w3")
    assert report.changed
    for name in ("w1", "w2", "w3"):
        assert world.machines[name].trips[0] == "hold"
        assert len(world.machines[name].trips) <= 3
        assert world.api.nodes[name]
    assert world.machines["cp1"].trips == ["run", "ready"], "however many join"
    assert len(world.api.minted) == 1


def test_only_the_named_hosts_are_touched(make_world):
    world = make_world(up=True, workers=2)
    world.join("w2")
    assert world.machines["w1"].calls == []


def test_one_unreachable_host_stops_the_join_before_anything(make_world):
    world = make_world(up=True, workers=2)
    world.machines["w2"].unreachable = UnreachableError("no route to host")
    with pytest.raises(RunFailedError, match="w2: no route to host") as caught:
        world.join("w1", "w2")
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert world.machines["w1"].trips == ["hold"]
    assert released(world.machines["w1"])
    assert world.api.minted == []
    assert world.machines["cp1"].trips == ["run"], "no token is minted, so none is deleted"
    assert world.machines["cp1"].calls[-1].kind == "close"


@pytest.mark.parametrize("stage", ["prepare", "join"])
def test_a_failing_host_leaves_the_others_alone(make_world, stage):
    world = make_world(up=True, workers=2, base="lab-bare", artifacts=ArtifactSource.BUNDLE)
    world.machines["w1"].kill(stage, 1)
    with pytest.raises(RunFailedError) as caught:
        world.join("w1", "w2")
    assert [error.host for error in caught.value.errors] == ["w1"]
    assert caught.value.errors[0].details == ("it did not work",)
    assert world.api.nodes.get("w2") is True
    assert "w1" not in world.api.nodes
    assert world.api.tokens.keys().isdisjoint(world.api.minted), "the token is gone"
    done = {event.host: event.error for event in world.event(HostDone) if event.stage == stage}
    assert done["w1"]
    assert done["w2"] == ""
    world.machines["w1"].failing.clear()
    world.forget()
    world.join("w1", "w2")
    assert world.api.nodes["w1"] is True


@pytest.mark.parametrize("stage", ["prepare", "join"])
def test_the_token_goes_when_all_hosts_fail(make_world, stage):
    world = make_world(up=True, base="lab-bare", artifacts=ArtifactSource.BUNDLE)
    world.machines["w1"].kill(stage, 0)
    with pytest.raises(RunFailedError):
        world.join("w1")
    assert len(world.api.minted) == 1
    assert world.api.tokens.keys().isdisjoint(world.api.minted)
    assert released(world.machines["w1"])


def test_the_token_goes_when_the_add_ons_do_not_come_up(joined):
    joined.machines["cp1"].kill("ready", 1, 9)
    with pytest.raises(RunFailedError, match="wait for network, DNS and storage") as caught:
        joined.join("w1")
    assert caught.value.exit_code is ExitCode.TIMEOUT
    assert joined.api.tokens.keys().isdisjoint(joined.api.minted)


def test_the_token_goes_when_preflight_refuses(joined):
    w1 = joined.machines["w1"]
    w1.facts = replace(w1.facts, machine_id=joined.machines["cp1"].facts.machine_id, uid=1000)
    with pytest.raises(PreflightRefused):
        joined.join("w1")
    assert w1.stages == []
    assert w1.content == {}
    assert len(joined.api.minted) == 1
    assert joined.api.tokens.keys().isdisjoint(joined.api.minted)


def test_the_token_goes_after_a_stop(joined):
    run = joined.a_run("join")
    joined.machines["w1"].before_stage = lambda stage: run.interrupt._stop(2, None)
    with pytest.raises(InterruptedRunError):
        plan_join.join(run, run.cluster.workers)
    run.close()
    assert len(joined.api.minted) == 1
    assert joined.api.tokens.keys().isdisjoint(joined.api.minted)


def test_after_a_stop_no_token_is_minted(joined):
    run = joined.a_run("join")
    run.look(run.cluster.workers)
    run.interrupt._stop(2, None)
    with pytest.raises(InterruptedRunError):
        plan_join.join(run, run.cluster.workers)
    run.close()
    assert joined.api.minted == []


def test_the_token_goes_when_the_rest_of_the_errand_fails(joined):
    joined.machines["cp1"].errand_fails = True
    with pytest.raises(KubeadmPyError, match="cannot help the hosts to join") as caught:
        joined.join("w1")
    assert caught.value.host == "cp1"
    assert caught.value.details == ("base64: /etc/kubernetes/pki/ca.crt: Input/output error",)
    assert joined.api.tokens.keys().isdisjoint(joined.api.minted)
    assert joined.machines["cp1"].calls[-1].kind == "close"


def test_nothing_is_minted_before_the_rest_of_the_errand_is_done(joined):
    joined.join("w1")
    script = joined.machines["cp1"].scripts[0]
    assert script.index("ca.crt") < script.index("kubeadm_py_probe\n") < script.index("create --raw")


def test_a_token_that_cannot_be_deleted_is_told_and_hides_nothing(joined):
    joined.machines["w1"].kill("join", 0)
    cp1 = joined.machines["cp1"]
    cp1.answer(re.compile("^# delete the join's token"), Result(1, b"", b"connection refused\n"))
    cp1.kill("ready", 0)
    with pytest.raises(RunFailedError, match="w1: credentials failed"):
        joined.join("w1")
    [notice] = [event for event in joined.event(Notice) if "token" in event.text]
    [token_id] = joined.api.minted
    assert notice.level == "warning"
    assert f"token {token_id} may still be there, for 30 minutes at the most" in notice.text
    assert notice.text.endswith("connection refused")
    assert notice.fix == f"kubeadm-py token delete {token_id}"


def test_a_lost_control_plane_hides_no_error_of_a_worker(joined):
    w1, cp1 = joined.machines["w1"], joined.machines["cp1"]
    w1.facts = replace(w1.facts, uid=1000)
    cp1.answer(re.compile("^# delete the join's token"), UnreachableError("the connection was lost"))
    with pytest.raises(PreflightRefused):
        joined.join("w1")
    assert [event.host for event in joined.event(Notice) if "token" in event.text] == ["cp1"]


def test_a_control_plane_that_is_none_yet(world):
    cp1 = world.machines["cp1"]
    cp1.answer("##kubeadm-py ca ", Result(1, b"", b"kubectl: no such file\n"))
    with pytest.raises(KubeadmPyError) as caught:
        world.join("w1")
    assert caught.value.fix == "kubeadm-py init --config c.yaml"
    assert released(world.machines["w1"])


def test_a_name_that_is_taken(joined):
    joined.api.nodes["w1"] = True
    with pytest.raises(KubeadmPyError, match="has a Ready node called w1 already") as caught:
        joined.join("w1")
    assert caught.value.fix.endswith("kubectl delete node w1")
    assert joined.machines["w1"].stages == []
    assert joined.api.tokens.keys().isdisjoint(joined.api.minted)


def test_a_node_that_is_gone_may_come_back(joined):
    joined.api.nodes["w1"] = False
    joined.join("w1")
    assert joined.api.nodes["w1"] is True


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"status": null}', b"[]"])
def test_an_odd_answer_about_the_name_is_no_traceback(joined, monkeypatch, body):
    get = joined.api.get
    monkeypatch.setattr(
        joined.api, "get", lambda path, entry: (200, body) if "/nodes/" in path else get(path, entry)
    )
    joined.join("w1")


def test_a_member_of_another_cluster_is_refused(joined):
    w1 = joined.machines["w1"]
    other = kubeconfig.encoded(b"x")
    w1._put(paths.KUBELET_CONF, other.encode(), 0o600, "root:root")
    w1._put(f"{paths.PKI_DIR}/ca.crt", b"another CA", 0o644, "root:root")
    before = w1.facts
    with pytest.raises(PreflightRefused) as caught:
        joined.join("w1")
    assert "FileAvailable--etc-kubernetes-kubelet.conf" in "\n".join(caught.value.details)
    assert w1.facts == before


class TestByToken:
    def test_join(self, joined):
        joined.join("w1", cluster=by_token(joined))
        assert joined.api.nodes["w1"] is True
        assert joined.machines["w1"].trips == ["hold", "join"]
        assert joined.machines["cp1"].calls == [], "nobody logs in to a control plane"
        assert "abcdef" in joined.api.tokens, "a token that was given is not ours to delete"

    def test_versions_and_subnets_are_the_clusters_own(self, make_world):
        networking = Networking(service_subnet="10.55.0.0/16", pod_subnet="10.244.0.0/16")
        world = make_world(up=True, networking=networking)
        cluster = replace(by_token(world), networking=Networking(), kubelet_config={"clusterDomain": "x"})
        world.join("w1", cluster=cluster)
        config = yaml.safe_load(world.machines["w1"].content[paths.KUBELET_CONFIG])
        assert config["cgroupDriver"] == "systemd"
        assert "clusterDomain" not in config

    @pytest.mark.parametrize(
        ("token", "pins", "error"),
        [
            (Secret("abcdef.aaaaaaaaaaaaaaaa"), None, token_errors.WrongTokenError),
            (Secret("zzzzzz.0123456789abcdef"), None, token_errors.UnknownTokenError),
            (TOKEN, ("sha256:" + "0" * 64,), token_errors.PinMismatchError),
            (Secret("not a token"), None, UsageError),
        ],
    )
    def test_what_is_wrong_leaves_nothing(self, joined, token, pins, error):
        w1 = joined.machines["w1"]
        before = w1.facts
        with pytest.raises(error) as caught:
            joined.join("w1", cluster=by_token(joined, token=token, pins=pins))
        assert token.text() not in f"{caught.value} {caught.value.details} {caught.value.fix}"
        assert w1.trips == ["hold"]
        assert (w1.facts, w1.content) == (before, {})
        assert released(w1)

    def test_a_token_that_is_no_login(self, joined):
        joined.api.login_refused = True
        with pytest.raises(KubeadmPyError, match="does not take the bootstrap token as a login") as caught:
            joined.join("w1", cluster=by_token(joined))
        assert caught.value.host == "w1"

    def test_without_any_token(self, joined):
        cluster = replace(by_token(joined), discovery=Discovery(api_server_endpoint="10.0.0.11:6443"))
        with pytest.raises(UsageError, match="no bootstrap token was given"):
            joined.join("w1", cluster=cluster)

    def test_without_discovery(self, joined):
        with pytest.raises(UsageError, match="nothing says which cluster to join"):
            joined.join("w1", cluster=replace(by_token(joined), discovery=None))

    def test_without_pins_it_is_told(self, joined):
        cluster = by_token(joined, pins=())
        unsafe = replace(cluster.discovery, unsafe_skip_ca_verification=True)
        joined.join("w1", cluster=replace(cluster, discovery=unsafe))
        assert "the cluster's CA was not verified" in [event.text for event in joined.event(Notice)]


class TestByFile:
    def make(self, joined, **credentials) -> bytes:
        joined.api.tokens["abcdef"] = TOKEN
        return kubeconfig.render(
            "kubernetes", "https://10.0.0.11:6443", joined.api.ca_pem, "discoverer", **credentials
        )

    def test_its_token_serves_the_kubelet_too(self, joined):
        joined.join("w1", cluster=by_token(joined), file=self.make(joined, token=TOKEN))
        assert joined.api.nodes["w1"] is True

    def test_a_file_without_token_needs_one(self, joined):
        cluster = replace(by_token(joined), discovery=Discovery(file="d.conf"))
        with pytest.raises(UsageError, match="the discovery file has no credentials"):
            joined.join("w1", cluster=cluster, file=self.make(joined))

    def test_its_client_certificate_serves_the_kubelet_too(self, joined, monkeypatch):
        """Whoever joins with a certificate is asked for no token, as with kubeadm (contract 8.3)."""
        cluster = replace(by_token(joined), discovery=Discovery(file="d.conf"))
        file = self.make(joined, client_certificate=b"CERT", client_key=Secret("KEY"))
        get = joined.api.get

        def known_by_certificate(path, entry):
            if entry is not None and entry.client_certificate_pem == b"CERT":
                assert entry.client_key.reveal() == b"KEY"
                entry = replace(entry, token=TOKEN)
            return get(path, entry)

        monkeypatch.setattr(joined.api, "get", known_by_certificate)
        written = []
        w1 = joined.machines["w1"]
        put = w1._put
        monkeypatch.setattr(w1, "_put", lambda *file: (written.append(file), put(*file)))
        joined.join("w1", cluster=cluster, file=file)
        assert joined.api.nodes["w1"] is True
        (bootstrap,) = [file for file in written if file[0] == paths.BOOTSTRAP_KUBELET_CONF]
        entry = kubeconfig.cluster_of(bootstrap[1])
        assert (entry.client_certificate_pem, entry.client_key.reveal(), entry.token) == (
            b"CERT",
            b"KEY",
            None,
        )
        assert bootstrap[2] == 0o600

    def test_a_certificate_that_is_no_login(self, joined):
        cluster = replace(by_token(joined), discovery=Discovery(file="d.conf"))
        file = self.make(joined, client_certificate=b"CERT", client_key=Secret("KEY"))
        with pytest.raises(KubeadmPyError, match="does not take the discovery file's client certificate"):
            joined.join("w1", cluster=cluster, file=file)
        assert joined.machines["w1"].stages == []

    def test_a_token_goes_before_a_certificate(self, joined):
        file = self.make(joined, client_certificate=b"CERT", client_key=Secret("KEY"))
        cluster = replace(by_token(joined), discovery=Discovery(file="d.conf", tls_bootstrap_token=TOKEN))
        joined.join("w1", cluster=cluster, file=file)
        assert joined.api.nodes["w1"] is True

    def test_the_bootstrap_token_may_come_apart(self, joined):
        cluster = replace(by_token(joined), discovery=Discovery(file="d.conf", tls_bootstrap_token=TOKEN))
        joined.join("w1", cluster=cluster, file=self.make(joined))
        assert joined.api.nodes["w1"] is True


class TestAddOns:
    def test_what_needed_a_worker_is_awaited(self, make_world):
        world = make_world(up=True, addons=(AddonRequest("flannel"), AddonRequest("local-path-storage")))
        world.join("w1")
        waited = world.machines["cp1"].scripts[-1].partition("KPY_WANTED'\n")[2].partition("KPY_WANTED")[0]
        assert sorted(line.split()[-1] for line in waited.splitlines()) == [
            "coredns",
            "kube-flannel-ds",
            "kube-proxy",
            "local-path-provisioner",
        ]

    def test_what_init_skipped_is_not_awaited(self, make_world):
        """The flag was init's: this join does not know of it, the control plane does."""
        world = make_world(up={"skip_phases": ("addon/kube-proxy",)})
        world.join("w1")
        assert "kube-proxy\n" not in world.machines["cp1"].scripts[-1]
        assert "DaemonSet kube-flannel kube-flannel-ds\n" in world.machines["cp1"].scripts[-1]

    def test_a_control_plane_that_kubeadm_made_gets_no_file_of_ours(self, joined):
        cp1 = joined.machines["cp1"]
        files = {k: v for k, v in cp1.facts.files.items() if not k.startswith(paths.STATE_DIR)}
        cp1.facts = replace(cp1.facts, files=files, inventory=None)
        joined.join("w1")
        assert paths.INVENTORY not in cp1.facts.files
        assert "KPY_WANTED" not in cp1.scripts[-1]


@pytest.mark.parametrize(
    "phase", ["kubelet-wait-bootstrap", "preflight", "check-etcd", "control-plane-prepare/certs"]
)
def test_skipped_phases(joined, phase):
    w1 = joined.machines["w1"]
    w1.facts = replace(w1.facts, uid=1000 if phase == "preflight" else 0)
    report = joined.join("w1", skip_phases=(phase,))
    steps = [step.step for host in report.plan.stages[-1].hosts for step in host.steps]
    assert steps == ["kubelet-start"] + ["kubelet-wait-bootstrap"] * (phase != "kubelet-wait-bootstrap")


def test_phases_that_the_config_skips(joined):
    cluster = replace(joined.cluster, join_skip_phases=("kubelet-wait-bootstrap",))
    report = joined.join("w1", cluster=cluster)
    assert [step.step for host in report.plan.stages[-1].hosts for step in host.steps] == ["kubelet-start"]


def test_an_unknown_phase(joined):
    with pytest.raises(UsageError, match="there is no phase addon to skip"):
        joined.join("w1", skip_phases=("addon",))
    assert joined.machines["w1"].calls == []


class TestAsJoined:
    def live(self, **configuration):
        return JoinedCluster(
            "https://api.example:6443",
            b"",
            TOKEN,
            {"kind": "KubeletConfiguration", "apiVersion": "x", "clusterDomain": "d"},
            configuration,
        )

    def test_what_the_cluster_says_counts(self, world):
        live = self.live(
            kubernetesVersion="v1.35.2",
            imageRepository="registry.example",
            clusterName="other",
            networking={"serviceSubnet": "10.1.0.0/16", "dnsDomain": "x.local"},
        )
        cluster = as_joined(world.cluster, live)
        assert str(cluster.kubernetes_version) == "v1.35.2"
        assert (cluster.image_repository, cluster.cluster_name) == ("registry.example", "other")
        assert cluster.networking == Networking("10.1.0.0/16", "10.244.0.0/16", "x.local")
        assert cluster.kubelet_config == {"clusterDomain": "d"}
        assert cluster.control_plane_endpoint == "api.example:6443"

    def test_what_it_does_not_say_stays(self, world):
        cluster = as_joined(world.cluster, self.live())
        assert cluster.kubernetes_version == world.cluster.kubernetes_version
        assert cluster.networking == world.cluster.networking

    def test_a_release_that_we_do_not_know(self, world):
        with pytest.raises(
            KubeadmPyError, match=r"runs Kubernetes v1\.34\.1; this kubeadm-py knows 1\.35, 1\.36"
        ):
            as_joined(world.cluster, self.live(kubernetesVersion="v1.34.1"))

    @pytest.mark.parametrize(
        ("configuration", "key"),
        [
            ({"kubernetesVersion": "latest"}, "kubernetesVersion"),
            ({"kubernetesVersion": 1.36}, "kubernetesVersion"),
            ({"imageRepository": ["a"]}, "imageRepository"),
            ({"clusterName": 7}, "clusterName"),
            ({"networking": "10.96.0.0/12"}, "networking"),
            ({"networking": {"podSubnet": "10.244.0.0/99"}}, "networking.podSubnet"),
            ({"networking": {"serviceSubnet": 5}}, "networking.serviceSubnet"),
            ({"networking": {"serviceSubnet": "10.96.0.0/12,"}}, "networking.serviceSubnet"),
        ],
    )
    def test_a_value_that_means_nothing_is_named(self, world, configuration, key):
        with pytest.raises(KubeadmPyError) as refused:
            as_joined(world.cluster, self.live(**configuration))
        assert refused.value.summary.startswith(f"ConfigMap kube-system/kubeadm-config: {key} is ")
        assert refused.value.fix == "correct it: kubectl -n kube-system edit configmap kubeadm-config"

    @pytest.mark.parametrize(
        ("key", "value"),
        [("healthzPort", "ten"), ("healthzPort", True), ("healthzPort", 70000)],
    )
    def test_so_is_one_of_the_kubelets(self, world, key, value):
        live = replace(self.live(), kubelet_config={key: value})
        with pytest.raises(KubeadmPyError, match=f"ConfigMap kube-system/kubelet-config: {key} is "):
            as_joined(world.cluster, live)

    def test_null_is_absent(self, world):
        live = replace(
            self.live(kubernetesVersion=None, networking=None),
            kubelet_config={"healthzPort": None, "a": None},
        )
        cluster = as_joined(world.cluster, live)
        assert cluster.networking == world.cluster.networking
        assert cluster.kubelet_config == {"a": None}


@pytest.mark.parametrize(
    "configs", [{}, {"kubelet": "a: [", "ClusterConfiguration": "{}"}, {"ClusterConfiguration": "{}"}]
)
def test_a_cluster_whose_config_maps_are_broken(world, configs):
    session = type("S", (), {"name": "cp1"})()
    with pytest.raises(KubeadmPyError, match="ConfigMap kube-system/kubelet-config cannot be read"):
        Leader(session, b"", None, configs, frozenset()).joined()
