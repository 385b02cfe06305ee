"""Ask both tools whether they take a config; the list of wanted differences says where they may disagree."""

from dataclasses import dataclass
from pathlib import Path

from kubeadm_py.config import load
from oracle import compare
from oracle.sandbox import CONFIG, Host, Sandbox


@dataclass(frozen=True)
class Verdicts:
    """Hold what each tool has against a config; nothing where it takes it."""

    kubeadm: str
    ours: tuple[str, ...]

    @property
    def unexplained(self) -> str:
        """Say how the two differ where no wanted difference explains it."""
        if self.kubeadm and not self.ours:
            return f"only kubeadm refuses: {self.kubeadm}"
        known = compare.refusals()
        if not self.kubeadm and not all(any(one.search(said) for one in known) for said in self.ours):
            return f"only we refuse: {self.ours}"
        return ""


def judge(config: str, sandbox: Sandbox, folder: Path) -> Verdicts:
    """Return both verdicts; `folder` is for the file."""
    file = folder / "config.yaml"
    file.write_text(config)
    host = Host(files={CONFIG: config.encode()})
    (ran,) = sandbox.run(host, ["kubeadm", "config", "validate", "--config", CONFIG]).ran
    said = [line.removeprefix("error: ") for line in ran.stderr.splitlines() if line.startswith("error: ")]
    try:
        load.load(str(file))
    except load.ConfigError as error:
        ours = tuple(f"{problem.path}: {problem.message}" for problem in error.problems)
    else:
        ours = ()
    return Verdicts("\n".join(said) if ran.code else "", ours)
