"""Keys that others put on the host: what goes with its certificate stays, what does not is replaced."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths
from kubeadm_py.pki import inspect, keys, kubeconfig
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.requests import leaf_requests

PKI = paths.PKI_DIR
APISERVER = f"{PKI}/apiserver"


@pytest.fixture
def brought(make_world):
    """A bare host to which an operator brought the whole PKI of a cluster like this one."""
    first = make_world()
    first.init()
    world = make_world()
    machine = world.machines["cp1"]
    for path, content in first.machines["cp1"].content.items():
        if path.startswith(f"{PKI}/"):
            machine._put(path, content, 0o600, "root:root")
    return world, machine


def pki_of(machine):
    return {path: content for path, content in machine.content.items() if path.startswith(f"{PKI}/")}


def test_what_fits_stays_at_the_price_of_one_look(brought):
    world, machine = brought
    before = pki_of(machine)
    world.init()
    assert pki_of(machine) == before
    # One look at keys before the first stage, one at the authorities' to sign the kubeconfigs.
    assert machine.trips == ["hold", "run", "prepare", "run", "control"]


def test_a_key_of_another_certificate_is_replaced_with_it(brought):
    world, machine = brought
    machine._put(f"{APISERVER}.key", machine.content[f"{PKI}/front-proxy-client.key"], 0o600, "root:root")
    before = pki_of(machine)
    world.init()
    after = pki_of(machine)
    assert {path for path in after if after[path] != before[path]} == {f"{APISERVER}.key", f"{APISERVER}.crt"}
    assert inspect.key_matches(after[f"{APISERVER}.crt"], after[f"{APISERVER}.key"])


@pytest.mark.parametrize("content", [b"-----BEGIN PRIVATE KEY-----\nodd\n", b""])
def test_what_is_no_key_does_not_match(brought, content):
    world, machine = brought
    machine._put(f"{APISERVER}.key", content, 0o600, "root:root")
    world.init()
    assert inspect.key_matches(machine.content[f"{APISERVER}.crt"], machine.content[f"{APISERVER}.key"])


def test_a_kubeconfig_with_the_key_of_another_certificate(make_world):
    world = make_world()
    world.init()
    machine = world.machines["cp1"]
    document = kubeconfig.load(machine.content[paths.ADMIN_CONF], "admin.conf")
    key = machine.content[f"{APISERVER}.key"]
    document["users"][0]["user"]["client-key-data"] = kubeconfig.encoded(key)
    machine._put(paths.ADMIN_CONF, kubeconfig.dump(document), 0o600, "root:root")
    world.init()
    entry = kubeconfig.cluster_of(machine.content[paths.ADMIN_CONF])
    assert inspect.key_matches(entry.client_certificate_pem, entry.client_key)


def test_what_kubeadm_has_renewed_is_good(make_world):
    """Compatible both ways: its new key is none that we know, and goes with its new certificate."""
    world = make_world()
    world.init()
    machine = world.machines["cp1"]
    content = machine.content
    (apiserver,) = [
        request
        for request in leaf_requests(world.cluster, world.cluster.control_planes[0])
        if request.name == "apiserver"
    ]
    authority = {"ca": (content[f"{PKI}/ca.crt"], content[f"{PKI}/ca.key"])}
    with Authorities(authority, now=datetime.now(UTC)) as authorities:
        renewed = authorities.issue(apiserver)
    machine._put(f"{APISERVER}.key", renewed.key.reveal(), 0o600, "root:root")
    machine._put(f"{APISERVER}.crt", renewed.public_pem, 0o644, "root:root")
    report = world.init()
    assert report.changed == 0
    assert machine.content[f"{APISERVER}.crt"] == renewed.public_pem


def test_our_own_are_not_looked_at_again(make_world):
    world = make_world()
    world.init()
    world.machines["cp1"].forget()
    world.init()
    assert "run" not in world.machines["cp1"].trips


@pytest.mark.parametrize("ours", [False, True])
def test_a_public_half_of_another_key_is_refused(make_world, brought, ours):
    """API servers would check with the one what controller managers sign with the other."""
    world, machine = brought
    if ours:
        world = make_world()
        world.init()
        machine = world.machines["cp1"]
    other = keys.public_pem(keys.generate("RSA-2048").public_key())
    machine._put(f"{PKI}/sa.pub", other, 0o600, "root:root")
    before = pki_of(machine)
    with pytest.raises(KubeadmPyError, match=r"sa\.pub is not the public half of .*sa\.key") as refused:
        world.init()
    assert refused.value.host == "cp1"
    assert pki_of(machine) == before


def test_several_public_keys_are_good_where_one_is_the_half(brought):
    world, machine = brought
    other = keys.public_pem(keys.generate("RSA-2048").public_key())
    machine._put(f"{PKI}/sa.pub", other + machine.content[f"{PKI}/sa.pub"], 0o600, "root:root")
    before = pki_of(machine)
    world.init()
    assert pki_of(machine) == before
