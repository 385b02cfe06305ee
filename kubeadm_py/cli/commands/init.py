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
        options.kubeadm_option(
            help="More names and addresses in its certificate.",
            metavar="NAMES",
        ),
    ] = None,
    cert_dir: options.CertDir = "",
    certificate_key: options.CertificateKey = "",
    certificate_key_file: options.CertificateKeyFile = "",
    upload_certs: Annotated[
        bool,
        options.kubeadm_option(
            "--upload-certs",
            help="Upload what control planes share, encrypted, to Secret kubeadm-certs, for two hours.",
        ),
    ] = False,
    skip_certificate_key_print: Annotated[
        bool,
        options.kubeadm_option(
            "--skip-certificate-key-print",
            help="Do not print the key that it was encrypted with.",
        ),
    ] = False,
    control_plane_endpoint: Annotated[
        str,
        options.kubeadm_option(
            help="Stable name or address of the control plane.",
            metavar="HOST[:PORT]",
        ),
    ] = "",
    feature_gates: options.FeatureGates = "",
    image_repository: options.ImageRepository = "",
    kubernetes_version: options.KubernetesVersion = "",
    pod_network_cidr: Annotated[str, options.kubeadm_option(help="Pod subnet.", metavar="CIDR")] = "",
    service_cidr: Annotated[
        str,
        options.kubeadm_option(help="Service subnet (10.96.0.0/12).", metavar="CIDR"),
    ] = "",
    service_dns_domain: Annotated[
        str,
        options.kubeadm_option(help="Domain of services (cluster.local).", metavar="DOMAIN"),
    ] = "",
    token: Annotated[str, options.kubeadm_option(help="Bootstrap token to create.", metavar="TOKEN")] = "",
    token_ttl: Annotated[
        str,
        options.kubeadm_option(help="Its lifetime (24h0m0s); 0 never ends.", metavar="DURATION"),
    ] = "",
    patches: options.Patches = "",
    skip_token_print: Annotated[  # noqa: ARG001 - so it is in any case
        bool,
        options.kubeadm_option(
            "--skip-token-print",
            help="Print no token; none is ever printed.",
        ),
    ] = False,
    kubeconfig: options.PhaseKubeconfig = "",
    print_manifest: Annotated[
        bool,
        options.phase_option("--print-manifest", help="Print the objects; change nothing."),
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
