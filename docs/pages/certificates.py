"""Write the page of certificates."""

# ruff: noqa: E501 - the page's own lines

from __future__ import annotations

from kubeadm_py.pki import files
from kubeadm_py.pki.table import table
from pages import markdown


def certificates() -> str:
    """Describe the table of certificates."""
    pki = table()
    folder, rows = "/etc/kubernetes/pki", []
    for authority in pki.authorities:
        note = "local etcd only" if authority.local_etcd_only else ""
        rows.append((f"`{authority.file}`", authority.common_name, "itself", "", "", note))
    for certificate in pki.certificates:
        notes = ["local etcd only"] if certificate.local_etcd_only else []
        if certificate.organizations_before:
            before = ", ".join(certificate.organizations_before)
            notes.append(f"before {certificate.organizations_before_minor}: O={before}")
        subject = ", ".join([certificate.common_name, *(f"O={name}" for name in certificate.organizations)])
        cells = (
            certificate.signer,
            ", ".join(certificate.usages),
            ", ".join(certificate.sans),
            "; ".join(notes),
        )
        rows.append((f"`{certificate.file}`", subject, *cells))
    users = [
        (
            f"`/etc/kubernetes/{row.file}`",
            ", ".join([row.user, *(f"O={name}" for name in row.organizations)]),
            row.server,
            ", ".join(row.hosts),
        )
        for row in pki.kubeconfigs
    ]
    pairs = ", ".join(f"`{pair.file}.key` and `{pair.file}.pub`" for pair in pki.key_pairs)
    return f"""# Certificates

The table is `pki/certificates.yaml`; issuing, checking and this page read it. Names, subjects, usages, SANs, lifetimes
and modes are kubeadm's, which is tested against what kubeadm made (tests/golden/pki).

Authorities live for `caCertificateValidityPeriod` (ten years by default), all else for `certificateValidityPeriod` (one
year). Keys are of `encryptionAlgorithm`: RSA-2048 by default, RSA-3072, RSA-4096, ECDSA-P256 or ECDSA-P384. Certificates
have mode {files.PUBLIC_MODE:04o}, keys and kubeconfigs {files.SECRET_MODE:04o}, all belong to root.

A certificate is left alone while its issuer, subject, usages and SANs fit, its key is the one made with it, and it is
valid for at least another day. An authority is never replaced.

## Authorities and certificates, below {folder}

{markdown.table(("File (.crt, .key)", "Subject", "Signed by", "Usages", "SANs", "Note"), rows)}
SANs by name: `node-name`, `kubernetes-service` (kubernetes, kubernetes.default, ..., and the first address of the
first service subnet), `advertise-address`, `endpoint` (controlPlaneEndpoint), `localhost`, `loopback` (127.0.0.1 and ::1);
the others are the config's own lists.

Key pairs without a certificate: {pairs} (service account tokens).

## Kubeconfigs

{markdown.table(("File", "User", "Server", "Hosts"), users)}"""
