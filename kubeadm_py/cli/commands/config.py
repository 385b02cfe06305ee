"""Define `config validate`, `config migrate` and `config images ...` and their flags."""

from __future__ import annotations

from typing import Annotated

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded


def validate(config: options.Config, allow_unknown_fields: options.AllowUnknown = False) -> None:
    """Read a config and report every problem."""

    def body() -> None:
        from kubeadm_py.cli.verbs import config as configs

        configs.validate(config, allow_unknown_fields=allow_unknown_fields)

    guarded(Display(), body)


def migrate(
    old_config: Annotated[
        str,
        options.kubeadm_option(
            help="File of an older version; - is standard input.",
            metavar="FILE",
        ),
    ],
    new_config: Annotated[
        str,
        options.kubeadm_option(
            help="File to write (0600); by default standard output.",
            metavar="FILE",
        ),
    ] = "",
    allow_experimental_api: Annotated[  # noqa: ARG001 - there is no version newer than the one that is written
        bool,
        options.kubeadm_option(
            "--allow-experimental-api",
            help="Taken as kubeadm takes it; no unreleased version is known.",
        ),
    ] = False,
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Translate a kubeadm file of an older version into v1beta4.

    Takes v1alpha1 to v1beta3. Comments are kept. What becomes of each key is told on standard error; what is
    left out or has to be decided stands in the new file, too.
    """

    def body() -> None:
        from kubeadm_py.cli.verbs import migrate as migrating

        migrating.run(old_config, new_config, allow_unknown_fields=allow_unknown_fields)

    guarded(Display(), body)


def adopt(
    config: options.Config,
    host: options.Hosts = None,
    ignore_preflight_errors: options.IgnorePreflight = None,
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    format_: options.Format = "text",
    no_color: options.NoColor = False,
    allow_unknown_fields: options.AllowUnknown = False,
    verbosity: options.Verbosity = 0,
) -> None:
    """Take what was changed by hand in the cluster into the config.

    Flags of static pods, settings of kubelet and kube-proxy, labels and taints: what a field can say is
    written into the file, comments and order kept; the rest is named with the reason. Shows the diff and asks
    first; the old file is kept beside. No host is changed.
    """
    display = Display(format_, no_color, verbosity)

    def body() -> None:
        from kubeadm_py.cli.verbs import adopt as adopting

        adopting.run(
            display,
            config=config,
            hosts=host or (),
            ignore=options.split(ignore_preflight_errors),
            yes=yes,
            dry_run=dry_run,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)


def images_list(
    config: options.Config = "",
    output: options.Output = "text",
    allow_missing_template_keys: options.AllowMissing = True,
    feature_gates: options.FeatureGates = "",
    image_repository: options.ImageRepository = "",
    kubernetes_version: options.KubernetesVersion = "",
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """List the images that a config needs, add-ons included."""
    given = {
        "feature_gates": feature_gates,
        "image_repository": image_repository,
        "kubernetes_version": kubernetes_version,
    }

    def body() -> None:
        from kubeadm_py.cli.verbs import config as configs

        flags = {name: value for name, value in given.items() if value}
        configs.images_list(
            config,
            output=output,
            allow_missing=allow_missing_template_keys,
            flags=flags,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(Display(), body)


def images_pull(
    config: options.Config = "",
    host: options.Hosts = None,
    cri_socket: options.CriSocket = "",
    feature_gates: options.FeatureGates = "",
    image_repository: options.ImageRepository = "",
    kubernetes_version: options.KubernetesVersion = "",
    format_: options.Format = "text",
    no_color: options.NoColor = False,
    allow_unknown_fields: options.AllowUnknown = False,
    verbosity: options.Verbosity = 0,
) -> None:
    """Bring the images to the hosts of a config, or to this very machine.

    From the registry, whatever imagePullPolicy says, or from the bundle.
    """
    display = Display(format_, no_color, verbosity)
    given = {
        "cri_socket": cri_socket,
        "feature_gates": feature_gates,
        "image_repository": image_repository,
        "kubernetes_version": kubernetes_version,
    }

    def body() -> None:
        from kubeadm_py.cli.verbs import config as configs

        configs.images_pull(
            display,
            config=config,
            hosts=host or [],
            flags={name: value for name, value in given.items() if value},
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)
