"""Run `kubeadm-py config ...`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from kubeadm_py.addons import load as addons
from kubeadm_py.cli.frame import Display
from kubeadm_py.cli.verbs import printing, reading
from kubeadm_py.config.flags import at_hosts, from_init_flags
from kubeadm_py.config.load import Loaded
from kubeadm_py.config.source import source_name
from kubeadm_py.errors import UsageError
from kubeadm_py.model import images
from kubeadm_py.model.words import plural
from kubeadm_py.render import default_documents, engine


def validate(path: str, *, allow_unknown_fields: bool) -> None:
    """Read the config whole, add-ons included, and say that it is good."""
    loaded = reading.read_config(path, allow_unknown_fields=allow_unknown_fields)
    addons.resolve(loaded.cluster)
    reading.tell_warnings(loaded)
    hosts = ", ".join(f"{node.name or 'this machine'} ({node.role})" for node in loaded.cluster.nodes)
    sys.stdout.write(
        f"{source_name(path)} is good: Kubernetes {loaded.cluster.kubernetes_version}; {hosts}\n"
    )


def images_pull(
    display: Display,
    *,
    config: str,
    hosts: Sequence[str],
    flags: Mapping[str, Any],
    allow_unknown_fields: bool,
) -> None:
    """Bring the images to all hosts of the config, to those that --host names, or to this machine."""
    reading.refuse_mixing(config, [name.replace("_", "-") for name in flags])
    loaded: Loaded | None = None
    if config:
        loaded = reading.read_config(config, allow_unknown_fields=allow_unknown_fields)
        whole = loaded.has_cluster_document
        cluster = loaded.cluster if whole else at_hosts(loaded.cluster, hosts)
        targets = reading.choose(cluster, hosts) if whole and hosts else list(cluster.nodes)
    else:
        cluster = from_init_flags(hosts=hosts, **flags)
        targets = list(cluster.nodes)
    # Loaded once the config is known to be good: reaching hosts takes the heavy part of the product.
    from kubeadm_py.cli.verbs import common
    from kubeadm_py.config.complete import complete
    from kubeadm_py.plan.artifacts import pull_images
    from kubeadm_py.plan.run import Options, running

    with common.a_run("config images pull", cluster, display, Options(), config) as a_run:
        reading.tell_warnings(loaded, a_run.warn)
        with running(a_run, hosts=targets) as end:
            a_run.look(targets)
            if loaded is None or not loaded.has_cluster_document:
                a_run.use(complete(cluster, {name: each.facts for name, each in a_run.sessions.items()}))
            pulled = pull_images.pull(a_run)
            count = len({image for each in pulled.values() for image in each})
            end.verdict = f"{plural(count, 'image')} {'is' if count == 1 else 'are'} on {', '.join(pulled)}"


def print_defaults(documents: Sequence[Mapping[str, Any]]) -> None:
    """Print documents as one YAML stream."""
    sys.stdout.write("---\n".join(engine.dump(document).decode() for document in documents))


def components(names: Sequence[str]) -> list[str]:
    """Return the names of component configs; raise UsageError for others."""
    unknown = [name for name in names if name not in default_documents.COMPONENTS]
    if unknown:
        raise UsageError(
            f"--component-configs {', '.join(unknown)}: there is no such component config",
            fix=f"one or both of {', '.join(default_documents.COMPONENTS)}",
        )
    return list(names)


def images_list(
    path: str,
    *,
    output: str,
    allow_missing: bool = True,
    flags: Mapping[str, Any],
    allow_unknown_fields: bool = False,
) -> None:
    """Print the images that control planes, workers, add-ons and the API's endpoint run."""
    form = printing.form(output, allow_missing=allow_missing)
    reading.refuse_mixing(path, [name.replace("_", "-") for name in flags])
    if path:
        cluster = reading.read_cluster(path, allow_unknown_fields=allow_unknown_fields)
    else:
        cluster = from_init_flags(**flags)
    listed = images.control_plane_images(cluster)
    listed += [image for node in cluster.nodes for image in images.endpoint_images(cluster, node)]
    listed += addons.images(addons.resolve(cluster), cluster)
    listed = list(dict.fromkeys(listed))
    if form.is_text:
        sys.stdout.write("\n".join(listed) + "\n")
    else:
        form.print([{"kind": "Images", "apiVersion": "output.kubeadm.k8s.io/v1alpha3", "images": listed}])


def print_schema() -> None:
    """Print the JSON schema of the Cluster document."""
    from kubeadm_py.config.schema import schema

    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
