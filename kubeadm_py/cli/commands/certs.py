"""Define `certs ...` and their flags."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded


def check_expiration(
    config: options.Config = "",
    host: options.Hosts = None,
    cert_dir: options.CertDir = "",
    kubeconfig: options.Kubeconfig = "",
    output: options.Output = "text",
    allow_missing_template_keys: options.AllowMissing = True,
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Show when certificates end, and which ones the running processes serve.

    Of all hosts of the file, or of this very machine.
    """

    def body() -> None:
        from kubeadm_py.cli.verbs import certs

        certs.check_expiration(
            config=config,
            hosts=host or [],
            cert_dir=cert_dir,
            kubeconfig=kubeconfig,
            output=output,
            allow_missing=allow_missing_template_keys,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(Display(), body)


def renew(
    name: Annotated[
        str,
        typer.Argument(
            help="all, or one as certs check-expiration names it: apiserver, etcd-server, admin.conf, ...",
            metavar="NAME",
        ),
    ],
    config: options.Config = "",
    host: options.Hosts = None,
    cert_dir: options.CertDir = "",
    kubeconfig: options.Kubeconfig = "",
    if_ends_within: Annotated[
        str,
        options.our_option(
            "--if-ends-within",
            help="Renew only what ends within this time, as 720h; else all, whenever it ends.",
            metavar="DURATION",
        ),
    ] = "",
    dry_run: options.DryRun = False,
    format_: options.Format = "text",
    no_color: options.NoColor = False,
    allow_unknown_fields: options.AllowUnknown = False,
    verbosity: options.Verbosity = 0,
) -> None:
    """Renew certificates on the control planes and restart what uses them.

    One control plane after the other, each waited for until it is healthy. Subject, names and usages stay.
    """
    display = Display(format_, no_color, verbosity)

    def body() -> None:
        from kubeadm_py.cli.verbs import certs

        certs.renew(
            display,
            name=name,
            config=config,
            hosts=host or [],
            cert_dir=cert_dir,
            kubeconfig=kubeconfig,
            within=if_ends_within,
            dry_run=dry_run,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)


def generate_csr(
    config: options.Config = "",
    host: options.Hosts = None,
    cert_dir: options.CertDir = "",
    kubeconfig_dir: Annotated[
        str,
        options.kubeadm_option(
            "--kubeconfig-dir",
            help="Where kubeconfigs are written (/etc/kubernetes).",
            metavar="DIR",
        ),
    ] = "",
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Make keys and signing requests of a control plane for a CA whose key is elsewhere.

    On this machine: NAME.key and NAME.csr, and kubeconfigs that lack the signed certificate only.
    """

    def body() -> None:
        from kubeadm_py.cli.verbs import certs

        certs.generate_csr(
            config=config,
            hosts=host or [],
            cert_dir=cert_dir,
            kubeconfig_dir=kubeconfig_dir,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(Display(), body)


def certificate_key() -> None:
    """Print a random key for the Secret kubeadm-certs and touch nothing."""

    def body() -> None:
        from kubeadm_py.cli.verbs import certificate_key

        certificate_key.run()

    guarded(Display(), body)
