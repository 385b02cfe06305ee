"""Start the command line."""

from __future__ import annotations

import gc


def main() -> None:
    """Run `kubeadm-py`."""
    # What is loaded stays: looking for garbage in it takes a tenth of the start.
    gc.set_threshold(50_000, 20, 20)
    from kubeadm_py.cli.app import app

    app(prog_name="kubeadm-py")


if __name__ == "__main__":
    main()
