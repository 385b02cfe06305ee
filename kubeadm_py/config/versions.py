"""Resolve kubernetesVersion without asking the network."""

from __future__ import annotations

import re

from kubeadm_py.config import defaults
from kubeadm_py.config.problems import Path, Place, Problems, show
from kubeadm_py.model.versions import DEFAULT_VERSION, RELEASES, Version

KUBERNETES_VERSION: Path = ("kubernetesVersion",)
_MINOR_LABEL = re.compile(r"stable-(\d{1,3}\.\d{1,3})\Z", re.ASCII)
_LONGEST = 64


def resolve_version(place: Place, text: str, problems: Problems) -> Version:
    """Return the version that `text` means: exact, `stable`, `stable-1`, `stable-1.36` or absent.

    Labels give the table's default patch, with a warning that says so; anything else is a problem.
    """
    default = Version.parse(DEFAULT_VERSION)
    known = ", ".join(RELEASES)
    if not text:
        return default
    label = _MINOR_LABEL.match(text)
    minor = label[1] if label else default.minor_text
    if text in defaults.VERSION_LABELS or (label and minor in RELEASES):
        version = Version.parse(RELEASES[minor].default_patch)
        message = f"{text} is read as {version}: kubeadm-py does not look versions up on the network"
        problems.warning(place, KUBERNETES_VERSION, message)
        return version
    plain = text.isascii() and not any(character.isspace() for character in text) and len(text) <= _LONGEST
    try:
        version = Version.parse(text if plain else "")
    except ValueError:
        accepted = f"an exact version of {known}, like {DEFAULT_VERSION}, or stable"
        problems.error(place, KUBERNETES_VERSION, f"{show(text)} is not accepted: {accepted}")
        return default
    if version.minor_text not in RELEASES:
        problems.error(
            place, KUBERNETES_VERSION, f"{version} is of a minor release that is not known: one of {known}"
        )
        return default
    return version
