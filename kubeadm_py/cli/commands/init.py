"""Define `init` and its flags."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded
from kubeadm_py.cli.syntax import phases_of


def init(
    ctx: typer.Context,
    config: options.Config = "",
    host: options.Hosts = None,
    ignore_preflight_errors: options.IgnorePreflight = None,
    skip_phases: options.SkipPhases = None,
    dry_run: options.DryRun = False,
    node_name: options.NodeName = "",
    cri_socket: options.CriSocket = "",
    apiserver_advertise_address: options.AdvertiseAddress = "",
    apiserver_bind_port: options.BindPort = 0,
    apiserver_cert_extra_sans: Annotated[
        list[str] | None,
        typer.Option(
            help="More names and addresses in its certificate.",
            rich_help_panel=options.KUBEADM,
            metavar="NAMES",
        ),
    ] = None,
    cert_dir: Annotated[
        str, typer.Option(help="Where certificates lie.", rich_help_panel=options.KUBEADM, metavar="DIR")
    ] = "",
    certificate_key: options.CertificateKey = "",
    certificate_key_file: options.CertificateKeyFile = "",
    upload_certs: Annotated[
        bool,
        typer.Option(
            "--upload-certs",
            help="Upload what control planes share, encrypted, to Secret kubeadm-certs, for two hours.",
            rich_help_panel=options.KUBEADM,
        ),
    ] = False,
    skip_certificate_key_print: Annotated[
        bool,
        typer.Option(
            "--skip-certificate-key-print",
            help="Do not print the key that it was encrypted with.",
            rich_help_panel=options.KUBEADM,
        ),
    ] = False,
    control_plane_endpoint: Annotated[
        str,
        typer.Option(
            help="Stable name or address of the control plane.",
            rich_help_panel=options.KUBEADM,
            metavar="HOST[:PORT]",
        ),
    ] = "",
    feature_gates: Annotated[
        str,
        typer.Option(
            help="key=true|false, comma-separated.", rich_help_panel=options.KUBEADM, metavar="GATES"
        ),
    ] = "",
    image_repository: Annotated[
        str,
        typer.Option(
            help="Registry of the control plane's images.",
            rich_help_panel=options.KUBEADM,
            metavar="REGISTRY",
        ),
    ] = "",
    kubernetes_version: Annotated[
        str, typer.Option(help="Kubernetes version.", rich_help_panel=options.KUBEADM, metavar="VERSION")
    ] = "",
    pod_network_cidr: Annotated[
        str, typer.Option(help="Pod subnet.", rich_help_panel=options.KUBEADM, metavar="CIDR")
    ] = "",
    service_cidr: Annotated[
        str,
        typer.Option(help="Service subnet (10.96.0.0/12).", rich_help_panel=options.KUBEADM, metavar="CIDR"),
    ] = "",
    service_dns_domain: Annotated[
        str,
        typer.Option(
            help="Domain of services (cluster.local).", rich_help_panel=options.KUBEADM, metavar="DOMAIN"
        ),
    ] = "",
    token: Annotated[
        str, typer.Option(help="Bootstrap token to create.", rich_help_panel=options.KUBEADM, metavar="TOKEN")
    ] = "",
    token_ttl: Annotated[
        str,
        typer.Option(
            help="Its lifetime (24h0m0s); 0 never ends.", rich_help_panel=options.KUBEADM, metavar="DURATION"
        ),
    ] = "",
    patches: options.Patches = "",
    skip_token_print: Annotated[  # noqa: ARG001 - so it is in any case
        bool,
        typer.Option(
            "--skip-token-print",
            help="Print no token; none is ever printed.",
            rich_help_panel=options.KUBEADM,
        ),
    ] = False,
    kubeconfig: options.PhaseKubeconfig = "",
    print_manifest: Annotated[
        bool,
        typer.Option(
            "--print-manifest", help="Print the objects; change nothing.", rich_help_panel=options.OF_PHASES
        ),
    ] = False,
    format_: options.Format = "text",
    no_color: options.NoColor = False,
    allow_unknown_fields: options.AllowUnknown = False,
    verbosity: options.Verbosity = 0,
) -> None:
    """Bring up the first control plane.

    With a Cluster document: on the first control-plane host of the file, over SSH. Without one, and
    without --host: on this very machine, as kubeadm does.
    """
    display = Display(format_, no_color, verbosity)
    kubeadm_flags = {
        "node-name": node_name,
        "cri-socket": cri_socket,
        "apiserver-advertise-address": apiserver_advertise_address,
        "apiserver-bind-port": apiserver_bind_port,
        "apiserver-cert-extra-sans": options.split(apiserver_cert_extra_sans),
        "cert-dir": cert_dir,
        "certificate-key": certificate_key,
        "certificate-key-file": certificate_key_file,
        "control-plane-endpoint": control_plane_endpoint,
        "feature-gates": feature_gates,
        "image-repository": image_repository,
        "kubernetes-version": kubernetes_version,
        "pod-network-cidr": pod_network_cidr,
        "service-cidr": service_cidr,
        "service-dns-domain": service_dns_domain,
        "token": token,
        "token-ttl": token_ttl,
        "patches": patches,
    }

    def body() -> None:
        from kubeadm_py.cli.verbs import init

        init.run(
            display,
            config=config,
            hosts=host or [],
            flags={name.replace("-", "_"): value for name, value in kubeadm_flags.items() if value},
            ignore=options.split(ignore_preflight_errors),
            skip_phases=options.split(skip_phases),
            only_phases=phases_of(ctx),
            kubeconfig=kubeconfig,
            print_manifest=print_manifest,
            dry_run=dry_run,
            upload_certs=upload_certs,
            print_certificate_key=not skip_certificate_key_print,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)
