"""The tables of flags fit the binaries, and what a component would not start with is refused by them."""

from __future__ import annotations

import re
import subprocess

import pytest
from flagtables.__main__ import is_known, names_in_help
from lab import components, gobuild

from kubeadm_py.config import removed_values
from kubeadm_py.config.check_flags import why_not_flag, why_not_gates, why_not_value
from kubeadm_py.config.component_flags import COMPONENTS, admission_plugins, flags_of
from kubeadm_py.config.removed_flags import REMOVED_FLAGS, UNUSABLE_FLAGS, removed
from kubeadm_py.config.removed_values import GONE_FEATURE_GATES, REMOVED_FEATURE_GATES
from kubeadm_py.model.versions import DEFAULT_MINOR, RELEASES, Version

NOW = Version.parse(RELEASES[DEFAULT_MINOR].default_patch)
OLDER = Version(1, 35, 4)


@pytest.mark.parametrize("component", COMPONENTS)
def test_table_lists_what_the_binary_helps_with(component: str) -> None:
    found = components.load()["etcd" if component == "etcd" else "kubernetes"]
    binary = gobuild.built(found) / component
    if not binary.is_file() or found.version not in (str(NOW), RELEASES[DEFAULT_MINOR].etcd):
        pytest.skip("the lab has not built this component here")
    table = flags_of(DEFAULT_MINOR, component)
    listed = names_in_help(binary)
    assert listed <= set(table)
    assert all(is_known(binary, flag) for flag in sorted(set(table) - listed))
    assert not any(is_known(binary, flag) for flag in list(REMOVED_FLAGS[component])[::8])


@pytest.mark.parametrize("component", COMPONENTS)
def test_removed_flags_are_in_no_table_and_what_replaces_them_is(component: str) -> None:
    table = flags_of(DEFAULT_MINOR, component)
    assert len(table) > 50
    assert not set(REMOVED_FLAGS[component]) & set(table)
    assert {gone.flag for gone in REMOVED_FLAGS[component].values() if gone.flag} <= set(table)
    assert set(UNUSABLE_FLAGS.get(component, ())) <= set(table)
    for gone in REMOVED_FLAGS[component].values():
        assert gone.instead()
        assert re.fullmatch(r"(\d\.\d+)?", gone.release)


def test_the_binary_knows_no_gate_that_is_gone() -> None:
    found = components.load()["kubernetes"]
    binary = gobuild.built(found) / "kube-apiserver"
    if not binary.is_file() or found.version != str(NOW):
        pytest.skip("the lab has not built this component here")
    for gate in [*sorted(GONE_FEATURE_GATES)[::8], *sorted(REMOVED_FEATURE_GATES)[::20]]:
        ended = subprocess.run(
            [binary, f"--feature-gates={gate}=true", "--version"], capture_output=True, text=True, check=False
        )
        assert f"unrecognized feature gate: {gate}" in ended.stderr


def test_removed_plugins_are_none_of_the_plugins() -> None:
    plugins = admission_plugins(DEFAULT_MINOR)
    assert {"NodeRestriction", "PodSecurity"} <= plugins
    assert not set(removed_values.REMOVED_ADMISSION_PLUGINS) & plugins


@pytest.mark.parametrize(
    ("component", "flag", "words"),
    [
        (
            "kube-apiserver",
            "insecure-port",
            "kube-apiserver 1.36 has no flag insecure-port (removed in 1.24); the",
        ),
        ("kube-apiserver", "insecure_port", "has no flag insecure_port (removed in 1.24)"),
        ("kube-apiserver", "service-account-api-audiences", "(removed in 1.25); use api-audiences"),
        ("kube-apiserver", "admission-control", "use enable-admission-plugins"),
        ("kube-apiserver", "kubelet-https", "has no flag kubelet-https any more; kubelets are always"),
        ("kube-apiserver", "audit-log-pth", "has no flag audit-log-pth; did you mean audit-log-path?"),
        ("kube-apiserver", "quite-another-thing", "kube-apiserver 1.36 has no flag quite-another-thing"),
        ("kube-controller-manager", "pod-eviction-timeout", "(removed in 1.27)"),
        ("kube-scheduler", "policy-config-file", "KubeSchedulerConfiguration"),
        ("kubelet", "container-runtime", "(removed in 1.27); criSocket names the runtime"),
        ("kubelet", "network-plugin", "(removed in 1.24)"),
        ("kubelet", "cni-bin-dir", "(removed in 1.24)"),
        ("kubelet", "pod-infra-container-image", "(removed in 1.35)"),
        ("kubelet", "logtostderr", "(removed in 1.26); components log to standard error"),
        ("etcd", "enable-v2", "etcd has no flag enable-v2 (removed in 3.6)"),
        ("etcd", "snapshot_count", "did you mean snapshot-count?"),
        ("kube-apiserver", "audit_log_path", ""),
        ("kube-apiserver", "apiserver-count", ""),
        ("kubelet", "v", ""),
        ("etcd", "quota-backend-bytes", ""),
    ],
)
def test_flags(component: str, flag: str, words: str) -> None:
    answer = why_not_flag(component, flag, NOW)
    assert words in answer
    assert bool(words) == bool(answer)


