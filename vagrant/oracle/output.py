"""Record what kubectl makes of objects with -o: kubeadm prints with the same library."""

import subprocess
from pathlib import Path
from typing import Any

import yaml
from lab import gobuild
from lab.components import load

from oracle.cases import CASES

FOLDER = CASES.parent / "output"
TEMPLATES = FOLDER / "templates.yaml"
RECORDED = FOLDER / "recorded.yaml"
STRICT = {"strict": "jsonpath", "strict-template": "go-template"}
"""Forms that are given with --allow-missing-template-keys=false."""


def main() -> None:
    """Write the recording."""
    kubectl = gobuild.build(load()["kubernetes"]) / "kubectl"
    wanted = yaml.safe_load(TEMPLATES.read_text(encoding="utf-8"))
    recorded = {
        name: {
            form: {text: _printed(kubectl, name, form, text) for text in texts}
            for form, texts in forms.items()
        }
        for name, forms in wanted.items()
    }
    text = yaml.safe_dump(recorded, sort_keys=False, allow_unicode=True, width=110)
    RECORDED.write_text(f"# Written by `make oracle`.\n{text}", encoding="utf-8")


def _printed(kubectl: Path, name: str, form: str, text: str) -> dict[str, Any]:
    """Let kubectl print an object that it changes nothing of."""
    output = text if form == text else f"{STRICT.get(form, form)}={text}"
    strict = [f"--allow-missing-template-keys={str(form not in STRICT).lower()}"]
    change = ["label", "--local", "--overwrite", "-f", str(FOLDER / f"{name}.yaml"), "app=web"]
    ran = subprocess.run(
        [str(kubectl), *change, "-o", output, *strict], capture_output=True, text=True, check=False
    )
    return {"printed": ran.stdout} if ran.returncode == 0 else {"refused": ran.stderr.splitlines()[0]}
