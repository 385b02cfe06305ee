"""Describe a bundle's content as SPDX 2.3: what is in it, of which version, and by which digest."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from kubeadm_py import __version__
from kubeadm_py.model import binaries
from kubeadm_py.model.digest import sha256

_NOT_SAID = "NOASSERTION"
_LICENSE = "Apache-2.0"
_PUBLISHED = {
    binaries.KUBERNETES: "pkg:github/kubernetes/kubernetes",
    binaries.CONTAINERD: "pkg:github/containerd/containerd",
    binaries.RUNC: "pkg:github/opencontainers/runc",
    binaries.CRICTL: "pkg:github/kubernetes-sigs/cri-tools",
    binaries.ETCD: "pkg:github/etcd-io/etcd",
    binaries.CNI_PLUGINS: "pkg:github/containernetworking/plugins",
    binaries.FLANNEL_CNI_PLUGIN: "pkg:github/containernetworking/plugins",
}
"""Component -> package URL; all of them are under the Apache license."""
_OTHER = re.compile(r"[^A-Za-z0-9.-]+")


@dataclass(frozen=True, slots=True)
class Program:
    """Name one binary of a bundle."""

    name: str
    component: str
    version: str
    architecture: str
    path: str
    sha256: str


def document(
    programs: Sequence[Program], images: Mapping[str, Mapping[str, str]], moment: str, name: str
) -> bytes:
    """Return the document; the same content gives the same bytes.

    `images` are by architecture and reference; `moment` is when it was made, in UTC as SPDX writes it.
    """
    packages = [*map(_program, programs)]
    for architecture, references in sorted(images.items()):
        packages += [_image(*each, architecture) for each in sorted(references.items())]
    packages.sort(key=lambda package: str(package["SPDXID"]))
    content = json.dumps(packages, sort_keys=True)
    body = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"kubeadm-py bundle {name}",
        "documentNamespace": f"https://kubeadm-py.io/spdx/{sha256(content.encode())}",
        "creationInfo": {"created": moment, "creators": [f"Tool: kubeadm-py-{__version__}"]},
        "packages": packages,
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": package["SPDXID"],
            }
            for package in packages
        ],
    }
    return json.dumps(body, indent=1, sort_keys=True).encode() + b"\n"


def _program(program: Program) -> dict[str, Any]:
    published = _PUBLISHED.get(program.component)
    purl = f"{published or f'pkg:generic/{program.component}'}@{quote(program.version)}"
    return _package(
        f"{program.name}-{program.architecture}",
        program.name,
        program.version,
        program.sha256,
        purl,
        _LICENSE if published else _NOT_SAID,
        program.path,
    )


def _image(reference: str, digest: str, architecture: str) -> dict[str, Any]:
    name, _, tag = reference.partition("@")[0].rpartition(":")
    short = name.rpartition("/")[2]
    query = f"arch={architecture}&repository_url={quote(name, safe='/')}&tag={quote(tag)}"
    purl = f"pkg:oci/{short}@{quote(digest)}?{query}"
    identity = f"image-{reference}-{architecture}"
    return _package(identity, name, tag, digest.removeprefix("sha256:"), purl, _NOT_SAID)


def _package(
    identity: str, name: str, version: str, sha256: str, purl: str, license_: str, path: str = ""
) -> dict[str, Any]:
    return {
        "SPDXID": f"SPDXRef-{_OTHER.sub('-', identity)}",
        "name": name,
        "versionInfo": version,
        "downloadLocation": _NOT_SAID,
        "filesAnalyzed": False,
        "checksums": [{"algorithm": "SHA256", "checksumValue": sha256}],
        "licenseConcluded": _NOT_SAID,
        "licenseDeclared": license_,
        "copyrightText": _NOT_SAID,
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": purl,
            }
        ],
        **({"packageFileName": path} if path else {}),
    }
