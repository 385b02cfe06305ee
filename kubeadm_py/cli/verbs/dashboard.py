"""Run `kubeadm-py dashboard`."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta

from kubeadm_py.cli import telling
from kubeadm_py.cli.verbs.leader import leader
from kubeadm_py.config.durations import parse_duration
from kubeadm_py.errors import UsageError
from kubeadm_py.kube import dashboard as kube
from kubeadm_py.kube.dashboard import Dashboard
from kubeadm_py.model.times import go_duration
from kubeadm_py.transport.forward import LOOPBACK, Forward

_SHORTEST = timedelta(minutes=10)
"""The API server gives no token for less."""
_ALLOWED = {
    kube.VIEWER: "may view everything but Secrets",
    kube.ADMIN: "may do everything: close the tunnel when you are done",
}


def dashboard(
    *,
    config: str,
    hosts: Sequence[str],
    admin: bool,
    port: int,
    duration: str,
    allow_unknown_fields: bool = False,
) -> None:
    """Open a tunnel to the dashboard, print its URL and a token, and keep it open until Ctrl-C."""
    lifetime = _lifetime(duration)
    account = kube.ADMIN if admin else kube.VIEWER
    with leader(config, hosts, verb="dashboard", allow_unknown_fields=allow_unknown_fields) as (_, host):
        found = kube.ask(host, account, int(lifetime.total_seconds()))
        try:
            forward = Forward(host, found.address, found.port, local_port=port, told=telling.warn)
        except OSError as error:
            raise UsageError(
                f"--port {port}: {LOOPBACK}:{port} cannot be listened on: {error.strerror}",
                fix="name another one, or leave --port out for one that is free",
            ) from error
        with forward:
            sys.stdout.write(_words(found, forward.local_port, account, lifetime))
            sys.stdout.flush()
            with _until_interrupted():
                forward.serve_forever()
        if forward.lost is not None:
            raise forward.lost


@contextlib.contextmanager
def _until_interrupted() -> Iterator[None]:
    """End quietly on Ctrl-C, also where whoever started us had us ignore it: that is how a tunnel ends."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("\n")
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _words(found: Dashboard, port: int, account: str, lifetime: timedelta) -> str:
    return (
        f"http://{LOOPBACK}:{port}{found.path}\n"
        f"\nlog in with this token of {account}, for {go_duration(lifetime)}; it {_ALLOWED[account]}\n"
        f"\n{found.token.text()}\n"
        "\nCtrl-C closes the tunnel\n"
    )


def _lifetime(text: str) -> timedelta:
    try:
        lifetime = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--duration {text!r}: {error}", fix="write it like 8h") from error
    if lifetime < _SHORTEST:
        raise UsageError(f"--duration {text}: at least {go_duration(_SHORTEST)}", fix="write it like 1h")
    return lifetime
