"""Become root on a host: the command line, and what it means when that is refused."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from kubeadm_py.errors import KubeadmPyError, PreflightError
from kubeadm_py.model.secret import Secret
from kubeadm_py.transport.output import Output
from kubeadm_py.transport.script import quote


@dataclass(frozen=True, slots=True)
class Become:
    """Say how `user` becomes root: not at all (`sudo` False), by sudo alone, or by sudo with a password."""

    user: str
    sudo: bool
    password: Secret | None = None
    nonce: str = field(default_factory=lambda: f"kubeadm-py-{secrets.token_hex(8)}:")

    @property
    def prompt(self) -> bytes:
        """Return what sudo asks with; nothing else on the host can say it by chance."""
        return self.nonce.encode()

    def argv(self, bootstrap: str) -> list[str]:
        """Return the words that run `bootstrap` by `sh -c` as root."""
        shell = ["sh", "-c", bootstrap]
        if not self.sudo:
            return shell
        if self.password is None:
            return ["sudo", "-n", "-H", "--", *shell]
        # -k: ask although sudo remembers an earlier answer, so that there is one way this can go.
        return ["sudo", "-k", "-S", "-H", "-p", self.nonce, "--", *shell]

    def command(self, bootstrap: str) -> str:
        """Return the same as one command line for a login shell of any kind."""
        return "exec " + " ".join(quote(word) for word in self.argv(bootstrap))


def refused(host: str, become: Become, exit_code: int, output: Output) -> KubeadmPyError:
    """Return the error for a shell that never started; `exit_code` is negative where it is still waiting."""
    said = tuple(filter(None, (line.replace(become.nonce, "").strip() for line in output.words_before())))
    text = "\n".join(said).lower()
    rule = f"{become.user} ALL=(ALL) NOPASSWD: ALL"
    if not become.sudo or "account is currently not available" in text:
        return PreflightError(
            f"the login shell of {become.user} starts no command (exit {exit_code})",
            host=host,
            details=said,
            fix=f"give {become.user} a shell that runs commands: chsh -s /bin/sh {quote(become.user)}",
        )
    if "must have a tty" in text:
        return PreflightError(
            "sudo wants a terminal (requiretty)",
            host=host,
            details=said,
            fix=f"add to /etc/sudoers.d/{become.user} with visudo: Defaults:{become.user} !requiretty",
        )
    if become.password is not None and output.preface.count(become.prompt) > 1:
        return PreflightError(
            f"sudo did not take the password of {become.user}",
            host=host,
            details=said,
            fix="correct the file that ssh.sudoPasswordFile names",
        )
    if "password is required" in text or "no tty present" in text:
        return PreflightError(
            f"sudo wants a password of {become.user}, and none is configured",
            host=host,
            details=said,
            fix=f"set ssh.sudoPasswordFile, or add with visudo: {rule}",
        )
    if "not in the sudoers" in text or "not allowed to" in text or "may not run sudo" in text:
        return PreflightError(
            f"{become.user} may not become root with sudo",
            host=host,
            details=said,
            fix=f"add with visudo: {rule}",
        )
    if "not found" in text or exit_code == 127:
        return PreflightError(
            f"there is no sudo, and {become.user} is not root",
            host=host,
            details=said,
            fix="install sudo, or log in as root (ssh.user: root)",
        )
    if exit_code < 0:
        return PreflightError(
            "sudo asks for something that is not the password, or does not answer",
            host=host,
            details=said,
            fix=f"let {become.user} use sudo with a password alone, or with none: {rule}",
        )
    return PreflightError(
        f"sudo does not start a shell (exit {exit_code})",
        host=host,
        details=said,
        fix=f"add with visudo: {rule}",
    )
