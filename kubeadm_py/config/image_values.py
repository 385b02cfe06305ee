"""Check the parts of image references."""

from __future__ import annotations

import re
from typing import Annotated

from kubeadm_py.config.problems import show
from kubeadm_py.config.scalars import given

_IMAGE_PATH = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*\Z")
_IMAGE_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])"
    r"(?::[0-9]{1,5})?\Z"
)
_IMAGE_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")


def image_repository(value: str) -> str:
    """Return an image reference's prefix: registry and path, no scheme, tag or digest."""
    if "://" in value:
        raise ValueError(
            f"{show(value)} is a URL; write the registry without {value.partition('://')[0][:10]}://"
        )
    first, *others = value.split("/")
    # As in Docker's references: the first part is a registry only if it could not be a path.
    host_like = "." in first or ":" in first or (bool(others) and not _IMAGE_PATH.match(first))
    parts = others if host_like else [first, *others]
    if (host_like and not _IMAGE_HOST.match(first)) or not all(_IMAGE_PATH.match(part) for part in parts):
        raise ValueError(
            f"{show(value)} is not an image repository like registry.example.org:5000/k8s "
            "(no scheme, tag or digest)"
        )
    return value


def image_tag(value: str) -> str:
    """Return an image's tag."""
    if not _IMAGE_TAG.match(value):
        raise ValueError(f"{show(value)} is not an image tag")
    return value


ImageRepository = Annotated[str, given(image_repository)]
ImageTag = Annotated[str, given(image_tag)]
