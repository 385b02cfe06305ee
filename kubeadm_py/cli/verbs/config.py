"""Run `kubeadm-py config ...`."""

from __future__ import annotations

import json
import sys

from kubeadm_py.addons import load as addons
from kubeadm_py.cli.verbs import reading
from kubeadm_py.config.flags import from_init_flags
from kubeadm_py.config.source import source_name
from kubeadm_py.errors import UsageError
from kubeadm_py.model import images


def validate(path: str, *, allow_unknown_fields: bool) -> None:
    """Read the config whole, add-ons included, and say that it is good."""
    loaded = reading.read_config(path, allow_unknown_fields=allow_unknown_fields)
    addons.resolve(loaded.cluster)
    reading.tell_warnings(loaded)
    hosts = ", ".join(f"{node.name or 'this machine'} ({node.role})" for node in loaded.cluster.nodes)
    sys.stdout.write(
        f"{source_name(path)} is good: Kubernetes {loaded.cluster.kubernetes_version}; {hosts}\n"
    )


def images_list(path: str, *, output: str, allow_unknown_fields: bool = False) -> None:
    """Print the images that control planes, workers and add-ons run."""
    cluster = (
        reading.read_cluster(path, allow_unknown_fields=allow_unknown_fields) if path else from_init_flags()
    )
    listed = images.control_plane_images(cluster)
    listed += addons.images(addons.resolve(cluster), cluster)
    listed = list(dict.fromkeys(listed))
    if output == "text":
        sys.stdout.write("\n".join(listed) + "\n")
    elif output in ("json", "yaml"):
        document = {"apiVersion": "output.kubeadm.k8s.io/v1alpha3", "kind": "Images", "images": listed}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        raise UsageError(f"--output {output!r}: one of text, json, yaml")
