"""Define `join` and its flags."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded
from kubeadm_py.cli.syntax import phases_of


def join(
    ctx: typer.Context,
    endpoint: Annotated[
        str, typer.Argument(help="HOST:PORT of the API, without a config.", metavar="API:PORT")
    ] = "",
    config: options.Config = "",
    host: options.Hosts = None,
    token: Annotated[
        str,
        options.kubeadm_option(
            help="Bootstrap token; --token-file keeps it out of the process list.",
            metavar="TOKEN",
        ),
    ] = "",
    token_file: Annotated[
        str,
        options.our_option(
            help="File with the bootstrap token; - is standard input.",
            metavar="FILE",
        ),
    ] = "",
    discovery_token: Annotated[
        str, options.kubeadm_option(help="Token for discovery only.", metavar="TOKEN")
    ] = "",
    tls_bootstrap_token: Annotated[
        str,
        options.kubeadm_option(help="Token for the kubelet's certificate only.", metavar="TOKEN"),
    ] = "",
    discovery_token_ca_cert_hash: Annotated[
        list[str] | None,
        options.kubeadm_option(
            help="sha256:HEX of the CA's public key. Repeatable.",
            metavar="HASH",
        ),
    ] = None,
    discovery_token_unsafe_skip_ca_verification: Annotated[
        bool,
        options.kubeadm_option(
            "--discovery-token-unsafe-skip-ca-verification",
            help="Trust whoever answers.",
        ),
    ] = False,
    discovery_file: Annotated[
        str,
        options.kubeadm_option(help="Kubeconfig to discover the cluster from.", metavar="FILE"),
    ] = "",
    control_plane: Annotated[
        bool,
        options.kubeadm_option(
            "--control-plane",
            help="Join as a control plane; with a Cluster document its role says so.",
        ),
    ] = False,
    certificate_key: options.CertificateKey = "",
    certificate_key_file: options.CertificateKeyFile = "",
    apiserver_advertise_address: options.AdvertiseAddress = "",
    apiserver_bind_port: options.BindPort = 0,
    ignore_preflight_errors: options.IgnorePreflight = None,
    skip_phases: options.SkipPhases = None,
    dry_run: options.DryRun = False,
    node_name: options.NodeName = "",
    cri_socket: options.CriSocket = "",
    patches: options.Patches = "",
    format_: options.Format = "text",
    no_color: options.NoColor = False,
    allow_unknown_fields: options.AllowUnknown = False,
    verbosity: options.Verbosity = 0,
) -> None:
    """Join workers and control planes to a cluster.

    With a Cluster document: the hosts of the file named by --host, all at once, with a token minted for
    this join and removed after it; what control planes share is copied from one that runs. Without one:
    --host, or this very machine, with a token of the cluster, and the key of its kubeadm-certs.
    """
    display = Display(format_, no_color, verbosity)
    flags = {
        "token": token,
        "token-file": token_file,
        "discovery-token": discovery_token,
        "tls-bootstrap-token": tls_bootstrap_token,
        "discovery-token-ca-cert-hash": options.split(discovery_token_ca_cert_hash),
        "discovery-token-unsafe-skip-ca-verification": discovery_token_unsafe_skip_ca_verification,
        "discovery-file": discovery_file,
        "control-plane": control_plane,
        "certificate-key": certificate_key,
        "certificate-key-file": certificate_key_file,
        "apiserver-advertise-address": apiserver_advertise_address,
        "apiserver-bind-port": apiserver_bind_port,
        "node-name": node_name,
        "cri-socket": cri_socket,
        "patches": patches,
    }

    def body() -> None:
        from kubeadm_py.cli.verbs import join

        join.run(
            display,
            endpoint=endpoint,
            config=config,
            hosts=host or [],
            flags={name: value for name, value in flags.items() if value},
            ignore=options.split(ignore_preflight_errors),
            skip_phases=options.split(skip_phases),
            only_phases=phases_of(ctx),
            dry_run=dry_run,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)
