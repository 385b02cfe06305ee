"""Build shell text safely, and wrap a script so that it can travel on standard input."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

PREAMBLE = (
    "PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C\n"
    "export PATH LC_ALL\n"
    "umask 022\n"
    "cd /\n"
)
"""What every script may rely on, whatever the host's login shell, sudo or PAM made of the environment."""

ABSENT = 44
"""Exit code of `read_script` where there is no such file."""


def quote(word: str) -> str:
    """Quote one word for a POSIX shell."""
    return shlex.quote(word)


def join(words: Iterable[str]) -> str:
    """Quote words and join them to one command."""
    return shlex.join(words)


def title(script: str) -> str:
    """Return what a script is called in messages: its first comment line, else "a script".

    Only a comment is ever shown, so a message can never repeat a value that a script holds.
    """
    for line in script.splitlines():
        text = line.strip()
        if text.startswith("#") and not text.startswith("#!"):
            return text.lstrip("# ")[:80]
        if text and not text.startswith("#!"):
            break
    return "a script"


@dataclass(frozen=True, slots=True)
class Envelope:
    """Hold a script ready to travel: `bootstrap` is its `sh -c` argument, `payload` goes to standard input.

    The bootstrap writes `marker` as a line to standard error when it starts (so that what a login shell
    or sudo says can be told from what the script says), reads exactly the payload and evaluates it;
    the rest of standard input belongs to the script. A payload that was cut short is not run: half a
    script may do what the whole one never would.
    """

    bootstrap: str
    payload: bytes
    marker: bytes

    @classmethod
    def of(cls, script: str) -> Envelope:
        """Wrap `script`."""
        nonce = secrets.token_hex(8)
        end = f"#end-{nonce}"
        payload = f"{PREAMBLE}{script}\n{end}".encode()
        # No single quote, backslash or exclamation mark: the login shell may be any shell.
        bootstrap = (
            f"echo start-{nonce} >&2; s=$(head -c {len(payload)}); "
            f'case $s in *"{end}") eval "$s";; *) echo "the script arrived incomplete" >&2; exit 255;; esac'
        )
        return cls(bootstrap, payload, f"start-{nonce}\n".encode())


def chunks(payload: bytes, stdin: bytes | Iterable[bytes] | None) -> Iterator[bytes]:
    """Yield all that goes to standard input, in order."""
    yield payload
    if isinstance(stdin, bytes):
        yield stdin
    elif stdin is not None:
        yield from stdin


def read_script(path: str) -> str:
    """Return a script that prints a file; it exits with ABSENT where there is none."""
    name = quote(path)
    return f"# read {path}\nif [ ! -e {name} ]; then exit {ABSENT}; fi\nexec cat -- {name}"


def write_script(path: str, size: int, mode: int) -> str:
    """Return a script that makes a file of the `size` bytes on its standard input, owned by root.

    It writes beside the file and renames, so nobody ever sees half a file or a wrong mode, and leaves a
    file alone that is already so.
    """
    return f"""# write {path}
set -eu
target={quote(path)}
umask 077
temporary=$(mktemp "${{target%/*}}/.kubeadm-py.XXXXXXXX")
trap 'rm -f -- "$temporary"' EXIT
cat >"$temporary"
[ "$(wc -c <"$temporary")" -eq {size} ] || {{ echo "the content arrived incomplete" >&2; exit 1; }}
if [ -f "$target" ] && [ ! -L "$target" ] && cmp -s -- "$temporary" "$target" \\
  && [ "$(stat -c %a:%u:%g -- "$target")" = {mode:o}:0:0 ]; then exit 0; fi
chown 0:0 -- "$temporary"
chmod {mode:o} -- "$temporary"
sync -- "$temporary"
mv -fT -- "$temporary" "$target"
trap - EXIT
if command -v restorecon >/dev/null 2>&1; then restorecon -- "$target" || :; fi
"""
