"""containerd: its config by version, its unit, when it restarts, and what others installed."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest

from kubeadm_py.model import host_settings, paths
from kubeadm_py.model.actions import FileSpec, Remove, Unit, Wait, WriteFiles
from kubeadm_py.model.facts import FileFact, UnitFact
from kubeadm_py.model.node import Proxy
from kubeadm_py.model.registries import Registry
from kubeadm_py.steps.prepare.runtime import plan_crictl, plan_runtime

RUNTIME_V3 = "io.containerd.cri.v1.runtime"
IMAGES_V3 = "io.containerd.cri.v1.images"
CRI_V2 = "io.containerd.grpc.v1.cri"


def files(actions):
    return {spec.path: spec for action in actions if isinstance(action, WriteFiles) for spec in action.files}


def config(actions):
    return tomllib.loads(files(actions)[paths.CONTAINERD_CONFIG].content.decode())


def unit(actions):
    found = [action for action in actions if isinstance(action, Unit)]
    assert len(found) <= 1
    return found[0] if found else None


def test_version_2_gets_its_config(context):
    written = config(plan_runtime(context))
    assert written["version"] == 3
    runtime, images = written["plugins"][RUNTIME_V3], written["plugins"][IMAGES_V3]
    assert runtime["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is True
    assert images["pinned_images"]["sandbox"] == "registry.k8s.io/pause:3.10.2"
    assert images["registry"]["config_path"] == "/etc/containerd/certs.d"
    assert runtime["cni"] == {"bin_dirs": ["/opt/cni/bin"], "conf_dir": "/etc/cni/net.d"}
    assert "restrict_oom_score_adj" not in runtime


def test_a_machine_without_the_capability_gets_the_setting_it_needs(cluster, machine, bundle, on):
    written = config(plan_runtime(on(cluster, "w1", replace(machine, cap_sys_resource=False), bundle)))
    assert written["plugins"][RUNTIME_V3]["restrict_oom_score_adj"] is True


def foreign(machine, version, **fields):
    return replace(
        machine,
        executables={"containerd": "/usr/bin/containerd", "runc": "/usr/sbin/runc"},
        binary_versions={"containerd": version},
        units={"containerd.service": UnitFact("containerd.service", "loaded", "active", "enabled")},
        **fields,
    )


@pytest.mark.parametrize("capable", [True, False])
def test_version_1_gets_its_config(cluster, machine, bundle, on, capable):
    facts = foreign(machine, "v1.7.28", cap_sys_resource=capable)
    mirrored = replace(cluster, image_repository="mirror.example/k8s")
    written = config(plan_runtime(on(mirrored, "w1", facts, bundle)))
    assert written["version"] == 2
    cri = written["plugins"][CRI_V2]
    assert cri["sandbox_image"] == "mirror.example/k8s/pause:3.10.2"
    assert cri["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is True
    assert cri["registry"]["config_path"] == "/etc/containerd/certs.d"
    assert cri.get("restrict_oom_score_adj", False) is not capable


def test_version_2_0_takes_one_cni_folder(cluster, machine, bundle, on):
    written = config(plan_runtime(on(cluster, "w1", foreign(machine, "v2.0.5"), bundle)))
    assert written["plugins"][RUNTIME_V3]["cni"]["bin_dir"] == "/opt/cni/bin"


def test_a_package_keeps_its_binary_and_unit_and_gets_our_config(cluster, machine, bundle, on):
    actions = plan_runtime(on(cluster, "w1", foreign(machine, "v2.2.1"), bundle))
    assert set(files(actions)) == {paths.CONTAINERD_CONFIG}
    assert unit(actions) == Unit("containerd.service", "restarted", None, False, "the config changed")


def test_an_unreadable_version_is_taken_for_the_bundles(cluster, machine, bundle, on):
    assert config(plan_runtime(on(cluster, "w1", foreign(machine, "unknown"), bundle)))["version"] == 3
    bare = replace(bundle, components={})
    assert config(plan_runtime(on(cluster, "w1", foreign(machine, ""), bare)))["version"] == 3


def test_a_stopped_containerd_is_started_and_waited_for(context):
    actions = plan_runtime(context)
    assert unit(actions) == Unit("containerd.service", "started", True, True, "it does not run")
    assert isinstance(actions[-1], Wait)
    assert "unix:///run/containerd/containerd.sock" in actions[-1].until


def test_the_wait_says_what_is_missing(context, shell):
    wait = plan_runtime(context)[-1]
    assert shell(wait.until, crictl="exit 0").returncode == 0
    waiting = shell(wait.until, crictl="exit 1")
    assert (waiting.returncode, waiting.stdout) == (1, "the CRI of containerd does not answer yet\n")
    assert shell(wait.hopeless, systemctl="exit 0").stdout == "containerd cannot start\n"
    assert shell(wait.hopeless, systemctl="exit 1").returncode == 1


def prepared(ctx, carried_out):
    return carried_out(ctx, plan_runtime(ctx))


def test_only_a_changed_binary_config_or_unit_restarts(context, carried_out, bundle):
    ctx = prepared(context, carried_out)
    assert plan_runtime(ctx) == []

    def with_size(name, path):
        facts = replace(ctx.facts, files={**ctx.facts.files, path: replace(ctx.facts.files[path], size=1)})
        return plan_runtime(replace(ctx, facts=facts)), name

    actions, _ = with_size("containerd", "/usr/bin/containerd")
    assert unit(actions).reason == "the binary changed"
    actions, _ = with_size("shim", "/usr/bin/containerd-shim-runc-v2")
    assert set(files(actions)) == {"/usr/bin/containerd-shim-runc-v2"}
    assert unit(actions) is None

    def with_content(path):
        facts = replace(
            ctx.facts, files={**ctx.facts.files, path: replace(ctx.facts.files[path], sha256="0" * 64)}
        )
        return plan_runtime(replace(ctx, facts=facts))

    assert unit(with_content(paths.CONTAINERD_CONFIG)).reason == "the config changed"
    changed = unit(with_content(paths.CONTAINERD_UNIT))
    assert (changed.state, changed.daemon_reload, changed.reason) == ("restarted", True, "the unit changed")


def test_a_running_containerd_is_enabled_without_a_restart(context, carried_out):
    ctx = prepared(context, carried_out)
    units = {"containerd.service": UnitFact("containerd.service", "loaded", "active", "disabled")}
    found = unit(plan_runtime(replace(ctx, facts=replace(ctx.facts, units=units))))
    assert (found.state, found.enabled, found.reason) == ("", True, "it must come back after a boot")


def test_a_new_registry_setting_restarts_nothing(context, carried_out):
    ctx = prepared(context, carried_out)
    mirrored = replace(ctx.cluster, registries={"docker.io": Registry(("https://mirror.example",))})
    (write,) = plan_runtime(replace(ctx, cluster=mirrored))
    assert [spec.path for spec in write.files] == ["/etc/containerd/certs.d/docker.io/hosts.toml"]
    ctx = carried_out(replace(ctx, cluster=mirrored), [write])
    (remove,) = plan_runtime(replace(ctx, cluster=context.cluster))
    assert isinstance(remove, Remove)
    assert remove.paths == ("/etc/containerd/certs.d/docker.io/hosts.toml",)


def test_a_proxy_restarts_it_and_so_does_its_end(context, carried_out):
    ctx = prepared(context, carried_out)
    nodes = tuple(replace(node, proxy=Proxy(https="http://p:3128")) for node in ctx.cluster.nodes)
    proxied = replace(ctx, cluster=replace(ctx.cluster, nodes=nodes), node=nodes[0])
    actions = plan_runtime(proxied)
    assert set(files(actions)) == {f"{host_settings.CONTAINERD_PROXY}.{end}" for end in ("conf", "env")}
    assert unit(actions).state == "restarted"
    after = carried_out(proxied, actions)
    assert plan_runtime(after) == []
    actions = plan_runtime(replace(after, cluster=ctx.cluster, node=ctx.node))
    assert isinstance(actions[0], Remove)
    assert unit(actions).daemon_reload


def test_what_we_did_not_write_is_never_removed(context, carried_out):
    ctx = prepared(context, carried_out)
    theirs = FileFact("/etc/containerd/certs.d/x.example/hosts.toml", 0o644, "root:root")
    facts = replace(ctx.facts, files={**ctx.facts.files, theirs.path: theirs})
    assert plan_runtime(replace(ctx, facts=facts)) == []


def test_another_runtime_is_its_installers_business(cluster, machine, bundle, on):
    nodes = tuple(replace(node, cri_socket="unix:///var/run/crio/crio.sock") for node in cluster.nodes)
    ctx = on(replace(cluster, nodes=nodes), "w1", machine, bundle)
    assert set(files(plan_runtime(ctx))) == {host_settings.CRIO_CONFIG, host_settings.CONTAINERS_POLICY}
    assert unit(plan_runtime(ctx)) is None
    (write,) = plan_crictl(ctx)
    assert b'runtime-endpoint: "unix:///var/run/crio/crio.sock"' in write.files[0].content


def test_preinstalled_is_only_started(cluster, machine, on):
    assert plan_runtime(on(cluster, "w1", machine, None)) == []
    stopped = {"containerd.service": UnitFact("containerd.service", "loaded", "inactive", "disabled")}
    actions = plan_runtime(on(cluster, "w1", replace(machine, units=stopped), None))
    assert files(actions) == {}
    assert (unit(actions).state, unit(actions).enabled) == ("started", True)
    assert plan_crictl(on(cluster, "w1", machine, None)) == []


def test_crictl_is_pointed_at_the_runtime_once(context, carried_out):
    actions = plan_crictl(context)
    (spec,) = actions[0].files
    assert isinstance(spec, FileSpec)
    assert (spec.path, spec.mode) == ("/etc/crictl.yaml", 0o644)
    assert plan_crictl(carried_out(context, actions)) == []
