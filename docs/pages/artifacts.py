"""Write the page of where binaries and images come from."""

# ruff: noqa: E501 - the page's own lines

from __future__ import annotations

from kubeadm_py.artifacts import official
from kubeadm_py.model import distributions, runtimes
from pages import markdown


def artifacts() -> str:
    """Describe the sources, bundles, registries and runtimes."""
    releases = [
        (component, f"`{release.url}`", f"`{release.checksum.removeprefix(release.url) or release.checksum}`")
        for component, release in official.RELEASES.items()
    ]
    families = [
        (
            family.name,
            ", ".join(sorted(family.ids)),
            ", ".join(f"{name} {distributions.OLDEST[name]}" for name in sorted(family.ids)),
        )
        for family in distributions.FAMILIES
    ]
    known = [(each.name, f"`{each.socket}`", f"`{each.unit}`") for each in runtimes.RUNTIMES]
    return f"""# Where binaries and images come from

`spec.artifacts.source` of the Cluster document chooses for all hosts: `official`, `bundle`, `packages` or
`preinstalled`.

## official

This machine downloads what hosts lack, four files at a time, and sends it over SSH; hosts need no way out for
binaries. A download goes on where it was cut off, in this run or in the next one. What came is kept in
`~/.cache/kubeadm-py` by its digest and not asked for again. `http_proxy`, `https_proxy` and `no_proxy` of this
machine's environment hold; 30 s without a byte count as cut.

{markdown.table(("Component", "Download", "Checksum"), releases)}
In it `{{v}}` is the version, `{{n}}` the version without its v, `{{a}}` the architecture, `{{b}}` the binary. A mirror
(`spec.artifacts.path`, https) holds the same files below their host names: MIRROR/dl.k8s.io/release/...

`CONFIG.lock.yaml`, beside the config, pins the SHA-256 of every download, of the manifests that add-ons fetch, and of
images, a bundle's and those that hosts pull. What is pinned there goes over what the publisher says today. Keep it with the config. Where it
cannot be written, published downloads are not pinned, and a manifest that nobody publishes a checksum of is refused.

Images are pulled by the hosts themselves, from their registries or mirrors of them. What the first pull of a tag came
to is pinned; where the tag leads elsewhere later, the image is taken off the host again and the run fails.

## bundle

```sh
kubeadm-py bundle create --config cluster.yaml --output bundle        # or bundle.tar; --arch arm64, --from BUNDLE
kubeadm-py bundle verify bundle --config cluster.yaml                 # every byte, and nothing missing
kubeadm-py apply --config cluster.yaml                                # spec.artifacts: {{source: bundle, path: bundle}}
```

A bundle holds what this very cluster needs: binaries, images of its add-ons and of `verify`, manifests that add-ons
fetch, and `sbom.spdx.json` (SPDX 2.3). The same content makes the same bytes; `SOURCE_DATE_EPOCH` sets the date in the
bill of materials. `apply` from it asks no network. A tar is unpacked into `~/.cache/kubeadm-py` once; what was
unpacked goes a day after its tar was replaced, or 30 days after its last use, when another one is unpacked.

```sh
(umask 077; openssl genpkey -algorithm ed25519 -out bundle.key)
openssl pkey -in bundle.key -pubout -out bundle.pub
kubeadm-py bundle create --config cluster.yaml --output bundle.tar --sign-key bundle.key
```

With `spec.artifacts.publicKey: bundle.pub` a bundle that this key did not sign is refused before any host is reached.
The signature is over `bundle.yaml`, which lists the digest of every file. Sizes are compared when a bundle is opened;
what is about to be sent is hashed before it is sent, and once more while it is.

A host gets what its role needs and lacks. Layers that images share are sent once. What a cut connection has left in
`/var/cache/kubeadm-py` is gone on with by the next run, and removed once the host has all of it.

## packages

apt and dnf install kubelet, kubectl, cri-tools and kubernetes-cni from Kubernetes' own repository, pkgs.k8s.io, in the
cluster's version; they are held there (`apt-mark hold`, `exclude=`), so an upgrade of the system leaves them alone. What
Kubernetes has no packages of (containerd, runc, etcd's tools) comes from the official releases. The key of the
repository is fetched by this machine and pinned in the lock file. A mirror (`spec.artifacts.path`) has the repository
below MIRROR/pkgs.k8s.io/. `reset` takes away the repository and the packages that the host did not have
before; with `--keep-artifacts` both stay, held.

{markdown.table(("Family", "IDs in os-release", "Oldest"), families)}
Others are recognised by ID_LIKE. What is older, or of another family, is refused with what to use instead: `official`
and `bundle` ask for no packages.

## Registries

```yaml
  registries:
    registry.k8s.io: {{mirrors: ["10.0.0.5:5000/all"]}}
    docker.io: {{mirrors: ["10.0.0.5:5000/all", "https://mirror.example/v2/hub"], credentialsFile: hub-login}}
    10.0.0.5:5000: {{caFile: registry-ca.crt, credentialsFile: login}}      # or plainHTTP: true
    quay.io: {{replaceWith: 10.0.0.5:5000/quay, pullSecrets: [corp]}}
```

`kubeadm-py bundle push bundle --config cluster.yaml --registry 10.0.0.5:5000/all` fills a registry, sends only what it
lacks, and prints these lines. Mirrors are asked in their order, then the registry itself. Credentials and CA go to
nobody but the registry of their name; a mirror has its own entry. With `replaceWith` the images of add-ons are named
anew, helper pods included; Kubernetes' own images have kubeadm's `imageRepository`. `pullSecrets` go to the pods of
the add-ons whose images come from there.

The admission plugin AlwaysPullImages with a bundle and no registry is refused: nothing could be pulled.

## Runtimes

{markdown.table(("Runtime", "Socket", "Unit"), known)}
containerd is installed and configured: 2.x by a version 3 file, a host's own 1.7 by a version 2 file and with a
warning, older ones are refused. CRI-O and cri-dockerd are taken where `nodeRegistration.criSocket` names them: they are
configured (sandbox image, cgroup driver, CNI folders, registries), never installed. CRI-O is wanted in the cluster's
minor version. Images of a bundle are imported into containerd only; other runtimes pull them from a registry.

| Said to | containerd | CRI-O | cri-dockerd |
|---|---|---|---|
| mirrors, plainHTTP | certs.d/NAME/hosts.toml | registries.conf.d | Docker's own daemon.json, not ours |
| CAs | certs.d/NAME/ca.crt | /etc/containers/certs.d | /etc/docker/certs.d |
| credentials | hosts.toml, 0600 | an auth file of its own, 0600 | not written |

A host with Docker keeps it: pods run in containerd beside it, `docker ps` shows none of them and `crictl ps` does. rkt
is named, too: nothing uses it any more.
"""
