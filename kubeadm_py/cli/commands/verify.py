"""Define `verify` and its flags."""

from __future__ import annotations

from typing import Annotated

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded
from kubeadm_py.errors import ExitCode


def verify(
    config: options.Config,
    level: Annotated[
        str,
        options.our_option(
            help="hosts, cluster or workloads; each includes the ones before.", metavar="LEVEL"
        ),
    ] = "cluster",
    read_only: Annotated[bool, options.our_option("--read-only", help="Only look: start no pods.")] = False,
    junit: Annotated[str, options.our_option(help="Write a JUnit report to this file.", metavar="FILE")] = "",
    json_: Annotated[
        str, options.our_option("--json", help="Write a JSON report to this file.", metavar="FILE")
    ] = "",
    format_: options.Format = "text",
    no_color: options.NoColor = False,
    allow_unknown_fields: options.AllowUnknown = False,
    verbosity: options.Verbosity = 0,
) -> None:
    """Prove the live cluster with a testinfra suite."""
    display = Display(format_, no_color, verbosity)

    def body() -> ExitCode:
        from kubeadm_py.cli.verbs import verify

        return verify.run(
            display,
            config=config,
            level=level,
            read_only=read_only,
            junit=junit,
            json=json_,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)
