"""Write and read kubeconfigs in the shape that kubeadm and kubectl give them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import yaml

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import inspect, pem
from kubeadm_py.pki.inspect import NO_MINIMUM
from kubeadm_py.pki.requests import KubeconfigRequest

MAXIMUM_SIZE = 10 << 20
Reader = Callable[[str], bytes]
"""Returns the content of a file that a kubeconfig names."""


@dataclass(frozen=True, slots=True)
class ClusterEntry:
    """Hold what a kubeconfig says about one cluster and how to log in there."""

    name: str
    server: str
    ca_pem: bytes | None = None
    tls_server_name: str = ""
    insecure: bool = False
    token: Secret | None = None
    client_certificate_pem: bytes | None = None
    client_key: Secret | None = None


def render(
    cluster_name: str,
    server: str,
    ca_pem: bytes | None,
    user: str,
    *,
    client_certificate: bytes | None = None,
    client_key: Secret | None = None,
    token: Secret | None = None,
) -> bytes:
    """Return a kubeconfig with one cluster, one user and the context `USER@CLUSTER`.

    `ca_pem` None is for one that is to be completed (certs generate-csr).
    """
    context = f"{user}@{cluster_name}"
    credentials: dict[str, Any] = {}
    if client_certificate is not None:
        credentials["client-certificate-data"] = encoded(client_certificate)
    if client_key is not None:
        credentials["client-key-data"] = encoded(client_key.reveal())
    if token is not None:
        credentials["token"] = token.text()
    document = {
        "apiVersion": "v1",
        "clusters": [{"cluster": _cluster(server, ca_pem), "name": cluster_name}],
        "contexts": [{"context": {"cluster": cluster_name, "user": user}, "name": context}],
        "current-context": context,
        "kind": "Config",
        "users": [{"name": user, "user": credentials}],
    }
    return dump(document)


def dump(document: Mapping[str, Any]) -> bytes:
    """Write a kubeconfig as kubectl does: sorted keys, no line folding."""
    text: str = yaml.dump(
        document,
        Dumper=yaml.CSafeDumper,
        default_flow_style=False,
        sort_keys=True,
        width=1 << 30,
        allow_unicode=True,
    )
    return text.encode()


def encoded(data: bytes) -> str:
    """Return data as a kubeconfig's *-data fields hold it."""
    return base64.b64encode(data).decode("ascii")


def decoded(value: Any, key: str, what: str) -> bytes:
    """Return what a *-data field holds; `key` and `what` name it in the error."""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise _malformed(what, f"its {key} is not base64") from None


def load(content: bytes | str, what: str) -> dict[str, Any]:
    """Parse a kubeconfig and check its shape; `what` names it in errors, which never quote its content.

    The lists `clusters`, `contexts` and `users` are there afterwards, each entry with a name of its own.
    """
    document = _parse(content, what)
    if not isinstance(document, dict):
        raise _malformed(what, "it is not a mapping of keys to values")
    if document.get("kind", "Config") != "Config":
        raise _malformed(what, "its kind is not Config")
    for key, inner in (("clusters", "cluster"), ("contexts", "context"), ("users", "user")):
        document[key] = _entries(document.get(key), key, inner, what)
    current = document.get("current-context")
    if current is not None and not isinstance(current, str):
        raise _malformed(what, "its current-context is not a name")
    return document


def entry(document: Mapping[str, Any], key: str, name: str) -> dict[str, Any] | None:
    """Return the entry `name` of the list `key` of a loaded kubeconfig; None where there is none."""
    found: dict[str, Any] | None = next((item for item in document[key] if item["name"] == name), None)
    return found


def current_server(content: bytes | str, what: str = "the kubeconfig") -> tuple[str, str]:
    """Return the name and the server of the current context's cluster; raise where there is none."""
    named = _current_cluster(load(content, what), what)
    return named["name"], str(named["cluster"].get("server") or "")


def with_server(content: bytes | str, server: str, what: str = "the kubeconfig") -> bytes:
    """Return a kubeconfig whose current context's cluster is at this server; the rest stays as it is."""
    document = load(content, what)
    _current_cluster(document, what)["cluster"]["server"] = server
    return dump({name: value for name, value in document.items() if value is not None})


