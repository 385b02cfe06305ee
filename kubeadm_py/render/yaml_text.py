"""Write YAML that every reader of a cluster takes the same way: Python, Go, YAML 1.1 and 1.2."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import yaml
from yaml.resolver import Resolver

_GO_READS_AS_OTHER = re.compile(
    r"""^(?:
        [yYnN] | ~ | <<
      | [-+]?(?:0[xX][0-9a-fA-F_]+ | 0[oO]?[0-7_]+ | 0[bB][01_]+)
      | [-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)? | \.[0-9_]+)(?:[eE][-+]?[0-9]+)?
      | [-+]?\.(?:inf|Inf|INF) | \.(?:nan|NaN|NAN)
    )$""",
    re.VERBOSE,
)
"""Texts that PyYAML leaves plain though Go's YAML library reads a number, a boolean or a merge key."""

_BREAKS_BUT_NOT_EVERYWHERE = re.compile("[\r\x85\u2028\u2029\ufeff]")
"""Line breaks of YAML 1.1 that 1.2 reads as text, and the byte order mark: escaped, never raw."""

_RESOLVER = Resolver()
_STRING = "tag:yaml.org,2002:str"
_UNLIMITED = 1 << 30


class _BlockDumper(yaml.CSafeDumper):
    """Write block YAML as kubeadm does."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the name is PyYAML's
        """Write a value out wherever it occurs: manifests have no anchors."""
        return True


class _FlowDumper(_BlockDumper):
    """Write one value on one line, every string in double quotes."""


def _represent_text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    plain = str(text)
    if _BREAKS_BUT_NOT_EVERYWHERE.search(plain):
        return dumper.represent_scalar(_STRING, plain, style='"')
    if "\n" in plain:
        return dumper.represent_scalar(_STRING, plain, style="|")
    return dumper.represent_scalar(_STRING, plain, style='"' if _reads_as_other(plain) else None)


@lru_cache(maxsize=10_000)
def _reads_as_other(plain: str) -> bool:
    """Say whether some reader takes the text, written without quotes, for something else than text."""
    read_as = _RESOLVER.resolve(yaml.ScalarNode, plain, (True, False))  # type: ignore[no-untyped-call]
    return read_as != _STRING or _GO_READS_AS_OTHER.match(plain) is not None


def _represent_quoted(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(_STRING, str(text), style='"')


_BlockDumper.add_representer(str, _represent_text)
_BlockDumper.add_multi_representer(str, _represent_text)
_FlowDumper.add_representer(str, _represent_quoted)
_FlowDumper.add_multi_representer(str, _represent_quoted)


def dump(value: object, *, sort_keys: bool = True) -> bytes:
    """Return `value` as a YAML document in kubeadm's style; equal values give equal bytes.

    Strings that some reader would take for a boolean, a number or null are quoted.
    """
    text: str = yaml.dump(
        value,
        Dumper=_BlockDumper,
        sort_keys=sort_keys,
        default_flow_style=False,
        allow_unicode=True,
        width=_UNLIMITED,
    )
    return text.encode()


def inline(value: object) -> str:
    """Return `value` as YAML on one line that can stand wherever a template needs a value."""
    text: str = yaml.dump(
        value, Dumper=_FlowDumper, sort_keys=False, default_flow_style=True, width=_UNLIMITED
    )
    return text.removesuffix("...\n").rstrip("\n")
