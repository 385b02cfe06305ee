"""Empty directories that stay, for they are not ours."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, RunScript

# What is mounted in one of them stays, and so does a disk that is mounted there itself.
_EMPTY = """cleared=
for directory in {directories}; do
  for entry in "$directory"/* "$directory"/.[!.]* "$directory"/..?*; do
    if [ -e "$entry" ] || [ -L "$entry" ]; then
      kpy_remove "$entry"
      cleared=1
    fi
  done
done
[ -n "$cleared" ] || echo unchanged"""


def empty(directories: Sequence[str], title: str) -> Action:
    """Return what removes all that is in these directories; raise KubeadmPyError for one of the system's."""
    for path in directories:
        if not path.startswith("/") or paths.is_systems(path):
            raise KubeadmPyError(
                f"refused to empty {path!r}: the whole system keeps its files there",
                fix="name the directory that holds the cluster's files alone",
            )
    return RunScript(title, _EMPTY.format(directories=shlex.join(directories)))
