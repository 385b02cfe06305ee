"""Merge what the config adds to a component with its defaults: flags and environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kubeadm_py.model.components import Arg
from kubeadm_py.model.facts import WITHHELD_USER


def flags(defaults: Mapping[str, str], extra: Sequence[Arg]) -> list[str]:
    """Return `--name=value` flags: defaults sorted by name, then the extra ones in the user's order.

    An extra flag replaces every default of its name; repeated extra flags all stay.
    """
    overridden = {arg.name for arg in extra}
    merged = [f"--{name}={defaults[name]}" for name in sorted(defaults) if name not in overridden]
    merged += [f"--{arg.name}={arg.value}" for arg in extra]
    return merged


def extra_value(extra: Iterable[Arg], name: str) -> str | None:
    """Return the value of the last extra flag called `name`, the one a component obeys."""
    return next((arg.value for arg in reversed(tuple(extra)) if arg.name == name), None)


def proxy_variables(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the variables whose name ends in _proxy, in any case, sorted, as core/v1 EnvVars.

    A URL with a password is left out: nobody told it to us, and who may read pods would read it there.
    """
    return [
        {"name": name, "value": value}
        for name, value in sorted(environment.items())
        if name.lower().endswith("_proxy") and value and WITHHELD_USER not in value
    ]


def merge_variables(*sources: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Merge lists of core/v1 EnvVars, later ones over earlier ones of the same name, sorted by name."""
    merged = {variable["name"]: variable for source in sources for variable in source}
    return [environment_variable(merged[name]) for name in sorted(merged)]


def environment_variable(variable: Mapping[str, Any]) -> dict[str, Any]:
    """Return a core/v1 EnvVar as Go writes it: an empty value is left out."""
    return {key: value for key, value in variable.items() if value}
