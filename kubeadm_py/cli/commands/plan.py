"""Define `plan` and its flags."""

from __future__ import annotations

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded
from kubeadm_py.errors import ExitCode


def plan(
    config: options.Config,
    ignore_preflight_errors: options.IgnorePreflight = None,
    format_: options.Format = "text",
    no_color: options.NoColor = False,
    allow_unknown_fields: options.AllowUnknown = False,
    verbosity: options.Verbosity = 0,
) -> None:
    """Say what apply would change, and why; changes nothing and takes no lock.

    Ends with exit code 4 where there is anything to do, else with 0. Files are shown as diffs, secrets as
    hashes; what somebody changed by hand since the last run is marked with !.
    """
    display = Display(format_, no_color, verbosity)

    def body() -> ExitCode:
        from kubeadm_py.cli.verbs import plan

        return plan.run(
            display,
            config=config,
            ignore=options.split(ignore_preflight_errors),
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)
