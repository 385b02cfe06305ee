"""Define `addon list`."""

from __future__ import annotations

from kubeadm_py.cli.frame import Display, guarded


def list_() -> None:
    """List the add-ons that come with the product."""

    def body() -> None:
        from kubeadm_py.cli.verbs import addon

        addon.list_()

    guarded(Display(), body)
