"""Define `config print ...` and `config schema` and their flags."""

from __future__ import annotations

from typing import Annotated

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded


def init_defaults(
    component_configs: Annotated[
        list[str] | None,
        options.kubeadm_option(
            help="Component configs to print too: KubeletConfiguration, KubeProxyConfiguration.",
            metavar="KINDS",
        ),
    ] = None,
) -> None:
    """Print what init takes where a config says nothing."""

    def body() -> None:
        from kubeadm_py.cli.verbs import config as configs
        from kubeadm_py.config.flags import from_init_flags
        from kubeadm_py.render import default_documents

        components = configs.components(options.split(component_configs))
        configs.print_defaults(default_documents.init_defaults(from_init_flags(), components))

    guarded(Display(), body)


def join_defaults() -> None:
    """Print what join takes where a config says nothing."""

    def body() -> None:
        from kubeadm_py.cli.verbs import config as configs
        from kubeadm_py.render import default_documents

        configs.print_defaults(default_documents.join_defaults())

    guarded(Display(), body)


def reset_defaults() -> None:
    """Print what reset takes where a config says nothing."""

    def body() -> None:
        from kubeadm_py.cli.verbs import config as configs
        from kubeadm_py.render import default_documents

        configs.print_defaults(default_documents.reset_defaults())

    guarded(Display(), body)


def upgrade_defaults() -> None:
    """Print what upgrades take where a config says nothing."""

    def body() -> None:
        from kubeadm_py.cli.verbs import config as configs
        from kubeadm_py.render import default_documents

        configs.print_defaults(default_documents.upgrade_defaults())

    guarded(Display(), body)


def schema() -> None:
    """Print the JSON schema of the Cluster document, for editors."""

    def body() -> None:
        from kubeadm_py.cli.verbs import config as configs

        configs.print_schema()

    guarded(Display(), body)
