"""Start the command line."""

from __future__ import annotations


def main() -> None:
    """Run `kubeadm-py`."""
    from kubeadm_py.cli.app import app

    app(prog_name="kubeadm-py")


if __name__ == "__main__":
    main()
