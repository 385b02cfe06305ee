"""What tells one certificate from another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kubeadm_py.pki import expiry

NAME = x509.Name([])
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("serial", "printed"),
    [(0x31A70555BCE34AD, "031A70555BCE34AD"), (0xAB, "AB"), (1, "01"), (0x100, "0100")],
)
def test_a_serial_number_is_printed_in_whole_octets_as_openssl_does(serial, printed):
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(NAME, NAME, key.public_key(), serial, NOW, NOW + timedelta(days=1))
    der = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    assert expiry.of_der(der).serial == printed
