"""Build the image that nodes start from, once for each version of its recipe."""

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lab import debian, paths, tools
from lab.process import answers, run, say

_RECIPE = paths.VAGRANT / "node"
_REPOSITORY = "kubeadm-py-node"
_PACKAGES = "packages.txt"
_BASE_WITHIN = 1800.0
"""Seconds; it is 50 on a machine that does nothing else."""


def ensure(packages: Sequence[str] = ()) -> str:
    """Return the name of the node image, and build it if this recipe's is not there.

    `packages` are installed beside the recipe's. The base is Debian's own where mmdebstrap is at hand,
    which needs no registry of images, else the official Debian image.
    """
    with tempfile.TemporaryDirectory(prefix="node-image-") as work:
        recipe = Path(work)
        shutil.copytree(_RECIPE, recipe, dirs_exist_ok=True)
        with (recipe / _PACKAGES).open("a") as file:
            file.writelines(f"{name}\n" for name in packages)
        return _ensure(recipe)


def _ensure(recipe: Path) -> str:
    tag = f"{_REPOSITORY}:{_fingerprint(recipe)}"
    if answers(["docker", "image", "inspect", tag]):
        return tag
    say(f"building the node image {tag}")
    packages = (recipe / _PACKAGES).read_text().split()
    base = _debian_base(packages) if shutil.which("apt-get") else f"debian:{debian.SUITE}"
    # The classic builder is in every engine; buildx is a package of its own.
    run(
        ["docker", "build", "--build-arg", f"BASE={base}", "--tag", tag, recipe],
        env={"DOCKER_BUILDKIT": "0"},
    )
    return tag


def _fingerprint(recipe: Path) -> str:
    shape = hashlib.sha256()
    for file in sorted(recipe.iterdir()):
        shape.update(file.read_bytes())
    return shape.hexdigest()[:12]


def _debian_base(names: Sequence[str]) -> str:
    packages = ",".join(names)
    tag = f"{_REPOSITORY}-base:{hashlib.sha256(packages.encode()).hexdigest()[:12]}"
    if not answers(["docker", "image", "inspect", tag]):
        tools.require("mmdebstrap")
        with tempfile.TemporaryDirectory(prefix=".node-base-", dir=_scratch()) as work:
            tar = Path(work, "base.tar")
            include = f"--include={packages}"
            run(["mmdebstrap", "--variant=minbase", include, debian.SUITE, tar], timeout=_BASE_WITHIN)
            run(["docker", "import", tar, tag])
    return tag


def _scratch() -> Path:
    folder = paths.cache() / "built"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
