"""The kubelet's binary, unit and drop-in, and what a distribution's package keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.model import host_settings, paths
from kubeadm_py.model.actions import MakeDirectories, Unit, WriteFiles
from kubeadm_py.model.facts import FileFact, UnitFact
from kubeadm_py.model.node import Proxy
from kubeadm_py.steps.prepare.kubelet import plan_directories, plan_kubelet


def files(actions):
    return {spec.path: spec for action in actions if isinstance(action, WriteFiles) for spec in action.files}


def unit(actions):
    (found,) = [action for action in actions if isinstance(action, Unit)]
    return found


def drop_in(actions):
    return files(actions)[paths.KUBELET_DROPIN].content.decode()


def test_the_drop_in_is_kubeadms(context):
    text = drop_in(plan_kubelet(context))
    environment = [line for line in text.splitlines() if line.startswith("Environment")]
    assert environment == [
        'Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf '
        '--kubeconfig=/etc/kubernetes/kubelet.conf"',
        'Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"',
        "EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env",
        "EnvironmentFile=-/etc/default/kubelet",
    ]
    assert text.splitlines()[-2:] == [
        "ExecStart=",
        "ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS "
        "$KUBELET_EXTRA_ARGS",
    ]


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ({"ID": "debian"}, "/etc/default/kubelet"),
        ({"ID": "ubuntu", "ID_LIKE": "debian"}, "/etc/default/kubelet"),
        ({"ID": "fedora"}, "/etc/sysconfig/kubelet"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "/etc/sysconfig/kubelet"),
        ({"ID": "opensuse-leap", "ID_LIKE": "suse opensuse"}, "/etc/sysconfig/kubelet"),
        ({}, "/etc/default/kubelet"),
    ],
)
def test_own_flags_lie_where_the_distribution_has_them(cluster, machine, bundle, on, release, expected):
    text = drop_in(plan_kubelet(on(cluster, "w1", replace(machine, os_release=release), bundle)))
    assert f"EnvironmentFile=-{expected}\n" in text


def test_it_is_enabled_and_not_started(context):
    found = unit(plan_kubelet(context))
    assert (found.state, found.enabled, found.daemon_reload) == ("", True, True)


def test_a_running_kubelet_restarts_when_its_binary_changes(context, carried_out):
    ctx = carried_out(context, plan_kubelet(context))
    units = {"kubelet.service": UnitFact("kubelet.service", "loaded", "active", "enabled")}
    facts = replace(ctx.facts, units=units)
    assert plan_kubelet(replace(ctx, facts=facts)) == []
    old = replace(facts, binary_versions={**facts.binary_versions, "kubelet": "v1.36.1"})
    write, found = plan_kubelet(replace(ctx, facts=old))
    assert write.reason == "replaces kubelet v1.36.1"
    assert (found.state, found.daemon_reload) == ("restarted", False)


def packaged(machine, *dropins, version="v1.36.1", load_state="loaded"):
    return replace(
        machine,
        executables={"kubelet": "/usr/local/bin/kubelet"},
        binary_versions={"kubelet": version},
        units={"kubelet.service": UnitFact("kubelet.service", load_state, "inactive", "disabled")},
        files={path: FileFact(path, 0o644, "root:root") for path in dropins},
    )


@pytest.mark.parametrize("path", [paths.KUBELET_DROPIN, host_settings.KUBELET_LOCAL_DROPIN])
def test_a_package_is_left_alone_and_enabled(cluster, machine, bundle, on, path):
    actions = plan_kubelet(on(cluster, "w1", packaged(machine, path), bundle))
    assert [type(action) for action in actions] == [Unit]
    assert unit(actions).reason == "it must come back after a boot"


def test_a_package_without_kubeadms_drop_in_gets_it(cluster, machine, bundle, on):
    actions = plan_kubelet(on(cluster, "w1", packaged(machine), bundle))
    assert set(files(actions)) == {paths.KUBELET_DROPIN}
    assert "ExecStart=/usr/local/bin/kubelet $KUBELET_KUBECONFIG_ARGS" in drop_in(actions)


def test_a_bare_binary_gets_a_unit_too(cluster, machine, bundle, on):
    facts = packaged(machine, load_state="not-found")
    actions = plan_kubelet(on(cluster, "w1", facts, bundle))
    assert set(files(actions)) == {paths.KUBELET_UNIT, paths.KUBELET_DROPIN}
    assert b"ExecStart=/usr/local/bin/kubelet\n" in files(actions)[paths.KUBELET_UNIT].content


def test_the_proxy_reaches_the_kubelet(cluster, machine, bundle, on):
    nodes = tuple(replace(node, proxy=Proxy("http://u:secret@p:3128")) for node in cluster.nodes)
    spec = files(plan_kubelet(on(replace(cluster, nodes=nodes), "w1", machine, bundle)))[
        f"{host_settings.KUBELET_PROXY}.env"
    ]
    assert (spec.mode, spec.secret) == (0o600, True)


def test_only_missing_directories_are_made(cluster, machine, bundle, on):
    facts = replace(machine, directories={paths.KUBELET_DIR: 3, paths.CNI_CONF_DIR: 0})
    assert plan_directories(on(cluster, "w1", facts, bundle)) == [
        MakeDirectories(((paths.MANIFESTS_DIR, 0o700),), "make the kubelet's directories")
    ]
