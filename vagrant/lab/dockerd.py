"""Have a Docker engine: the machine's own where one answers, else one that the lab starts and stops."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from lab import paths, tools
from lab.process import LabError, answers, run, say

_RUN = Path("/run/kubeadm-py-lab")
_PID_FILE = _RUN / "dockerd.pid"
_CONTAINERD_PID_FILE = _RUN / "exec" / "containerd" / "containerd.pid"
_STARTS_WITHIN = 60.0
_STOPS_WITHIN = 60.0

_child: subprocess.Popen[bytes] | None = None
"""The engine, where this process started it: Python complains of a running child that is forgotten."""


def require() -> None:
    """Make sure that an engine answers, and start one where nothing else is in charge of that."""
    if _answers():
        return
    if Path("/run/systemd/system").exists():
        raise LabError("the Docker engine does not answer; start it (systemctl start docker), then again")
    if os.geteuid() != 0:
        raise LabError("no Docker engine answers, and starting one takes root")
    # A machine may have the client alone, for an engine elsewhere.
    tools.require("dockerd")
    _start()


def started_by_us() -> bool:
    """Say whether the running engine is the lab's own."""
    return _pid() is not None


def stop() -> None:
    """Stop the engine if the lab started it and nothing runs in it any more."""
    pid = _pid()
    if pid is None:
        _tidy()
        return
    if _answers() and run(["docker", "ps", "--quiet"]).strip():
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOPS_WITHIN
    while _pid() is not None:
        if time.monotonic() > deadline:
            raise LabError(f"dockerd (pid {pid}) has not stopped after {_STOPS_WITHIN:.0f} s; log: {_log()}")
        time.sleep(0.1)
    if _child is not None:
        _child.poll()
    _tidy()
    say("stopped dockerd")


def _answers() -> bool:
    return answers(["docker", "version", "--format", "{{.Server.Version}}"], timeout=20)


def _start() -> None:
    _RUN.mkdir(parents=True, exist_ok=True)
    # What was killed leaves its file, and while it is a zombie the next engine waits for it or refuses.
    for file, program in ((_PID_FILE, "dockerd"), (_CONTAINERD_PID_FILE, "containerd")):
        if _alive(file, program) is None:
            file.unlink(missing_ok=True)
    command = [
        "dockerd",
        "--storage-driver=overlay2",
        f"--data-root={_data()}",
        f"--exec-root={_RUN / 'exec'}",
        f"--pidfile={_PID_FILE}",
        # The nodes talk to this machine and to each other, and to nobody else: no NAT, no forwarding,
        # so nothing of the machine's own packet filter changes and nothing has to be restored.
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
        "--ip-masq=false",
        "--userland-proxy=false",
    ]
    log = _log()
    log.parent.mkdir(parents=True, exist_ok=True)
    say(f"starting dockerd (log: {log})")
    global _child
    with log.open("ab") as output:
        process = _child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    deadline = time.monotonic() + _STARTS_WITHIN
    while not _answers():
        if process.poll() is not None:
            raise LabError(f"dockerd ended with {process.returncode}\n{_tail(log)}")
        if time.monotonic() > deadline:
            process.terminate()
            raise LabError(f"dockerd does not answer after {_STARTS_WITHIN:.0f} s\n{_tail(log)}")
        time.sleep(0.2)


def _pid() -> int | None:
    return _alive(_PID_FILE, "dockerd")


def _alive(pid_file: Path, program: str) -> int | None:
    """Return the process id in a file, if it is that program's: a stale file may name somebody else's."""
    try:
        pid = int(pid_file.read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return None
    return pid if name == program and state != "Z" else None


def _tidy() -> None:
    """Remove what an engine of ours leaves in /run: mounts of network namespaces, and empty folders."""
    if not _RUN.exists():
        return
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in reversed(mounts):
        if mount.startswith((f"{_RUN}/", str(_data()))):
            # Lazily: what a killed engine left running may still stand in it.
            run(["umount", "--lazy", mount])
    shutil.rmtree(_RUN, ignore_errors=True)
    for folder in ("/run/docker/plugins", "/run/docker", "/run/containerd/s", "/run/containerd"):
        # Whoever else uses them has something in them.
        with contextlib.suppress(OSError):
            Path(folder).rmdir()


def _data() -> Path:
    return paths.cache() / "dockerd"


def _log() -> Path:
    return paths.cache() / "dockerd.log"


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
