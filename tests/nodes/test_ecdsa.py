"""A cluster whose keys are on the curve P-256."""

from __future__ import annotations

import base64
import json

import pytest
from lab import nodes

PKI = "/etc/kubernetes/pki"
CURVE = "ASN1 OID: prime256v1"
# What a key is on stands in its public half; the private ones are only named.
_KEYS = rf"""
for path in $(find {PKI} -name '*.crt'); do
  echo "$path $(openssl x509 -noout -text -in "$path" | grep -E 'ASN1 OID|Public-Key' | tr -s ' \n' ' ')"
done
for path in $(find {PKI} -name '*.key'); do
  echo "$path $(head -n 1 "$path") $(openssl pkey -noout -text_pub -in "$path" | grep 'ASN1 OID')"
done
for path in /etc/kubernetes/*.conf; do
  data=$(sed -n 's/^ *client-certificate-data: *//p' "$path")
  [ -n "$data" ] || continue
  echo "$path $(printf %s "$data" | base64 -d | openssl x509 -noout -text | grep 'ASN1 OID')"
done
echo "{PKI}/sa.pub $(openssl pkey -pubin -noout -text_pub -in {PKI}/sa.pub | grep 'ASN1 OID')"
"""


def p256(kinds):
    kinds["ClusterConfiguration"]["encryptionAlgorithm"] = "ECDSA-P256"


@pytest.mark.long
def test_a_cluster_with_p256_keys(cli, fleet):
    cluster = fleet.cluster(workers=2, config=fleet.variant("ecdsa-p256", p256))
    said = nodes.exec(cluster.control_plane, ["sh", "-c", _KEYS]).stdout.splitlines()
    listed = dict(line.split(" ", 1) for line in said)
    # Ten certificates and eleven keys (the one for tokens has none), its public half, the kubeconfigs.
    ends = [path.rpartition(".")[2] for path in listed]
    assert {end: ends.count(end) for end in set(ends)} == {"crt": 10, "key": 11, "pub": 1, "conf": 4}
    assert {path: key for path, key in listed.items() if CURVE not in key} == {}
    private = {path: key for path, key in listed.items() if path.endswith(".key")}
    assert {path: key for path, key in private.items() if "BEGIN EC PRIVATE KEY" not in key} == {}
    token = cluster.kubectl("create", "token", "default", "--duration", "10m")
    assert header(token)["alg"] == "ES256"
    done = cli.run("verify", "--config", cluster.config, "--level", "cluster")
    assert "checks passed on 3 hosts" in done.out


def header(token):
    """Return the first part of a JSON web token."""
    part = token.partition(".")[0]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
