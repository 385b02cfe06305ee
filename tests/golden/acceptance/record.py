"""Put every case to real kubeadm and name those whose verdict is another: `python record.py KUBEADM`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from cases import fields, files, texts


def main(kubeadm: str) -> int:
    """Return 1 where a recorded verdict does not hold."""
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        for case in (*fields(), *files(), *texts()):
            config.write_text(case.text)
            command = [kubeadm, "config", "validate", "--config", str(config)]
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
            if (ended.returncode == 0) != case.kubeadm_accepts:
                wrong += 1
                sys.stdout.write(f"{case.name}: {ended.stderr.strip() or ended.stdout.strip()}\n")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
