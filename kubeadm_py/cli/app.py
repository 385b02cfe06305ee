"""Define the commands: names, flags, help. What they do is imported when they run."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded
from kubeadm_py.cli.groups import addon_app, config_app, kubeconfig_app, token_app
from kubeadm_py.errors import ExitCode

app = typer.Typer(
    name="kubeadm-py",
    help="Bring up Kubernetes clusters on your own machines, over SSH, in kubeadm's language.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_show_locals=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group, name in (
    (token_app, "token"),
    (config_app, "config"),
    (kubeconfig_app, "kubeconfig"),
    (addon_app, "addon"),
):
    app.add_typer(group, name=name)


@app.command()
def init(
    config: options.Config = "",
    host: options.Hosts = None,
    ignore_preflight_errors: options.IgnorePreflight = None,
    skip_phases: options.SkipPhases = None,
    dry_run: options.DryRun = False,
    node_name: options.NodeName = "",
    cri_socket: options.CriSocket = "",
    apiserver_advertise_address: Annotated[
        str,
        typer.Option(
            help="Address that the API server says it listens on.",
            rich_help_panel=options.KUBEADM,
            metavar="ADDRESS",
        ),
    ] = "",
    apiserver_bind_port: Annotated[
        int,
        typer.Option(
            help="Port of the API server (6443).",
            rich_help_panel=options.KUBEADM,
            metavar="PORT",
            show_default=False,
        ),
    ] = 0,
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
        "control-plane-endpoint": control_plane_endpoint,
        "feature-gates": feature_gates,
        "image-repository": image_repository,
        "kubernetes-version": kubernetes_version,
        "pod-network-cidr": pod_network_cidr,
        "service-cidr": service_cidr,
        "service-dns-domain": service_dns_domain,
        "token": token,
        "token-ttl": token_ttl,
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
            dry_run=dry_run,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)


@app.command()
def join(
    endpoint: Annotated[
        str, typer.Argument(help="HOST:PORT of the API, without a config.", metavar="API:PORT")
    ] = "",
    config: options.Config = "",
    host: options.Hosts = None,
    token: Annotated[
        str,
        typer.Option(
            help="Bootstrap token; --token-file keeps it out of the process list.",
            rich_help_panel=options.KUBEADM,
            metavar="TOKEN",
        ),
    ] = "",
    token_file: Annotated[
        str,
        typer.Option(
            help="File with the bootstrap token; - is standard input.",
            rich_help_panel=options.OURS,
            metavar="FILE",
        ),
    ] = "",
    discovery_token: Annotated[
        str, typer.Option(help="Token for discovery only.", rich_help_panel=options.KUBEADM, metavar="TOKEN")
    ] = "",
    tls_bootstrap_token: Annotated[
        str,
        typer.Option(
            help="Token for the kubelet's certificate only.", rich_help_panel=options.KUBEADM, metavar="TOKEN"
        ),
    ] = "",
    discovery_token_ca_cert_hash: Annotated[
        list[str] | None,
        typer.Option(
            help="sha256:HEX of the CA's public key. Repeatable.",
            rich_help_panel=options.KUBEADM,
            metavar="HASH",
        ),
    ] = None,
    discovery_token_unsafe_skip_ca_verification: Annotated[
        bool,
        typer.Option(
            "--discovery-token-unsafe-skip-ca-verification",
            help="Trust whoever answers.",
            rich_help_panel=options.KUBEADM,
        ),
    ] = False,
    discovery_file: Annotated[
        str,
        typer.Option(
            help="Kubeconfig to discover the cluster from.", rich_help_panel=options.KUBEADM, metavar="FILE"
        ),
    ] = "",
    ignore_preflight_errors: options.IgnorePreflight = None,
    skip_phases: options.SkipPhases = None,
    dry_run: options.DryRun = False,
    node_name: options.NodeName = "",
    cri_socket: options.CriSocket = "",
    format_: options.Format = "text",
    no_color: options.NoColor = False,
    allow_unknown_fields: options.AllowUnknown = False,
    verbosity: options.Verbosity = 0,
) -> None:
    """Join workers to a cluster.

    With a Cluster document: the hosts of the file named by --host, all at once, with a token minted for
    this join and removed after it. Without one: --host, or this very machine, with a token of the cluster.
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
        "node-name": node_name,
        "cri-socket": cri_socket,
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
            dry_run=dry_run,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)


