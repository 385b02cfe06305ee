"""Ask the API through kubectl on a control-plane host."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from kubeadm_py.model import paths
from kubeadm_py.verify.checks import fail

_END_OF_OBJECTS = "END-OF-OBJECTS"


class Output:
    """Hold how a script ended."""

    def __init__(self, exit_code: int, stdout: str, stderr: str) -> None:
        self.exit_code = exit_code
        self.stdout = stdout
        self.stderr = stderr

    @property
    def ok(self) -> bool:
        """Say whether it succeeded."""
        return self.exit_code == 0

    @property
    def lines(self) -> list[str]:
        """Return its errors, or what else it printed where it names none, a line each."""
        return _lines(self.stderr) or _lines(self.stdout)

    @property
    def said(self) -> str:
        """Return the first of its lines, for a message."""
        return " | ".join(self.lines[:3]) or f"exit code {self.exit_code}"


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


class Kubectl:
    """Run scripts on one control-plane host in which `k` is kubectl with the administrator's rights."""

    def __init__(self, host: Any, name: str, *, kubeconfig: str = paths.ADMIN_CONF) -> None:
        self._host = host
        self.name = name
        self._prelude = (
            f"k() {{ kubectl --kubeconfig {shlex.quote(kubeconfig)} --cache-dir {paths.KUBECTL_CACHE}"
            ' --request-timeout 20s "$@"; }\n'
            # A wait or a followed command outlives a request's timeout; it has a deadline of its own.
            f"kw() {{ kubectl --kubeconfig {shlex.quote(kubeconfig)} --cache-dir {paths.KUBECTL_CACHE}"
            ' "$@"; }\n'
        )

    def run(self, script: str, *, timeout: float = 60.0, title: str = "verify") -> Output:
        """Run a script; `timeout` is in seconds."""
        result = self._host.run(f"# {title}\n{self._prelude}{script}", timeout=timeout)
        return Output(result.rc, result.stdout, result.stderr)

    def json(self, *arguments: str) -> Any:
        """Return what `kubectl ARGUMENTS -o json` prints; raise CheckError where it fails."""
        command = f"k {shlex.join(arguments)} -o json"
        output = self.run(command)
        if not output.ok:
            raise fail(
                f"kubectl {shlex.join(arguments)}: {output.said}", host=self.name, look=self.look(*arguments)
            )
        return json.loads(output.stdout)

    def apply(self, objects: Sequence[Mapping[str, Any]]) -> None:
        """Create or change objects; raise CheckError where the API refuses one."""
        document = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        output = self.run(f"k apply -f - <<'{_END_OF_OBJECTS}'\n{document}\n{_END_OF_OBJECTS}\n")
        if not output.ok:
            raise fail(f"test objects cannot be made: {output.said}", host=self.name)

    def look(self, *arguments: str) -> str:
        """Return the command that a person types on the control plane to see the same."""
        return f"on {self.name}: kubectl {shlex.join(arguments)}"
