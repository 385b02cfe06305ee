"""Take our images out of a containerd that is somebody else's and goes on running."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from kubeadm_py.model.actions import RunScript

# The runtime gives each image a second name, its id, which keeps the bytes once the first is gone. An image
# that somebody else has under another name keeps it.
_REMOVE = """held() { ctr -n k8s.io images ls 2>/dev/null | awk 'NR > 1 { print $1, $3 }'; }
before=$(held)
for image in @IMAGES@; do
  ctr -n k8s.io images rm "$image" >/dev/null 2>&1 || true
done
{ printf '%s\\n' "$before"; echo; held; } | awk '
  !NF { after = 1; next }
  !after { was[$1] = $2; next }
  { kept[$1] }
  $1 ~ /^sha256:/ { id[$2] = $1; next }
  { named[$2] }
  END {
    for (name in was)
      if (!(name in kept) && was[name] in id && !(was[name] in named)) print id[was[name]]
  }' | sort -u | while read -r image; do
  ctr -n k8s.io images rm "$image" >/dev/null 2>&1 || true
done"""


def remove(references: Iterable[str]) -> RunScript:
    """Remove images, and what the runtime itself calls them, where nobody else has a name for them."""
    return RunScript("remove the images", _REMOVE.replace("@IMAGES@", shlex.join(sorted(references))))
