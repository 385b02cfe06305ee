"""Read a config file's text, refusing at once what cannot be one."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import IO

from kubeadm_py.config.defaults import MAX_FILE_BYTES
from kubeadm_py.config.problems import ConfigError, Problem

STDIN = "-"
STDIN_NAME = "<stdin>"

_NOT_YAML = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_EXPECTED = "a config is a YAML file of kubeadm's kinds and at most one Cluster document"


def source_name(path: str) -> str:
    """Return the name by which messages call the file."""
    return STDIN_NAME if path == STDIN else path


def read_text(path: str, stdin: IO[bytes] | None = None) -> str:
    """Return the file's text; raise ConfigError naming the file where it is not readable text."""
    name = source_name(path)
    content = _read(path, name, stdin)
    if len(content) > MAX_FILE_BYTES:
        limit = f"{MAX_FILE_BYTES >> 20} MiB"
        raise refusal(name, f"larger than {limit}, the limit for a config; {_EXPECTED}")
    content = content.removeprefix(codecs.BOM_UTF8)
    if b"\0" in content:
        raise refusal(name, f"a binary file; {_EXPECTED}", content[: content.index(b"\0")])
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        message = f"not UTF-8 text: byte 0x{content[error.start]:02x}; save the file as UTF-8"
        raise refusal(name, message, content[: error.start]) from None
    unprintable = _NOT_YAML.search(text)
    if unprintable is not None:
        message = f"control character U+{ord(unprintable[0]):04X}, which YAML does not allow; {_EXPECTED}"
        raise refusal(name, message, text[: unprintable.start()].encode())
    return text


def _read(path: str, name: str, stdin: IO[bytes] | None) -> bytes:
    if path == STDIN:
        if stdin is None:
            raise refusal(name, "no standard input to read the config from")
        return stdin.read(MAX_FILE_BYTES + 1)
    if not path:
        raise refusal("--config", "the file's name is empty")
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise refusal(name, "no such file") from None
    except IsADirectoryError:
        raise refusal(name, "a directory; name the config file in it") from None
    except PermissionError:
        raise refusal(name, "may not be read by this user; check its owner and mode (ls -l)") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise refusal(name, f"cannot be read: {reason}") from None


def refusal(name: str, message: str, before: bytes | None = None) -> ConfigError:
    """Return the error for a file that is refused as a whole, at the place where `before` ends."""
    if before is None:
        return ConfigError(name, [Problem(name, 0, 0, "", message)])
    line = before.count(b"\n") + 1
    column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
    return ConfigError(name, [Problem(name, line, column, "", message)])
