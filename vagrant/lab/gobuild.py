"""Build components from their Go modules, one after the other, each version once."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from lab import paths
from lab.components import Component
from lab.process import LabError, say


def built(component: Component) -> Path:
    """Return the folder of the component's binaries, whether or not they are there yet."""
    return paths.cache() / "built" / component.name / component.key


def build(component: Component) -> Path:
    """Build the component's missing binaries and return their folder.

    Every binary appears under its final name only when it is complete, so a broken run leaves no half.
    """
    folder = built(component)
    missing = {name: package for name, package in component.binaries.items() if not (folder / name).is_file()}
    if not missing:
        return folder
    started = time.monotonic()
    say(f"building {component.name} {component.version}: {', '.join(missing)}")
    folder.mkdir(parents=True, exist_ok=True)
    wrapper = _wrapper(component)
    for name, package in missing.items():
        unfinished = folder / f".{name}"
        flags = ["-mod=mod", "-trimpath", "-ldflags", component.linker_flags, "-o", str(unfinished)]
        _go(["build", *flags, package], wrapper, cgo=component.cgo)
        unfinished.rename(folder / name)
    shutil.rmtree(wrapper)
    say(f"built {component.name} in {time.monotonic() - started:.0f} s")
    return folder


def forget_sources() -> None:
    """Delete the module and build caches, which are several times the size of what came out of them."""
    work = _work()
    if work.exists():
        # The go command makes its module cache read-only.
        for folder, _, _ in os.walk(work):
            Path(folder).chmod(0o755)
        shutil.rmtree(work)


def _work() -> Path:
    return paths.cache() / "go"


def _wrapper(component: Component) -> Path:
    """Write the module that pins the component, and let Go resolve it."""
    folder = _work() / "wrappers" / component.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lines = [f"module lab/{component.name}", ""]
    lines += [f"replace {module} => {target}" for module, target in component.replace.items()]
    (folder / "go.mod").write_text("\n".join(lines) + "\n")
    imports = "\n".join(f'\t_ "{package}"' for package in component.binaries.values())
    (folder / "tools.go").write_text(f"//go:build tools\n\npackage tools\n\nimport (\n{imports}\n)\n")
    _go(["get", *[f"{module}@{component.version}" for module in component.modules]], folder)
    return folder


def _go(argv: list[str], folder: Path, *, cgo: bool = False) -> None:
    environment = {
        "CGO_ENABLED": "1" if cgo else "0",
        "GOFLAGS": "-buildvcs=false",
        "GOTOOLCHAIN": "auto",
        "GOWORK": "off",
        "GOMODCACHE": str(_work() / "modules"),
        "GOCACHE": str(_work() / "builds"),
    }
    done = subprocess.run(
        ["go", *argv],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise LabError(f"go {argv[0]} in {folder} failed\n{done.stderr.strip()[-3000:]}")
