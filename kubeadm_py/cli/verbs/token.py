"""Run `kubeadm-py token ...`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import yaml

from kubeadm_py.cli.verbs.leader import leader
from kubeadm_py.config.durations import parse_duration
from kubeadm_py.errors import UsageError
from kubeadm_py.kube import tokens
from kubeadm_py.model import paths
from kubeadm_py.model.cluster import NODE_TOKEN_GROUP, BootstrapToken
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import kubeconfig
from kubeadm_py.token import bootstrap, listing
from kubeadm_py.token.join_command import join_command


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
    allow_unknown_fields: bool = False,
) -> None:
    """Create a token and print it, or the lines that join with it."""
    value = bootstrap.Token.parse(token).full if token else bootstrap.generate()
    try:
        lifetime = parse_duration(ttl)
    except ValueError as error:
        raise UsageError(f"--ttl {ttl!r}: {error}", fix="write it like 24h0m0s; 0 never ends") from error
    wanted = BootstrapToken(
        value,
        description,
        lifetime,
        usages=tuple(usages) or ("signing", "authentication"),
        groups=tuple(groups) or (NODE_TOKEN_GROUP,),
    )
    secret = bootstrap.secret_object(wanted, datetime.now(UTC))
    with leader(config, hosts, allow_unknown_fields=allow_unknown_fields) as (_, host):
        if not dry_run:
            tokens.create(host, secret)
        if not print_join_command:
            sys.stdout.write(value.text() + "\n")
            return
        cluster = kubeconfig.cluster_of(host.read(paths.ADMIN_CONF))
    ours, kubeadms = join_command(cluster.server, Secret(value.reveal()), [cluster.ca_pem or b""])
    sys.stdout.write(f"{ours}\n{kubeadms}\n")


def list_(*, config: str, hosts: Sequence[str], output: str, allow_unknown_fields: bool = False) -> None:
    """Print the tokens in kubeadm's columns, or as its objects."""
    if output not in ("text", "json", "yaml"):
        raise UsageError(f"--output {output!r}: one of text, json, yaml")
    with leader(config, hosts, allow_unknown_fields=allow_unknown_fields) as (_, host):
        secrets = tokens.listed(host)
    rows, problems = listing.rows(secrets, datetime.now(UTC))
    for problem in problems:
        sys.stderr.write(f"warning: {problem}\n")
    if output == "text":
        cells = [listing.COLUMNS, *(row.cells() for row in rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(listing.COLUMNS))]
        for row in cells:
            line = "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            sys.stdout.write(line.rstrip() + "\n")
        return
    # kubeadm prints one object after the other.
    for found in rows:
        if output == "json":
            sys.stdout.write(json.dumps(found.as_json(), indent=4) + "\n")
        else:
            sys.stdout.write("---\n" + yaml.safe_dump(found.as_json(), sort_keys=False))


def delete(
    *, config: str, hosts: Sequence[str], names: Sequence[str], allow_unknown_fields: bool = False
) -> None:
    """Delete tokens by id or in full."""
    ids = [bootstrap.token_id(name) for name in names]
    with leader(config, hosts, allow_unknown_fields=allow_unknown_fields) as (_, host):
        for each in ids:
            tokens.delete(host, each)
            sys.stdout.write(f'bootstrap token "{each}" deleted\n')


def generate() -> None:
    """Print a random token."""
    sys.stdout.write(bootstrap.generate().text() + "\n")
