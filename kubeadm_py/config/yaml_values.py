"""Write single values of a config."""

from __future__ import annotations

import yaml

from kubeadm_py.config.problems import ConfigError
from kubeadm_py.config.yaml_nodes import Scalar, read_stream


def scalar(content: Scalar, raw: str = "") -> str:
    """Return a scalar so that kubeadm and we read back the same; `raw` is a number as it was given."""
    if isinstance(content, bool):
        return str(content).lower()
    if isinstance(content, int | float):
        return raw or str(content)
    text = str(content)
    bare = yaml.safe_dump(text, allow_unicode=True, width=1 << 30).removesuffix("\n...\n").strip("\n")
    if "\n" not in bare and _read_back(bare) == text:
        return bare
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=1 << 30).strip("\n")


def _read_back(written: str) -> object:
    try:
        stream = read_stream(f"k: {written}\n", "")
    except ConfigError:
        return None
    mapping = stream.documents[0].value
    return mapping["k"].node.value if isinstance(mapping, dict) and "k" in mapping else None
