"""Run `kubeadm-py token ...`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from kubeadm_py.cli import telling
from kubeadm_py.cli.verbs import printing, reading
from kubeadm_py.cli.verbs.leader import leader
from kubeadm_py.config import scalars
from kubeadm_py.config.durations import parse_duration
from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.kube import tokens
from kubeadm_py.model import endpoint, paths
from kubeadm_py.model.bootstrap import NODE_TOKEN_GROUP, BootstrapToken
from kubeadm_py.model.cluster import LoadBalancer
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import kubeconfig as kubeconfigs
from kubeadm_py.token import bootstrap, listing
from kubeadm_py.token.join_command import join_command
from kubeadm_py.transport.base import Host


def create(
    *,
    config: str,
    hosts: Sequence[str],
    token: str,
    ttl: str,
    description: str,
    groups: Sequence[str],
    usages: Sequence[str],
    print_join_command: bool,
    dry_run: bool,
    certificate_key: str = "",
    kubeconfig: str = "",
    allow_unknown_fields: bool = False,
) -> None:
    """Create a token and print it, or the lines that join with it.

    A config of kubeadm's documents alone says by its bootstrapTokens what is created, as in kubeadm; one with
    a Cluster document says which cluster is meant.
    """
    key = _certificate_key(certificate_key, print_join_command=print_join_command)
    loaded = reading.read_config(config, allow_unknown_fields=allow_unknown_fields) if config else None
    if loaded is not None and not loaded.has_cluster_document:
        _refuse_beside_config(config, token, ttl, description, groups, usages)
        all_wanted = _named(loaded.cluster.bootstrap_tokens)
    else:
        all_wanted = [_wanted(token, ttl, description, groups, usages)]
    now = datetime.now(UTC)
    secrets = [bootstrap.secret_object(each, now) for each in all_wanted]
    value = all_wanted[0].token or Secret("")
    with leader(config, hosts, verb="token", loaded=loaded) as (known, host):
        for secret in secrets:
            if dry_run:
                name = secret["metadata"]["name"]
                telling.say(f"would create the Secret {bootstrap.NAMESPACE}/{name}")
            else:
                tokens.create(host, secret, kubeconfig=kubeconfig or paths.ADMIN_CONF)
        if not print_join_command:
            sys.stdout.write(value.text() + "\n")
            return
        cluster = kubeconfigs.cluster_of(_kubeconfig(host, kubeconfig or paths.ADMIN_CONF))
    ours, kubeadms = join_command(cluster.server, value, [cluster.ca_pem or b""], certificate_key=key)
    sys.stdout.write(f"{ours}\n{kubeadms}\n")
    if known is not None and known.load_balancer is LoadBalancer.NODE_LOCAL:
        address = endpoint.own_address(known.node(host.name))
        telling.say(f"a host of no config needs this in /etc/hosts: {address} {endpoint.host(known)}")


def _certificate_key(text: str, *, print_join_command: bool) -> Secret | None:
    if text and not print_join_command:
        raise UsageError(
            "--certificate-key shapes the join command only", fix="add --print-join-command, or leave it out"
        )
    try:
        return scalars.certificate_key(text)
    except ValueError as error:
        raise UsageError(f"--certificate-key: {error}", fix="init --upload-certs prints the key") from error


def _named(tokens: Iterable[BootstrapToken]) -> list[BootstrapToken]:
    return [replace(each, token=each.token or bootstrap.generate()) for each in tokens]


def _refuse_beside_config(
    config: str, token: str, ttl: str, description: str, groups: Sequence[str], usages: Sequence[str]
) -> None:
    """Refuse what would say the same as the file's bootstrapTokens."""
    flags = {"ttl": ttl, "description": description, "groups": groups, "usages": usages}
    reading.refuse_mixing(config, [name for name, given in flags.items() if given])
    if token:
        raise UsageError(
            "a token and --config are both given: it is the file's bootstrapTokens that are created",
            fix="put it into the file's bootstrapTokens, or leave --config out",
        )


def _wanted(
    token: str, ttl: str, description: str, groups: Sequence[str], usages: Sequence[str]
) -> BootstrapToken:
    value = bootstrap.Token.parse(token).full if token else bootstrap.generate()
    try:
        lifetime = parse_duration(ttl) if ttl else BootstrapToken().ttl
    except ValueError as error:
        raise UsageError(f"--ttl {ttl!r}: {error}", fix="write it like 24h0m0s; 0 never ends") from error
    purposes = tuple(usages) or tuple(reversed(bootstrap.USAGES))
    # A token that is for signing only logs nobody in: kubeadm refuses its own default group there.
    usual = (NODE_TOKEN_GROUP,) if "authentication" in purposes else ()
    return BootstrapToken(value, description, lifetime, usages=purposes, groups=tuple(groups) or usual)


def _kubeconfig(host: Host, path: str) -> bytes:
    try:
        return host.read(path)
    except FileNotFoundError:
        raise KubeadmPyError(
            f"{path} is not there: this host is no control plane yet",
            host=host.name,
            fix="name a control plane that runs: --host NAME, or another file: --kubeconfig FILE",
        ) from None


def list_(
    *,
    config: str,
    hosts: Sequence[str],
    output: str,
    allow_missing: bool = True,
    kubeconfig: str = "",
    allow_unknown_fields: bool = False,
) -> None:
    """Print the tokens in kubeadm's columns, or as its objects; tell which Secrets hold no token."""
    form = printing.form(output, allow_missing=allow_missing)
    with leader(config, hosts, verb="token", allow_unknown_fields=allow_unknown_fields) as (_, host):
        secrets = tokens.listed(host, kubeconfig=kubeconfig or paths.ADMIN_CONF)
    rows, problems = listing.rows(secrets, datetime.now(UTC))
    for problem in problems:
        telling.warn(problem)
    if not form.is_text:
        form.print(row.as_json() for row in rows)
    elif rows:
        printing.table(listing.COLUMNS, (row.cells() for row in rows))


def delete(
    *,
    config: str,
    hosts: Sequence[str],
    names: Sequence[str],
    dry_run: bool = False,
    kubeconfig: str = "",
    allow_unknown_fields: bool = False,
) -> None:
    """Delete tokens by id or in full."""
    ids = [bootstrap.token_id(name) for name in names]
    with leader(config, hosts, verb="token", allow_unknown_fields=allow_unknown_fields) as (_, host):
        for each in ids:
            if dry_run:
                sys.stdout.write(f'bootstrap token "{each}" would be deleted\n')
                continue
            tokens.delete(host, each, kubeconfig=kubeconfig or paths.ADMIN_CONF)
            sys.stdout.write(f'bootstrap token "{each}" deleted\n')


def generate() -> None:
    """Print a random token."""
    sys.stdout.write(bootstrap.generate().text() + "\n")
