"""Define `certs ...` and their flags."""

from __future__ import annotations

from kubeadm_py.cli.frame import Display, guarded


def certificate_key() -> None:
    """Print a random key for the Secret kubeadm-certs and touch nothing."""

    def body() -> None:
        from kubeadm_py.cli.verbs import certificate_key

        certificate_key.run()

    guarded(Display(), body)
