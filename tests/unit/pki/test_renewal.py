"""Successors keep what they were for; requests for an external CA; the table of ends; what such a CA owes."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths
from kubeadm_py.model.components import Etcd, ExternalEtcd
from kubeadm_py.model.facts import FileFact
from kubeadm_py.model.node import Role
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import csr, expiry, external, inspect, issue, keys, names, renewal
from kubeadm_py.pki.requests import authority_requests, kubeconfig_requests, leaf_requests, requests

PKI = paths.PKI_DIR


@pytest.fixture
def host(cluster, node, authorities):
    """Return the files of a complete control plane as a probe tells of them."""

    def fact(path, content):
        shown = None if b"PRIVATE KEY" in content else content
        return FileFact(path, 0o600, "root:root", content=shown)

    files = {}
    for request in requests(cluster, node):
        certificate, key = authorities.sign(request)
        files[request.certificate_path] = fact(request.certificate_path, certificate)
        files[request.key_path] = fact(request.key_path, key)
    for request in kubeconfig_requests(cluster, node):
        content = authorities.kubeconfig(request)
        withheld = b"\n".join(line for line in content.splitlines() if b"client-key-data" not in line)
        files[request.path] = fact(request.path, withheld)
    return files


def without(files, *gone):
    return {path: fact for path, fact in files.items() if path not in gone}


class TestSuccessors:
    def test_subject_names_and_usages_are_those_of_the_certificate(self, cluster, node, authorities):
        """The config may have changed since: a renewal is no reconfiguration."""
        request = next(each for each in leaf_requests(cluster, node) if each.name == "etcd-server")
        odd = replace(
            request,
            common_name="another",
            organizations=("b", "a"),
            dns_names=("z.example", "a.example"),
            ip_addresses=("10.0.0.9", "10.0.0.1"),
            usages=("clientAuth", "1.3.6.1.5.5.7.3.8"),
        )
        found = renewal.successor(authorities.sign(odd)[0], request)
        assert replace(found, organizations=()) == replace(odd, organizations=())
        assert set(found.organizations) == {"a", "b"}
        again = x509.load_pem_x509_certificate(authorities.sign(found)[0])
        assert [oid.dotted_string for oid in inspect.extended_usages(again)] == [
            "1.3.6.1.5.5.7.3.2",
            "1.3.6.1.5.5.7.3.8",
        ]

    def test_what_is_no_certificate(self, cluster, node):
        with pytest.raises(KubeadmPyError, match="apiserver holds no certificate"):
            renewal.successor(b"nothing", leaf_requests(cluster, node)[0])

    def test_a_kubeconfig_keeps_all_but_its_credentials(self, authorities, cluster, node):
        content = authorities.kubeconfig(kubeconfig_requests(cluster, node)[0])
        document = yaml.safe_load(content)
        document["clusters"][0]["cluster"] |= {"server": "https://other:1", "proxy-url": "http://p"}
        document["users"][0]["user"] |= {"client-certificate": "/old.crt", "client-key": "/old.key"}
        document["extensions"] = [{"name": "mine"}]
        made = yaml.safe_load(
            renewal.renewed_kubeconfig(
                yaml.safe_dump(document).encode(), b"CA2", b"C2", Secret("K2"), "a.conf"
            )
        )
        assert made["clusters"][0]["cluster"] == {
            "certificate-authority-data": base64.b64encode(b"CA2").decode(),
            "server": "https://other:1",
            "proxy-url": "http://p",
        }
        assert made["users"][0]["user"] == {
            "client-certificate-data": base64.b64encode(b"C2").decode(),
            "client-key-data": base64.b64encode(b"K2").decode(),
        }
        kept = ("extensions", "contexts", "current-context")
        assert {key: made[key] for key in kept} == {key: document[key] for key in kept}

    def test_a_kubeconfig_without_a_certificate_or_a_context(self):
        text = "users: [{name: u, user: {token: t}}]\nclusters: [{name: c}]\n"
        text += "contexts: [{name: x, context: {cluster: c, user: u}}]\n"
        assert renewal.embedded_certificate(f"{text}current-context: x\n".encode(), "a.conf") is None
        with pytest.raises(KubeadmPyError, match="no current context"):
            renewal.embedded_certificate(text.encode(), "a.conf")


class TestRequests:
    def test_files_are_kubeadms(self, cluster, node):
        made = list(csr.generated(cluster, node))
        certificates = [
            "apiserver",
            "apiserver-kubelet-client",
            "front-proxy-client",
            "apiserver-etcd-client",
        ]
        certificates += ["etcd/server", "etcd/peer", "etcd/healthcheck-client"]
        assert {each.path for each in made if not each.of_kubeconfig} == {
            f"{name}.{half}" for name in certificates for half in ("key", "csr")
        }
        kubeconfigs = ["admin", "super-admin", "kubelet", "controller-manager", "scheduler"]
        assert {each.path for each in made if each.of_kubeconfig} == {
            f"{name}.conf{end}" for name in kubeconfigs for end in ("", ".csr")
        }

    def test_a_request_asks_for_what_init_would_sign(self, cluster, node):
        made = {each.path: each.content.reveal() for each in csr.generated(cluster, node)}
        asked = x509.load_pem_x509_csr(made["apiserver.csr"])
        wanted = next(each for each in leaf_requests(cluster, node) if each.name == "apiserver")
        assert asked.is_signature_valid
        assert names.text(asked.subject) == "CN=kube-apiserver"
        sans = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert tuple(sans.get_values_for_type(x509.DNSName)) == wanted.dns_names
        addresses = [str(address) for address in sans.get_values_for_type(x509.IPAddress)]
        assert tuple(addresses) == wanted.ip_addresses
        key = keys.parse_private(made["apiserver.key"], "the key")
        assert keys.same_key(asked.public_key(), key.public_key())

    def test_a_kubeconfig_lacks_the_certificate_and_the_ca_only(self, cluster, node):
        made = {each.path: each.content.reveal() for each in csr.generated(cluster, node)}
        document = yaml.safe_load(made["admin.conf"])
        assert document["clusters"] == [
            {"cluster": {"server": "https://k8s.example.test:6443"}, "name": "kubernetes"}
        ]
        assert list(document["users"][0]["user"]) == ["client-key-data"]
        asked = x509.load_pem_x509_csr(made["admin.conf.csr"])
        assert set(names.organizations(asked.subject)) == {"kubeadm:cluster-admins"}


class TestEnds:
    def test_the_table_of_a_whole_control_plane(self, cluster, node, host, now):
        listed = expiry.certificates(cluster, node, host)
        assert [each.name for each in listed] == sorted(each.name for each in listed)
        assert {each.name for each in listed} >= {"admin.conf", "super-admin.conf", "etcd-peer", "apiserver"}
        assert "kubelet.conf" not in {each.name for each in listed}
        cells = {each.name: each.cells(now) for each in listed}
        assert cells["apiserver"] == ("apiserver", "Nov 20, 2027 22:41 UTC", "364d", "ca", "no")
        assert cells["admin.conf"][3:] == ("ca", "no")
        authorities = [each.cells(now) for each in expiry.authorities(cluster, node, host)]
        assert authorities[1] == ("etcd-ca", "Nov 17, 2036 22:41 UTC", "9y", "no")

    def test_what_is_missing_or_unreadable(self, cluster, node, host, now):
        files = without(host, f"{PKI}/apiserver.crt", f"{PKI}/etcd/ca.crt")
        files |= {
            paths.ADMIN_CONF: replace(host[paths.ADMIN_CONF], content=b"[]"),
            f"{PKI}/etcd/peer.crt": replace(host[f"{PKI}/etcd/peer.crt"], content=b"x"),
        }
        listed = {each.name: each for each in expiry.certificates(cluster, node, files)}
        assert listed["apiserver"].cells(now) == ("!MISSING! apiserver", "", "", "", "")
        assert listed["apiserver"].as_json(now) == {
            "name": "apiserver",
            "expirationDate": None,
            "residualTime": 0,
            "externallyManaged": False,
            "missing": True,
        }
        assert listed["admin.conf"].cells(now) == ("!UNREADABLE! admin.conf", "", "", "", "")
        assert listed["etcd-peer"].as_json(now) == {
            "name": "etcd-peer",
            "expirationDate": None,
            "residualTime": 0,
            "externallyManaged": False,
            "caName": "etcd-ca",
            "missing": False,
        }
        (missing,) = [each for each in expiry.authorities(cluster, node, files) if each.expires is None]
        assert missing.cells(now) == ("!MISSING! etcd-ca", "", "", "")

    def test_json_has_kubeadms_keys_in_its_order(self, cluster, node, host, now):
        files = without(host, f"{PKI}/ca.key")
        found = {each.name: each.as_json(now) for each in expiry.certificates(cluster, node, files)}
        assert list(found["apiserver"].items()) == [
            ("name", "apiserver"),
            ("expirationDate", "2027-11-20T22:41:14Z"),
            ("residualTime", 31535999),
            ("externallyManaged", True),
            ("caName", "ca"),
            ("missing", False),
        ]
        assert found["front-proxy-client"]["externallyManaged"] is False

    def test_a_certificate_over_the_wire_is_the_files(self, host):
        fact = host[f"{PKI}/apiserver.crt"]
        der = x509.load_pem_x509_certificate(fact.content)
        assert expiry.of_der(der.public_bytes(Encoding.DER)) == expiry.of_file(fact)
        assert expiry.of_file(None) is None
        assert expiry.of_file(replace(fact, content=b"x")) is None
        with pytest.raises(ValueError, match=r"."):
            expiry.of_der(b"")


class TestExternal:
    def test_a_complete_one_owes_nothing(self, cluster, node, host, now):
        files = without(host, f"{PKI}/ca.key", f"{PKI}/front-proxy-ca.key", f"{PKI}/etcd/ca.key")
        assert set(external.authorities(cluster, files)) == {"ca", "front-proxy-ca", "etcd-ca"}
        assert external.lacks(cluster, node, files, now) == []
        assert external.authorities(cluster, host) == []

    def test_all_that_is_missing_is_named_at_once(self, cluster, node, host, now):
        files = without(
            host,
            *(f"{PKI}/{name}" for name in ("ca.key", "apiserver.crt", "apiserver-kubelet-client.key")),
            *(f"{PKI}/etcd/{name}" for name in ("server.crt", "server.key")),
            paths.SCHEDULER_CONF,
            paths.SUPER_ADMIN_CONF,
        )
        assert external.lacks(cluster, node, files, now) == [
            f"{PKI}/apiserver.crt is missing",
            f"{PKI}/apiserver-kubelet-client.key is missing",
            f"{paths.SUPER_ADMIN_CONF} is missing",
            f"{paths.SCHEDULER_CONF} is missing",
        ], "etcd has its CA's key: what it lacks is made"

    def test_super_admin_may_go_once_the_cluster_is_there(self, cluster, node, host, now):
        manifest = f"{paths.MANIFESTS_DIR}/kube-apiserver.yaml"
        files = without(host, f"{PKI}/ca.key", paths.SUPER_ADMIN_CONF)
        files[manifest] = FileFact(manifest, 0o600, "root:root")
        assert external.lacks(cluster, node, files, now) == []

    def test_subject_and_server_are_the_operators(self, cluster, node, host, now, authorities):
        request = next(each for each in leaf_requests(cluster, node) if each.name == "apiserver")
        own = replace(request, common_name="ours", organizations=("corp",))
        admin = replace(kubeconfig_requests(cluster, node)[0], server="https://other:1", user="boss")
        files = without(host, f"{PKI}/ca.key")
        files[own.certificate_path] = replace(files[own.certificate_path], content=authorities.sign(own)[0])
        files[admin.path] = replace(files[admin.path], content=authorities.kubeconfig(admin))
        assert external.lacks(cluster, node, files, now) == []

    def test_what_does_not_fit_is_told_with_the_reason(self, cluster, node, host, now, authorities):
        request = next(each for each in leaf_requests(cluster, node) if each.name == "apiserver")
        files = without(host, f"{PKI}/ca.key")
        narrow = replace(request, ip_addresses=())
        files[request.certificate_path] = replace(
            files[request.certificate_path], content=authorities.sign(narrow)[0]
        )
        (found,) = external.lacks(cluster, node, files, now)
        assert found == f"{PKI}/apiserver.crt: it is not for 10.96.0.1, 10.99.0.11"
        later = now + timedelta(days=400)
        assert len(external.lacks(cluster, node, files, later)) > 5
        pairs = {f"{PKI}/front-proxy-client.key": False, f"{PKI}/apiserver.key": False}
        found = external.lacks(cluster, node, files, now, key_pairs=pairs)
        assert f"{PKI}/apiserver.key is not the key of {PKI}/apiserver.crt" in found
        assert not any("front-proxy" in each for each in found), "its CA's key is there"

    def test_external_etcd_has_no_ca_of_ours(self, cluster, node, host, now):
        bare = replace(cluster, etcd=Etcd(None, ExternalEtcd(("https://e:2379",))))
        files = without(host, f"{PKI}/etcd/ca.key", f"{PKI}/etcd/server.crt")
        assert external.lacks(bare, node, files, now) == []
        assert "etcd-ca" not in {each.name for each in authority_requests(bare)}


def test_usages_by_name_and_by_number():
    assert issue.usage_oid("serverAuth").dotted_string == "1.3.6.1.5.5.7.3.1"
    assert issue.usage_oid("1.2.3").dotted_string == "1.2.3"


def test_a_worker_has_nothing_to_sign(cluster, now):
    worker = next(node for node in cluster.nodes if node.role is Role.WORKER)
    assert external.lacks(cluster, worker, {}, now) == []
