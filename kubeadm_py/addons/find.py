"""Find an add-on: one that comes with the product, a folder in its format, or plain manifests."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from kubeadm_py import assets
from kubeadm_py.addons import plain
from kubeadm_py.addons.schema import Addon
from kubeadm_py.errors import UsageError
from kubeadm_py.local_path import expanded

DEFINITION = "addon.yaml"


@dataclass(frozen=True, slots=True)
class LoadedAddon:
    """Hold an add-on and the folder it came from."""

    addon: Addon
    folder: Path
    manifests: tuple[Mapping[str, Any], ...] | None = None
    """The objects of plain manifests, which nothing is put into; None: templates in the folder."""


def is_path(name: str) -> bool:
    """Say whether an add-on is named by a path to its folder or manifest."""
    return "/" in name or name.startswith(("~", "."))


def is_known(name_or_path: str) -> bool:
    """Say whether it is a path, or a name or alias of what comes with the product; cheaper than a refusal."""
    return is_path(name_or_path) or name_or_path in names() or name_or_path in aliases()


def load(name_or_path: str) -> LoadedAddon:
    """Return the add-on of that name or alias, or the one at that path.

    A value with a slash is a path; raise UsageError where nothing is there or it is wrong.
    """
    if is_path(name_or_path):
        return _at(expanded(name_or_path), name_or_path)
    if name_or_path in names():
        return _shipped(name_or_path)
    if name_or_path in aliases():
        return _shipped(aliases()[name_or_path])
    known = [*names(), *aliases()]
    close = difflib.get_close_matches(name_or_path, known, 1)
    hint = f"did you mean {close[0]}?" if close else "one of: " + ", ".join(names())
    raise UsageError(f"add-on {name_or_path!r} is not known", fix=hint)


def available() -> list[Addon]:
    """Return the add-ons that come with the product, by name."""
    return [load(name).addon for name in names()]


@cache
def names() -> tuple[str, ...]:
    """List the names of what comes with the product."""
    return tuple(sorted(path.parent.name for path in assets.folder("addons").glob(f"*/{DEFINITION}")))


@cache
def aliases() -> Mapping[str, str]:
    """Return the other names of what comes with the product: alias -> name."""
    return {alias: addon.name for addon in available() for alias in addon.aliases}


def _at(path: Path, written: str) -> LoadedAddon:
    if (path / DEFINITION).is_file():
        return _read(path)
    manifests = plain.files(path)
    if not manifests:
        raise UsageError(
            f"add-on {written}: no {DEFINITION} and no manifest (*.yaml, *.yml, *.json) there",
            fix=f"name a folder with {DEFINITION} and manifests/, one with manifests, or one of: "
            + ", ".join(names()),
        )
    objects = plain.read(manifests)
    return LoadedAddon(plain.describe(path, objects), path, tuple(objects))


@cache
def _shipped(name: str) -> LoadedAddon:
    return _read(assets.folder("addons") / name)


def _read(folder: Path) -> LoadedAddon:
    path = folder / DEFINITION
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
        addon = Addon.model_validate(document)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read as YAML", details=str(error).splitlines()) from error
    except ValidationError as error:
        details = [
            f"{'.'.join(str(part) for part in problem['loc']) or 'document'}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise UsageError(f"{path} is not a valid add-on", details=details) from error
    return LoadedAddon(addon, folder)
