"""Let testinfra speak to a host through our own transport."""

from __future__ import annotations

from typing import Any

import testinfra.host
from testinfra.backend.base import BaseBackend, CommandResult

from kubeadm_py.transport.base import Host

DEFAULT_TIMEOUT = 60.0
"""Seconds that one command may take where the check does not say otherwise."""


class TransportBackend(BaseBackend):  # type: ignore[misc]  # testinfra is untyped
    """Run testinfra's commands as root through a `Host`; the command travels on standard input."""

    NAME = "kubeadm-py"

    def __init__(self, host: Host) -> None:
        super().__init__(host.name)
        self._transport = host
        # testinfra would ask Python on the host, which hosts need not have; our scripts set LC_ALL=C.
        self._encoding = "utf-8"

    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:
        """Run one command; `timeout` in seconds may be given.

        Raises what Host.run raises: UnreachableError, HostKeyError, WaitTimeoutError.
        """
        script = self.quote(command, *args)
        result = self._transport.run(script, timeout=kwargs.get("timeout", DEFAULT_TIMEOUT))
        return self.result(result.exit_code, script.encode(), result.stdout, result.stderr)

    def decode(self, data: bytes) -> str:
        """Decode output whatever it holds: a check must not die of another program's bytes."""
        return data.decode("utf-8", errors="replace")


def testinfra_host(host: Host) -> testinfra.host.Host:
    """Return a testinfra host that works through `host`."""
    backend = TransportBackend(host)
    wrapped = testinfra.host.Host(backend)
    backend.set_host(wrapped)
    return wrapped