@app.command()
def verify(
    config: options.Config,
    level: Annotated[
        str, typer.Option(help="hosts, cluster or workloads; each includes the ones before.", metavar="LEVEL")
    ] = "cluster",
    read_only: Annotated[bool, typer.Option("--read-only", help="Only look: start no pods.")] = False,
    junit: Annotated[str, typer.Option(help="Write a JUnit report to this file.", metavar="FILE")] = "",
    json_: Annotated[
        str, typer.Option("--json", help="Write a JSON report to this file.", metavar="FILE")
    ] = "",
    format_: options.Format = "text",
    no_color: options.NoColor = False,
    allow_unknown_fields: options.AllowUnknown = False,
    verbosity: options.Verbosity = 0,
) -> None:
    """Prove the live cluster with a testinfra suite."""
    display = Display(format_, no_color, verbosity)

    def body() -> ExitCode:
        from kubeadm_py.cli.verbs import verify

        return verify.run(
            display,
            config=config,
            level=level,
            read_only=read_only,
            junit=junit,
            json=json_,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)


@app.command()
def reset(
    config: options.Config = "",
    host: options.Hosts = None,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Do not ask.", rich_help_panel=options.KUBEADM)
    ] = False,
    yes: options.Yes = False,
    keep_artifacts: Annotated[
        bool,
        typer.Option(
            "--keep-artifacts",
            help="Leave runtime, binaries and images, as kubeadm reset does.",
            rich_help_panel=options.OURS,
        ),
    ] = False,
    dry_run: options.DryRun = False,
    format_: options.Format = "text",
    no_color: options.NoColor = False,
    allow_unknown_fields: options.AllowUnknown = False,
    verbosity: options.Verbosity = 0,
) -> None:
    """Take hosts back to what they were.

    What a host's inventory lists is removed, files that were there before are put back. It asks first.
    """
    display = Display(format_, no_color, verbosity)

    def body() -> None:
        from kubeadm_py.cli.verbs import reset

        reset.run(
            display,
            config=config,
            hosts=host or [],
            yes=yes or force,
            keep_artifacts=keep_artifacts,
            dry_run=dry_run,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)


@app.command()
def preflight(
    config: options.Config,
    host: options.Hosts = None,
    ignore_preflight_errors: options.IgnorePreflight = None,
    save_facts: Annotated[
        str,
        typer.Option(
            "--save-facts",
            help="Folder to save what each host's probe says to: NAME.json, as render --facts reads it.",
            metavar="DIR",
            rich_help_panel=options.OURS,
        ),
    ] = "",
    format_: options.Format = "text",
    no_color: options.NoColor = False,
    allow_unknown_fields: options.AllowUnknown = False,
    verbosity: options.Verbosity = 0,
) -> None:
    """Check hosts against a config and change nothing."""
    display = Display(format_, no_color, verbosity)

    def body() -> None:
        from kubeadm_py.cli.verbs import preflight

        preflight.run(
            display,
            config=config,
            hosts=host or [],
            ignore=options.split(ignore_preflight_errors),
            save_facts=save_facts,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)


@app.command()
def render(
    config: options.Config,
    output: Annotated[
        str, typer.Option("--output", "-o", help="Empty or new folder to write to.", metavar="DIR")
    ],
    host: options.Hosts = None,
    facts: Annotated[
        str,
        typer.Option(
            help="What preflight --save-facts saved of the host; else a plain Debian 12.", metavar="FILE"
        ),
    ] = "",
    no_secrets: Annotated[bool, typer.Option("--no-secrets", help="Leave out files that hold keys.")] = False,
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Render a config into a folder; reach no host.

    Every file that init and join would write, host by host, and every API object.
    """
    display = Display()

    def body() -> None:
        from kubeadm_py.cli.verbs import render

        render.run(
            config=config,
            output=output,
            hosts=host or [],
            facts=facts,
            no_secrets=no_secrets,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)


@app.command()
def version(
    output: Annotated[
        str, typer.Option("--output", "-o", help="short, json or yaml.", metavar="FORMAT")
    ] = "",
) -> None:
    """Print the version, and the Kubernetes versions that it knows."""

    def body() -> None:
        from kubeadm_py.cli.verbs import version

        version.run(output)

    guarded(Display(), body)
