"""Record what real kubeadm makes of the patches in cases.yaml: `python record.py KUBEADM`.

Only dry runs, which write into a folder of their own. Run it as root, as kubeadm wants it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from differing import differences  # noqa: E402

CONFIG = HERE / "config.yaml"
PHASES = (("control-plane", "all", "--dry-run"), ("kubelet-start", "--dry-run"))
FILES = {
    "kube-apiserver": "kube-apiserver.yaml",
    "kube-scheduler": "kube-scheduler.yaml",
    "kubeletconfiguration": "config.yaml",
}


def run(kubeadm: str, folder: Path, files: dict[str, str]) -> dict[str, Any] | None:
    """Return the objects of one dry run by target, None where kubeadm refuses the patches."""
    patches, out = folder / "patches", folder / "out"
    out.mkdir(parents=True)
    patches.mkdir()
    for name, text in files.items():
        (patches / name).parent.mkdir(exist_ok=True)
        (patches / name).write_text(text)
    config = folder / "config.yaml"
    config.write_text(CONFIG.read_text().replace("directory: patches", f"directory: {patches}"))
    environment = {**os.environ, "KUBEADM_INIT_DRYRUN_DIR": str(out)}
    printed = ""
    for phase in (*PHASES, ("addon", "coredns", "--print-manifest")):
        command = [kubeadm, "init", "phase", *phase, "--config", str(config)]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if ended.returncode:
            return None
        printed = ended.stdout
    manifests = "\n".join(line for line in printed.splitlines() if not line.startswith("[patches]"))
    documents = [item for item in yaml.safe_load_all(manifests.replace("---api", "---\napi")) if item]
    (deployment,) = [item for item in documents if item["kind"] == "Deployment"]
    read = {target: yaml.safe_load((out / name).read_text()) for target, name in FILES.items()}
    return {**read, "corednsdeployment": deployment}


def main(kubeadm: str) -> None:
    """Write recorded.yaml."""
    recorded: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        base = run(kubeadm, Path(folder) / "base", {})
        assert base is not None, "kubeadm refuses config.yaml"
        for index, (name, files) in enumerate(yaml.safe_load((HERE / "cases.yaml").read_text()).items()):
            made = run(kubeadm, Path(folder) / str(index), files)
            recorded[name] = "refused" if made is None else dict(differences(base, made))
    text = yaml.safe_dump(recorded, sort_keys=False, width=110)
    (HERE / "recorded.yaml").write_text(f"# Written by record.py with kubeadm 1.36.3.\n{text}")


if __name__ == "__main__":
    main(sys.argv[1])
