"""What add-ons render to. `KPY_UPDATE_GOLDENS=1` writes the kept renderings anew."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from kubeadm_py.addons import load as addons
from kubeadm_py.addons.render import to_yaml
from kubeadm_py.errors import UsageError
from kubeadm_py.model.cluster import AddonRequest

GOLDEN = Path(__file__).parent / "golden"
EXTREMES = yaml.safe_load((Path(__file__).parent / "cases" / "renderings.yaml").read_text())


def rendered(case, make_cluster):
    known = EXTREMES[case]
    cluster = make_cluster(
        AddonRequest(known["addon"], known.get("parameters", {})), **known.get("cluster", {})
    )
    # Alone: what it requires of others is no matter here.
    return addons.render(addons.resolve_alone(cluster), cluster)


def only(objects, kind):
    return next(each for each in objects if each["kind"] == kind)


def net_conf(case, make_cluster):
    return json.loads(only(rendered(case, make_cluster), "ConfigMap")["data"]["net-conf.json"])


def flannel_arguments(case, make_cluster):
    daemon = only(rendered(case, make_cluster), "DaemonSet")
    return daemon["spec"]["template"]["spec"]["containers"][0]["args"]


@pytest.mark.parametrize("case", EXTREMES)
def test_objects_are_the_recorded_ones(case, make_cluster):
    objects = rendered(case, make_cluster)
    path = GOLDEN / f"{case}.yaml"
    if os.environ.get("KPY_UPDATE_GOLDENS"):
        path.write_text(yaml.dump_all(objects, Dumper=yaml.CSafeDumper, sort_keys=False))
    assert objects == list(yaml.load_all(path.read_text(), yaml.CSafeLoader))


def test_each_golden_is_of_a_case_and_each_add_on_has_some():
    assert {path.stem for path in GOLDEN.glob("*.yaml")} == set(EXTREMES)
    assert {known["addon"] for known in EXTREMES.values()} >= {
        addon.name for addon in addons.available() if addon.crds == [] or addon.images
    }


def test_namespaces_of_all_add_ons_come_before_everything(make_cluster):
    cluster = make_cluster(AddonRequest("local-path-storage"), AddonRequest("flannel"))
    kinds = [each["kind"] for each in addons.render(addons.resolve(cluster), cluster)]
    assert kinds[:2] == ["Namespace", "Namespace"]
    assert "Namespace" not in kinds[2:]


def test_flannel_takes_the_node_ip_unless_told_otherwise(make_cluster):
    assert "--iface=$(NODE_IP)" in flannel_arguments("flannel-default", make_cluster)
    assert "--ip-masq" in flannel_arguments("flannel-default", make_cluster)
    extreme = flannel_arguments("flannel-extreme", make_cluster)
    assert extreme == ["--kube-subnet-mgr", "--iface-regex=^(eth|en[op]).*: \"'{{ x }} #"]
    assert "--iface-can-reach=fd00::1" in flannel_arguments("flannel-wireguard-v6", make_cluster)


def test_flannel_takes_an_interface_by_name(make_cluster):
    cluster = make_cluster(AddonRequest("flannel", {"iface": "eth1"}))
    daemon = only(addons.render(addons.resolve(cluster), cluster), "DaemonSet")
    assert "--iface=eth1" in daemon["spec"]["template"]["spec"]["containers"][0]["args"]


def test_flannel_networks(make_cluster):
    assert net_conf("flannel-default", make_cluster) == {
        "EnableIPv4": True,
        "EnableIPv6": False,
        "EnableNFTables": False,
        "Network": "10.244.0.0/16",
        "Backend": {"Type": "vxlan", "VNI": 1, "Port": 8472},
    }
    dual = net_conf("flannel-extreme", make_cluster)
    assert (dual["Network"], dual["IPv6Network"]) == ("10.244.0.0/16", "fd00:10:244::/56")
    assert dual["Backend"] == {
        "Type": "vxlan",
        "VNI": 16777215,
        "Port": 65535,
        "MTU": 65535,
        "DirectRouting": True,
    }
    v6 = net_conf("flannel-wireguard-v6", make_cluster)
    assert (v6["EnableIPv4"], v6["EnableIPv6"], "Network" in v6) == (False, True, False)
    assert v6["Backend"] == {"Type": "wireguard", "ListenPort": 1, "ListenPortV6": 2, "MTU": 1280}


@pytest.mark.parametrize(
    ("parameter", "mode", "expected"),
    [
        ("auto", "nftables", True),
        ("auto", "iptables", False),
        ("auto", None, False),
        ("enabled", "iptables", True),
        ("disabled", "nftables", False),
    ],
)
def test_flannel_follows_kube_proxys_mode(parameter, mode, expected, make_cluster):
    config = {} if mode is None else {"kube_proxy_config": {"mode": mode}}
    cluster = make_cluster(AddonRequest("flannel", {"nftables": parameter}), **config)
    data = only(addons.render(addons.resolve(cluster), cluster), "ConfigMap")["data"]
    assert json.loads(data["net-conf.json"])["EnableNFTables"] is expected


def test_a_changed_flannel_configuration_changes_the_pods(make_cluster):
    def digest(**parameters):
        cluster = make_cluster(AddonRequest("flannel", parameters))
        daemon = only(addons.render(addons.resolve(cluster), cluster), "DaemonSet")
        return daemon["spec"]["template"]["metadata"]["annotations"]["kubeadm-py.io/config-digest"]

    assert digest() == digest(natOutgoing=False)
    assert digest() != digest(mtu=1400)


def test_local_path_runs_its_helper_from_the_preloaded_image(make_cluster):
    objects = rendered("local-path-storage-extreme", make_cluster)
    data = only(objects, "ConfigMap")["data"]
    helper = yaml.safe_load(data["helperPod.yaml"])
    assert helper["spec"]["containers"][0]["image"] == "mirror.lan/busybox:1.37"
    assert helper["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    assert json.loads(data["config.json"])["nodePathMap"][0]["paths"] == ["/srv/a-b/..x/c_d.1"]
    storage_class = only(objects, "StorageClass")
    assert storage_class["metadata"]["name"] == "true"
    assert storage_class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "false"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: {{ parameters.nope }}", "cannot be rendered"),
        ("kind: {{ cluster.nope }}", "cannot be rendered"),
        ("{% if %}", "cannot be rendered"),
        ("kind: {{ image('nope') }}", "names 'nope'"),
        ("kind: [", "10-a.yaml.j2 is not YAML"),
        ("- a list", "not an API object"),
        ("kind: ConfigMap", "not an API object"),
        ("{apiVersion: v1, kind: ConfigMap}", "a ConfigMap has no name"),
    ],
)
def test_a_broken_manifest_is_refused(text, says, write_addon, make_cluster):
    cluster = make_cluster(AddonRequest(write_addon(manifests={"10-a.yaml.j2": text})))
    with pytest.raises(UsageError, match=re.escape(says)):
        addons.render(addons.resolve(cluster), cluster)


def test_a_shared_manifest_that_is_not_there_is_refused(write_addon, make_cluster):
    cluster = make_cluster(AddonRequest(write_addon(sharedManifests=["calico/nope.yaml.j2"])))
    with pytest.raises(UsageError, match=r"nope\.yaml\.j2 cannot be read: No such file"):
        addons.render(addons.resolve(cluster), cluster)


def test_two_objects_of_one_name_are_refused(make_cluster):
    request = AddonRequest("rook-ceph", {"blockClass": "ceph", "fileClass": "ceph"})
    cluster = make_cluster(request)
    with pytest.raises(UsageError, match="add-on rook-ceph: two objects are called StorageClass ceph"):
        addons.render(addons.resolve(cluster), cluster)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@example({"\n": "a\nb"})
@example(["\x85", "\u2028", "\x7f", "null", "1e3", "2026-01-01", ""])
@given(VALUES)
def test_to_yaml_gives_the_same_value_back_in_any_place(value):
    written = to_yaml(value)
    assert "\n" not in written
    assert yaml.safe_load(f"key: {written}\nlist:\n- {written}\nflow: [{written}, 1]\n") == {
        "key": value,
        "list": [value],
        "flow": [value, 1],
    }


def test_glusterfs_makes_and_removes_nothing_where_its_volume_is_not_mounted(make_cluster, tmp_path):
    objects = rendered("glusterfs-default", make_cluster)
    [scripts] = [each["data"] for each in objects if "setup" in each.get("data", {})]
    kept = tmp_path / "kept"
    kept.mkdir()
    for script, directory in (("setup", tmp_path / "new"), ("teardown", kept)):
        command = ["sh", "-c", scripts[script]]
        done = subprocess.run(
            command,
            env={"PATH": os.environ["PATH"], "VOL_DIR": str(directory)},
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (1, b"the volume is not mounted here\n")
    assert list(tmp_path.iterdir()) == [kept]
