"""Modules and sysctls: what is asked for, what a host is given, and what the scripts do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.model import kernel, paths
from kubeadm_py.model.actions import RunScript, WriteFiles
from kubeadm_py.model.networking import Networking
from kubeadm_py.preflight.checks.kernel import kube_proxy_mode
from kubeadm_py.preflight.context import CheckContext
from kubeadm_py.steps.prepare.settings import (
    plan_modules,
    plan_sysctls,
    uses_ipv6,
    wanted_modules,
    wanted_sysctls,
)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, ("overlay", "br_netfilter", "nf_conntrack")),
        ({"mode": "iptables"}, ("overlay", "br_netfilter", "nf_conntrack")),
        ({"mode": "nftables"}, ("overlay", "br_netfilter", "nf_conntrack", "nf_tables")),
        (
            {"mode": "ipvs"},
            ("overlay", "br_netfilter", "nf_conntrack", "ip_vs", "ip_vs_rr"),
        ),
        (
            {"mode": "ipvs", "ipvs": {"scheduler": "nq"}},
            (
                "overlay",
                "br_netfilter",
                "nf_conntrack",
                "ip_vs",
                "ip_vs_nq",
            ),
        ),
    ],
)
def test_modules_follow_the_proxy_mode(cluster, config, expected):
    assert wanted_modules(replace(cluster, kube_proxy_config=config)) == expected


@pytest.mark.parametrize("scheduler", ["rr", "lc", "dh", "sh", "sed", "nq"])
def test_preflight_refuses_what_could_not_be_loaded(cluster, machine, scheduler):
    """A kernel that has all but the scheduler: refused by its module's name before anything is changed."""
    ipvs = replace(cluster, kube_proxy_config={"mode": "ipvs", "ipvs": {"scheduler": scheduler}})
    needed = f"ip_vs_{scheduler}"
    present = frozenset(wanted_modules(ipvs)) - {needed} | {"dummy"}
    facts = replace(machine, kernel_builtin=present, modules_loadable=frozenset(), modules_known=True)
    context = CheckContext(ipvs, ipvs.nodes[0], facts, "init")
    (hit,) = kube_proxy_mode(context)
    assert hit.found == f"kube-proxy's mode ipvs needs {needed}; the kernel lacks it"
    enough = replace(facts, kernel_builtin=present | {needed})
    assert list(kube_proxy_mode(replace(context, facts=enough))) == []
    assert kernel.MODULE_OPTIONS[needed] in kernel.probed_options()


def test_without_kube_proxy_only_the_network_asks(cluster):
    assert wanted_modules(replace(cluster, proxy_disabled=True)) == ("overlay", "br_netfilter")


def test_built_in_modules_are_neither_listed_nor_loaded(cluster, machine, bundle, on):
    options = dict.fromkeys(("OVERLAY_FS", "BRIDGE_NETFILTER", "NF_CONNTRACK"), "y")
    facts = replace(
        machine,
        kernel_config=options,
        kernel_builtin=frozenset({"overlay", "br_netfilter", "nf_conntrack"}),
    )
    assert plan_modules(on(cluster, "w1", facts, bundle)) == []


def test_a_module_that_happens_to_be_loaded_is_still_listed_for_the_next_boot(cluster, machine, bundle, on):
    facts = replace(machine, kernel_builtin=frozenset({"overlay", "br_netfilter", "nf_conntrack"}))
    (action,) = plan_modules(on(cluster, "w1", facts, bundle))
    assert isinstance(action, WriteFiles)
    assert action.files[0].path == paths.MODULES_FILE
    assert action.files[0].content.splitlines()[1:] == [b"overlay", b"br_netfilter", b"nf_conntrack"]


def test_in_a_container_modules_are_loaded_and_not_listed(cluster, machine, bundle, on):
    (action,) = plan_modules(on(cluster, "w1", replace(machine, container="lxc"), bundle))
    assert isinstance(action, RunScript)


def test_a_module_that_cannot_be_loaded_is_named(context, shell):
    script = plan_modules(context)[-1].script
    assert shell(script, modprobe="exit 0").returncode == 0
    failed = shell(script, modprobe='[ "$2" != br_netfilter ]')
    assert failed.returncode == 1
    assert "kernel module br_netfilter cannot be loaded" in failed.stderr


def test_limits_are_raised_and_never_lowered(cluster, machine):
    low = wanted_sysctls(cluster, machine)
    assert low["fs.inotify.max_user_instances"] == 8192
    facts = replace(machine, sysctls={"fs.inotify.max_user_instances": "20000"})
    assert wanted_sysctls(cluster, facts)["fs.inotify.max_user_instances"] == 20000


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, False),
        ({"networking": Networking("10.96.0.0/12,fd00::/108", "10.244.0.0/16,fd01::/48")}, True),
        ({"networking": Networking("fd00::/108", "")}, True),
    ],
)
def test_ipv6_forwarding_is_set_where_there_is_ipv6(cluster, machine, change, expected):
    changed = replace(cluster, **change)
    assert uses_ipv6(changed) is expected
    assert ("net.ipv6.conf.default.forwarding" in wanted_sysctls(changed, machine)) is expected


def test_an_ipv6_node_address_counts(cluster):
    nodes = tuple(replace(node, addresses=(*node.addresses, "fd10::1")) for node in cluster.nodes)
    assert uses_ipv6(replace(cluster, nodes=nodes))


def test_the_kubelets_own_demands_are_met_where_it_does_not_set_them_itself(cluster, machine):
    strict = replace(cluster, kubelet_config={"protectKernelDefaults": True})
    assert wanted_sysctls(strict, machine)["vm.overcommit_memory"] == 1
    assert "vm.overcommit_memory" not in wanted_sysctls(cluster, machine)


def test_the_file_is_written_and_only_what_differs_is_set(cluster, machine, bundle, on):
    facts = replace(
        machine,
        sysctls={
            "net.ipv4.ip_forward": "1",
            "net.bridge.bridge-nf-call-iptables": "1",
            "net.bridge.bridge-nf-call-ip6tables": "0",
            "fs.inotify.max_user_instances": "8192",
            "fs.inotify.max_user_watches": "524288",
        },
    )
    write, script = plan_sysctls(on(cluster, "w1", facts, bundle))
    assert b"net.ipv4.ip_forward = 1\n" in write.files[0].content
    assert script.title == "set net.bridge.bridge-nf-call-ip6tables"


SYSCTL = (
    'case $1 in -n) cat "$2" 2>/dev/null ;; *) [ "${3%%=*}" != locked ] && echo "${3#*=}" >"${3%%=*}" ;; esac'
)


def test_a_locked_sysctl_is_no_failure_while_it_has_the_wanted_value(context, shell, tmp_path):
    script = plan_sysctls(context)[-1].script.replace("net.ipv4.ip_forward", "locked")
    (tmp_path / "locked").write_text("1\n")
    assert shell(script, sysctl=SYSCTL).returncode == 0
    assert (tmp_path / "fs.inotify.max_user_instances").read_text() == "8192\n"
    (tmp_path / "locked").write_text("0\n")
    failed = shell(script, sysctl=SYSCTL)
    assert failed.returncode == 1
    assert "locked is '0' and cannot be set to 1" in failed.stderr