def _current_cluster(document: Mapping[str, Any], what: str) -> dict[str, Any]:
    context = (entry(document, "contexts", document.get("current-context") or "") or {}).get("context", {})
    named = entry(document, "clusters", str(context.get("cluster", "")))
    if named is None:
        raise _malformed(what, "it has no current context with a cluster")
    return named


def cluster_of(
    content: bytes | str, what: str = "the kubeconfig", read: Reader | None = None
) -> ClusterEntry:
    """Return the cluster that a discovery file means, with the credentials of its current context.

    That is the cluster without a name if there is one, else the current context's, else the only one.
    Files that it names are read with `read`; without it they are refused.
    """
    document = load(content, what)
    context = (entry(document, "contexts", document.get("current-context") or "") or {}).get("context", {})
    named = entry(document, "clusters", "")
    if named is None and context:
        named = entry(document, "clusters", str(context.get("cluster", "")))
        if named is None:
            raise _malformed(
                what,
                f"its current context names the cluster {context.get('cluster')!r}, which it does not hold",
            )
    if named is None and len(document["clusters"]) == 1:
        named = document["clusters"][0]
    if named is None:
        raise _malformed(what, "it has neither a cluster without a name nor a current context")
    user = (entry(document, "users", str(context.get("user", ""))) or {}).get("user", {})
    return _cluster_entry(named, user, what, read)


def at_another_address(content: bytes, server: str, tls_server_name: str) -> bytes:
    """Return a kubeconfig whose clusters are asked at `server`, whose certificate has `tls_server_name`."""
    document = load(content, "the kubeconfig")
    for item in document["clusters"]:
        item["cluster"] |= {"server": server, "tls-server-name": tls_server_name}
    return dump(document)


def only_cluster(content: bytes | str, what: str) -> ClusterEntry:
    """Return the cluster of a kubeconfig that must have exactly one, as cluster-info does."""
    document = load(content, what)
    if len(document["clusters"]) != 1:
        raise _malformed(what, f"it has {len(document['clusters'])} clusters instead of one")
    return _cluster_entry(document["clusters"][0], {}, what, None)


def kubeconfig_fits(
    content: bytes | str,
    request: KubeconfigRequest,
    ca_pem: bytes,
    now: datetime,
    minimum_remaining: timedelta = NO_MINIMUM,
    *,
    certificate_pem: bytes | None = None,
    compare_server: bool = True,
    compare_subject: bool = True,
) -> list[str]:
    """List the reasons why a kubeconfig is not what `request` asks for; empty: it is already so.

    The content may lack the key. Where it names a certificate file (a kubelet that rotates its own),
    `certificate_pem` is that file's content; without it the certificate is not judged. Neither server nor
    subject is compared in external-CA mode, where the operator chose both.
    """
    try:
        document = load(content, "the kubeconfig")
        context = entry(document, "contexts", document.get("current-context") or "")
        cluster = entry(document, "clusters", context["context"].get("cluster", "")) if context else None
        user = entry(document, "users", context["context"].get("user", "")) if context else None
        if context is None or cluster is None or user is None:
            return ["it has no current context with a cluster and a user"]
        reasons = _cluster_reasons(cluster["cluster"], request, ca_pem, compare_server)
        data = user["user"].get("client-certificate-data")
        if data is not None:
            certificate_pem = decoded(data, "client-certificate-data", "the kubeconfig")
        elif "client-certificate" not in user["user"]:
            return [*reasons, "it holds no client certificate"]
    except KubeadmPyError as error:
        return [error.summary]
    if certificate_pem is None:
        return reasons
    found = inspect.fits(
        certificate_pem,
        request.certificate,
        ca_pem,
        now,
        minimum_remaining,
        compare_subject=compare_subject,
    )
    return [*reasons, *(f"its client certificate: {reason}" for reason in found)]


