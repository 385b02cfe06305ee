"""Render an add-on's manifests: text of our own, values put in only through `to_yaml`, output parsed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import jinja2
import yaml

from kubeadm_py import assets
from kubeadm_py.addons import plain
from kubeadm_py.errors import UsageError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.networking import split_host_port


class _OneLineDumper(yaml.CSafeDumper):
    """Write text that holds line breaks in double quotes, where they are escaped."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Represent text."""
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Write a value out each time it occurs: an anchor means nothing in another place."""
        return True


_OneLineDumper.add_representer(str, _OneLineDumper.represent_text)


def to_yaml(value: Any) -> str:
    """Write `value` on one line so that it is the same value wherever it stands in a YAML document."""
    written = yaml.dump(
        [value], Dumper=_OneLineDumper, default_flow_style=True, width=1 << 30, sort_keys=False
    )
    return written.strip()[1:-1]


def cluster_facts(cluster: ResolvedCluster) -> dict[str, Any]:
    """Pick what templates may know about the cluster; absent networks are empty text."""
    networks = cluster.networking.pod_networks
    api_host, api_port = split_host_port(cluster.endpoint)
    return {
        "pod_network_v4": next((str(network) for network in networks if network.version == 4), ""),
        "pod_network_v6": next((str(network) for network in networks if network.version == 6), ""),
        "service_networks": [str(network) for network in cluster.networking.service_networks],
        "proxy_mode": "" if cluster.proxy_disabled else str(cluster.kube_proxy_config.get("mode", "")),
        "dns_domain": cluster.networking.dns_domain,
        "api_host": api_host,
        "api_port": str(api_port),
    }


def render_objects(
    name: str,
    folder: Path,
    parameters: Mapping[str, Any],
    images: Mapping[str, str],
    cluster: ResolvedCluster,
    shared: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Return the objects of one add-on in the order of its files, `shared` ones of others among them.

    Templates see `parameters`, `cluster`, `image(name)` and `digest_of(file)`, the digest of a file
    that was rendered before.
    """
    digests: dict[str, str] = {}
    context = {
        "parameters": parameters,
        "cluster": cluster_facts(cluster),
        "image": lambda wanted: images[wanted],
        "digest_of": lambda file: digests[file],
    }
    objects: list[dict[str, Any]] = []
    paths = [*(folder / "manifests").glob("*.yaml.j2")]
    for owner, _, file in (each.partition("/") for each in shared):
        paths.append(assets.folder("addons") / owner / "manifests" / file)
    for path in sorted(paths, key=lambda each: each.name):
        text = _render(name, path, context)
        digests[path.name] = sha256(text.encode())[:16]
        objects += plain.objects(text, f"add-on {name}: {path.name}")
    return objects


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the output is YAML, written by to_yaml and parsed again
    )
    environment.filters["to_yaml"] = to_yaml
    environment.filters["to_json"] = lambda value: json.dumps(value, sort_keys=False)
    return environment


@lru_cache(maxsize=64)
def _template(text: str) -> jinja2.Template:
    """Compile a template once for all the runs and hosts that render it."""
    return _environment().from_string(text)


def _render(name: str, path: Path, context: Mapping[str, Any]) -> str:
    try:
        return _template(path.read_text(encoding="utf-8")).render(context)
    except OSError as error:
        raise UsageError(f"add-on {name}: {path} cannot be read: {error.strerror}") from error
    except jinja2.TemplateError as error:
        raise UsageError(f"add-on {name}: {path.name} cannot be rendered", details=[str(error)]) from error
    except KeyError as error:
        raise UsageError(
            f"add-on {name}: {path.name} names {error.args[0]!r}, an image or file it does not have"
        ) from error
