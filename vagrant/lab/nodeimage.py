"""Build the image that nodes start from, once for each version of its recipe."""

import hashlib
import shutil

from lab import debian, paths, tools
from lab.process import answers, run, say

_RECIPE = paths.VAGRANT / "node"
_REPOSITORY = "kubeadm-py-node"


def ensure() -> str:
    """Return the name of the node image, and build it if this recipe's is not there.

    The base is Debian's own packages where mmdebstrap is at hand, which needs no registry of images, else the
    official Debian image.
    """
    tag = f"{_REPOSITORY}:{_fingerprint()}"
    if answers(["docker", "image", "inspect", tag]):
        return tag
    say(f"building the node image {tag}")
    base = _debian_base() if shutil.which("apt-get") else f"debian:{debian.SUITE}"
    # The classic builder is in every engine; buildx is a package of its own.
    run(
        ["docker", "build", "--build-arg", f"BASE={base}", "--tag", tag, _RECIPE],
        env={"DOCKER_BUILDKIT": "0"},
    )
    return tag


def _fingerprint() -> str:
    shape = hashlib.sha256()
    for file in sorted(_RECIPE.iterdir()):
        shape.update(file.read_bytes())
    return shape.hexdigest()[:12]


def _packages() -> list[str]:
    return (_RECIPE / "packages.txt").read_text().split()


def _debian_base() -> str:
    packages = ",".join(_packages())
    tag = f"{_REPOSITORY}-base:{hashlib.sha256(packages.encode()).hexdigest()[:12]}"
    if not answers(["docker", "image", "inspect", tag]):
        tools.require("mmdebstrap")
        tar = paths.cache() / "built" / ".node-base.tar"
        tar.parent.mkdir(parents=True, exist_ok=True)
        run(["mmdebstrap", "--variant=minbase", f"--include={packages}", debian.SUITE, tar])
        run(["docker", "import", tar, tag])
        tar.unlink()
    return tag
