"""Define `reset` and its flags."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded
from kubeadm_py.cli.syntax import phases_of


def reset(
    ctx: typer.Context,
    config: options.Config = "",
    host: options.Hosts = None,
    force: Annotated[bool, options.kubeadm_option("--force", "-f", help="Do not ask.")] = False,
    yes: options.Yes = False,
    keep_artifacts: options.KeepArtifacts = False,
    cert_dir: Annotated[
        str,
        options.kubeadm_option(
            help="Directory of certificates to empty; of one that the inventory knows, what it lists goes.",
            metavar="PATH",
        ),
    ] = "",
    cleanup_tmp_dir: Annotated[
        bool,
        options.kubeadm_option(
            "--cleanup-tmp-dir",
            help="Remove /etc/kubernetes/tmp, where kubeadm keeps what upgrades replaced.",
        ),
    ] = False,
    cri_socket: options.CriSocket = "",
    kubeconfig: Annotated[
        str,
        options.kubeadm_option(
            help="Kubeconfig on the host to delete its Node with, without a Cluster document "
            "(/etc/kubernetes/admin.conf).",
            metavar="FILE",
        ),
    ] = "",
    ignore_preflight_errors: options.IgnorePreflight = None,
    skip_phases: options.SkipPhases = None,
    dry_run: options.DryRun = False,
    format_: options.Format = "text",
    no_color: options.NoColor = False,
    allow_unknown_fields: options.AllowUnknown = False,
    verbosity: options.Verbosity = 0,
) -> None:
    """Take hosts back to what they were.

    What a host's inventory lists is removed, files that were there before are put back; of a node that
    kubeadm made, what kubeadm's own reset removes, and its network. A control plane leaves etcd first,
    where others go on. It asks first. Hosts that cannot be reached are named, and the others reset.
    """
    display = Display(format_, no_color, verbosity)
    flags = {
        "cert-dir": cert_dir,
        "cleanup-tmp-dir": cleanup_tmp_dir,
        "cri-socket": cri_socket,
        "force": force,
    }

    def body() -> None:
        from kubeadm_py.cli.verbs import reset

        reset.run(
            display,
            config=config,
            hosts=host or [],
            yes=yes,
            keep_artifacts=keep_artifacts,
            skip_phases=options.split(skip_phases),
            only_phases=phases_of(ctx),
            flags={name: value for name, value in flags.items() if value},
            kubeconfig=kubeconfig,
            ignore=options.split(ignore_preflight_errors),
            dry_run=dry_run,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)