@pytest.mark.parametrize("minor", RELEASES)
def test_every_minor_has_its_table(minor: str) -> None:
    assert all(len(flags_of(minor, component)) > 50 for component in COMPONENTS)
    assert {"NodeRestriction", "AlwaysPullImages"} <= admission_plugins(minor)


def test_an_older_release_is_judged_by_its_own_table() -> None:
    assert removed("kubelet", "pod-infra-container-image", Version(1, 34, 0)) is None
    assert why_not_flag("kubelet", "network-plugin", OLDER).startswith("kubelet 1.35 has no flag")
    assert (
        why_not_flag("kubelet", "quite-another-thing", OLDER)
        == "kubelet 1.35 has no flag quite-another-thing"
    )
    assert "has no admission plugin Xyz" in why_not_value(
        "kube-apiserver", "enable-admission-plugins", "Xyz", OLDER
    )


def test_a_release_without_a_table_refuses_only_what_is_known_to_be_gone() -> None:
    unknown = Version(1, 34, 0)
    assert why_not_flag("kubelet", "network-plugin", unknown).startswith("kubelet 1.34 has no flag")
    assert why_not_flag("kubelet", "quite-another-thing", unknown) == ""
    assert why_not_value("kube-apiserver", "enable-admission-plugins", "Xyz", unknown) == ""


@pytest.mark.parametrize(
    ("component", "flag", "good", "bad", "words"),
    [
        ("kube-apiserver", "profiling", "false True 1 t", "no |yes|FALSE ||off", "takes true or false"),
        ("kube-apiserver", "secure-port", "6443 0x1F -1 1_000", "64 43|1.5|x|", "a whole number"),
        ("kubelet", "v", "4 0", "-1|high", "that is not negative"),
        ("kube-apiserver", "event-ttl", "1h0m0s 1.5h 0 -1s", "1|1 h|one day|", "a duration like"),
        ("kube-apiserver", "goaway-chance", "0.001 1 .5", "often|", "a number"),
        ("kube-apiserver", "bind-address", "0.0.0.0 ::", "10.0.0|localhost", "an IP address"),
        ("etcd", "snapshot-count", "10000", "many|-1", "a whole number"),
        ("etcd", "grpc-keepalive-timeout", "20s", "20", "a duration"),
        ("kube-apiserver", "enable-admission-plugins", "NodeRestriction,AlwaysPullImages", "NodeRestricton",
         "did you mean NodeRestriction?"),
        ("kube-apiserver", "enable-admission-plugins", "", "NodeRestriction,PodSecurityPolicy",
         "has no admission plugin PodSecurityPolicy (removed in 1.25"),
        ("kube-apiserver", "authorization-mode", "Node,RBAC", "Node,RBCA", "did you mean RBAC?"),
        ("kube-controller-manager", "cloud-provider", "external", "aws|openstack", "external is accepted"),
        ("kube-controller-manager", "feature-gates", "AllAlpha=true", "AllAlpha=true,CSIMigration=true",
         "there is no feature gate CSIMigration after 1.26"),
        ("kubelet", "feature-gates", "NodeSwap=true", "CPUManager=true|ReadWriteOncePod=false",
         "1.36 has no feature gate"),
        ("kubelet", "node-labels", "a=b,c=d", "", ""),
    ],
)  # fmt: skip
def test_values(component: str, flag: str, good: str, bad: str, words: str) -> None:
    for value in good.split():
        assert why_not_value(component, flag, value, NOW) == ""
    for value in bad.split("|") if bad else ():
        assert words in why_not_value(component, flag, value, NOW)


def test_gates_that_are_known_still_or_not_at_all_are_the_components_own_affair() -> None:
    assert why_not_gates("kube:SomethingNew=true", NOW) == ""
    assert "after 1.28" in why_not_gates("kube:SeccompDefault=true", NOW)
    assert why_not_gates("SeccompDefault=true", Version(1, 28, 0)) == ""


def test_a_gate_that_went_with_an_unknown_release_is_left_to_older_ones() -> None:
    value = "ServerSideApply=true"
    assert "1.36 has no feature gate ServerSideApply any more" in why_not_value(
        "kube-apiserver", "feature-gates", value, Version(1, 36, 3)
    )
    assert why_not_value("kube-apiserver", "feature-gates", value, Version(1, 35, 4)) == ""


def test_no_gate_is_gone_twice() -> None:
    assert not GONE_FEATURE_GATES & set(REMOVED_FEATURE_GATES)