def _cluster_reasons(
    cluster: Mapping[str, Any], request: KubeconfigRequest, ca_pem: bytes, compare_server: bool
) -> list[str]:
    reasons = []
    if compare_server and cluster.get("server") != request.server:
        reasons.append(f"its server is {cluster.get('server')}, not {request.server}")
    data = cluster.get("certificate-authority-data")
    if data is None:
        return [*reasons, "it holds no CA certificate"]
    embedded = decoded(data, "certificate-authority-data", "the kubeconfig")
    if not set(pem.public_key_hashes(embedded)) & set(pem.public_key_hashes(ca_pem)):
        reasons.append("its CA is not the cluster's")
    return reasons


def _cluster(server: str, ca_pem: bytes | None) -> dict[str, str]:
    return ({} if ca_pem is None else {"certificate-authority-data": encoded(ca_pem)}) | {"server": server}


class _AliasError(yaml.MarkedYAMLError):
    pass


class _Loader(yaml.SafeLoader):
    """Refuse aliases: kubectl never writes them, and a few lines of them expand to gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise _AliasError(problem_mark=self.get_event().start_mark)  # type: ignore[no-untyped-call]
        return super().compose_node(parent, index)


def _parse(content: bytes | str, what: str) -> Any:
    if len(content) > MAXIMUM_SIZE:
        raise _malformed(what, f"it is larger than {MAXIMUM_SIZE >> 20} MiB")
    try:
        text = content.decode() if isinstance(content, bytes) else content
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a SafeLoader
    except UnicodeDecodeError:
        raise _malformed(what, "it is not UTF-8 text") from None
    except yaml.MarkedYAMLError as error:
        # Only the position: the text around it may be a key.
        line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        found = "it uses YAML aliases" if isinstance(error, _AliasError) else "it is not YAML"
        raise _malformed(what, f"{found}{line}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _malformed(what, "it is not YAML") from None


def _entries(value: Any, key: str, inner: str, what: str) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _malformed(what, f"its {key} are not a list")
    seen = set()
    for item in value:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise _malformed(what, f"one of its {key} has no name")
        if item.get(inner) is None:
            item[inner] = {}
        if not isinstance(item[inner], dict):
            raise _malformed(what, f"the {inner} of {item['name']!r} in its {key} is not a mapping")
        if item["name"] in seen:
            raise _malformed(what, f"it has two {key} named {item['name']!r}")
        seen.add(item["name"])
    return value


def _cluster_entry(
    named: Mapping[str, Any], user: Mapping[str, Any], what: str, read: Reader | None
) -> ClusterEntry:
    cluster = named["cluster"]
    server = cluster.get("server")
    if not isinstance(server, str) or not server.startswith("https://"):
        raise _malformed(what, f"the server of its cluster {named['name']!r} is not an https:// address")
    token = user.get("token")
    if token is None and user.get("tokenFile"):
        content = _referenced(str(user["tokenFile"]), what, read)
        token = content.decode(errors="replace").strip()
    key = _data(user, "client-key", what, read)
    return ClusterEntry(
        name=named["name"],
        server=server,
        ca_pem=_data(cluster, "certificate-authority", what, read),
        tls_server_name=str(cluster.get("tls-server-name") or ""),
        insecure=cluster.get("insecure-skip-tls-verify") is True,
        token=Secret(str(token)) if token else None,
        client_certificate_pem=_data(user, "client-certificate", what, read),
        client_key=Secret(key) if key is not None else None,
    )


def _data(mapping: Mapping[str, Any], key: str, what: str, read: Reader | None) -> bytes | None:
    """Return embedded data, else the file's content; embedded data wins, as in kubectl."""
    if mapping.get(f"{key}-data"):
        return decoded(mapping[f"{key}-data"], f"{key}-data", what)
    if mapping.get(key):
        return _referenced(str(mapping[key]), what, read)
    return None


def _referenced(path: str, what: str, read: Reader | None) -> bytes:
    if read is None:
        raise _malformed(what, f"it names the file {path} instead of holding its content")
    return read(path)


def _malformed(what: str, found: str) -> KubeadmPyError:
    return KubeadmPyError(
        f"{what} is not a usable kubeconfig: {found}",
        fix="Correct the file by hand, or give another one.",
    )
