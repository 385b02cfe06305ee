"""Define `dashboard` and its flags."""

from __future__ import annotations

from typing import Annotated

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded


def dashboard(
    config: options.Config = "",
    host: options.Hosts = None,
    admin: Annotated[
        bool,
        options.our_option(
            "--admin",
            help="A token that may do everything, where headlamp's parameter adminLogin is true.",
        ),
    ] = False,
    port: Annotated[
        int,
        options.our_option(
            help="Port of this machine to listen on, at 127.0.0.1 only; 0 takes a free one.",
            metavar="PORT",
            min=0,
            max=65535,
        ),
    ] = 0,
    duration: Annotated[
        str,
        options.our_option(help="How long the token lasts.", metavar="DURATION"),
    ] = "1h",
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Open a tunnel to the dashboard, and print its URL and a token to log in with."""

    def body() -> None:
        from kubeadm_py.cli.verbs import dashboard as verb

        verb.dashboard(
            config=config,
            hosts=host or [],
            admin=admin,
            port=port,
            duration=duration,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(Display(), body)
