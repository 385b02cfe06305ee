"""Hold a host for the time of a run: its lock, its facts, its inventory."""

from __future__ import annotations

import getpass
import secrets
import shlex
import socket
import time
from dataclasses import dataclass, field

from kubeadm_py.engine import pulse
from kubeadm_py.engine.pulse import Pulse
from kubeadm_py.errors import KubeadmPyError, LockedError, UnreachableError
from kubeadm_py.facts.collect import PROBE_MARKER
from kubeadm_py.facts.parse import parse
from kubeadm_py.model import paths
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.model.node import Node
from kubeadm_py.transport.base import Held, Host

LOCKED_EXIT = 75
"""sysexits' EX_TEMPFAIL: the lock is somebody else's."""
PROBE_TIMEOUT_SECONDS = 120.0
STAGE_PATIENCE_SECONDS = 60
"""How long what an earlier run left running may go on before a new one looks at the host."""
_HELD = "##kubeadm-py held"
_WAITED = "##kubeadm-py waited"
_BUSY = "##kubeadm-py busy"
_UNDER_WAY = "##kubeadm-py under way"
_HOLDER = f"{paths.RUN_DIR}/holder"
_PREAMBLE = f"""umask 077
PATH={paths.SEARCH_PATH}
LC_ALL=C
export PATH LC_ALL
"""


@dataclass(slots=True)
class Session:
    """Hold what a run knows of one host and the channel that keeps its lock."""

    node: Node
    host: Host
    facts: HostFacts
    inventory: Inventory
    probe: str
    """The probe's script for this host, to look again."""
    held: Held | None = None
    answer: bytes = b""
    """What the last look's probe printed: its JSON, as facts.profiles.load_saved reads it."""
    under_way: str = ""
    """Whose run held the host when it was looked at without a lock; empty where nobody's did."""
    output: bytes = b""
    """All that was printed when it was looked at without a lock."""
    token: str = ""
    """What the host knows this run by as long as it has its lock."""
    pulse: Pulse | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self.held is not None:
            self.pulse = Pulse(self.held)

    @property
    def name(self) -> str:
        """Return the host's name in the cluster."""
        return self.node.name

    def learn(self, output: bytes, round_trip: float = 0.0) -> None:
        """Take over the facts that a probe printed somewhere in `output`."""
        self.facts = facts_in(output, self.name, round_trip)
        self.answer = answer_in(output)
        self.inventory = Inventory.parse(self.facts.inventory, self.name)

    def close(self) -> None:
        """Free the lock and close the connection."""
        held, self.held = self.held, None
        if self.pulse is not None:
            self.pulse.stop()
        try:
            if held is not None:
                held.release()
        finally:
            self.host.close()


def facts_in(output: bytes, host: str, round_trip: float = 0.0) -> HostFacts:
    """Return the facts that a probe printed; raise KubeadmPyError where it printed none."""
    answer = answer_in(output)
    if answer:
        return parse(answer, round_trip=round_trip, operator_clock=time.time())
    raise KubeadmPyError(
        "the probe ended without an answer",
        host=host,
        details=output.decode(errors="replace").splitlines()[-5:],
        fix="is /bin/sh a POSIX shell there, and is there room in /run and /tmp?",
    )


def answer_in(output: bytes) -> bytes:
    """Return the last answer of a probe in what a script printed; empty where there is none."""
    marker = PROBE_MARKER.encode()
    found = (line for line in reversed(output.splitlines()) if line.startswith(marker))
    return next(found, b"").removeprefix(marker)


def open_session(node: Node, host: Host, probe: str, *, verb: str, lock: bool = True) -> Session:
    """Connect, take the host's lock and probe it, in one round trip.

    `probe` is the script that facts.collect made for it. Raise LockedError at once where another run holds
    the lock. `lock` False looks only, and takes none.
    """
    host.connect()
    started = time.monotonic()
    if not lock:
        result = host.run(_look_script(probe), timeout=PROBE_TIMEOUT_SECONDS)
        facts = facts_in(result.stdout, node.name, time.monotonic() - started)
        inventory = Inventory.parse(facts.inventory, node.name)
        answer, under_way = answer_in(result.stdout), _under_way(result.stdout)
        return Session(
            node, host, facts, inventory, probe, answer=answer, under_way=under_way, output=result.stdout
        )
    timeout = PROBE_TIMEOUT_SECONDS + STAGE_PATIENCE_SECONDS
    token = secrets.token_hex(8)
    held = host.hold(_lock_script(verb, probe, token), until=_HELD, timeout=timeout)
    round_trip = time.monotonic() - started
    if not held.alive() and held.result.exit_code == LOCKED_EXIT:
        raise _locked(node.name, held.result.stdout)
    if _WAITED.encode() in held.result.stdout:
        round_trip = 0.0  # The clocks are compared by it.
    output = held.result.stdout + held.result.stderr
    facts = facts_in(output, node.name, round_trip)
    if not held.alive():
        raise UnreachableError("the connection that holds this host's lock was lost at once", host=node.name)
    inventory = Inventory.parse(facts.inventory, node.name)
    return Session(node, host, facts, inventory, probe, held, answer_in(output), token=token)


def _look_script(probe: str) -> str:
    # Not by trying to lock: for that moment a run that begins would find the host locked.
    return f"""{_PREAMBLE}if [ -s {_HOLDER} ] \\
  && grep -q "FLOCK.*:$(stat -c %i {paths.RUN_LOCK} 2>/dev/null) " /proc/locks 2>/dev/null
then
  printf '%s %s\\n' '{_UNDER_WAY}' "$(cat {_HOLDER})"
fi
{probe}"""


def _under_way(output: bytes) -> str:
    marker = f"{_UNDER_WAY} ".encode()
    found = (line for line in output.splitlines() if line.startswith(marker))
    return next(found, b"").removeprefix(marker).decode(errors="replace").strip()


def _lock_script(verb: str, probe: str, token: str) -> str:
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    holder = f"kubeadm-py {verb} by {operator()} since {since}"
    return f"""{_PREAMBLE}mkdir -p -m 0700 {paths.RUN_DIR} || exit 1
exec 9>>{paths.RUN_LOCK}
if ! flock -n 9; then
  echo "##kubeadm-py locked $(cat {_HOLDER} 2>/dev/null)"
  exit {LOCKED_EXIT}
fi
# What a cut connection left running still changes the host: a plan from a look taken now would be wrong.
exec 8>>{paths.STAGE_LOCK}
if ! flock -n 8; then
  echo "{_WAITED}"
  if ! flock -w {STAGE_PATIENCE_SECONDS} 8; then
    echo "{_BUSY}"
    exit {LOCKED_EXIT}
  fi
fi
exec 8>&-
rm -f {paths.RUN_DIR}/stop*
printf '%s\\n' {shlex.quote(holder)} >{_HOLDER}
printf '%s\\n' {token} >{paths.RUN_TOKEN}
(
{probe}
) 9>&-
echo '{_HELD}'
{pulse.SCRIPT}rm -f {paths.RUN_TOKEN} {_HOLDER}
"""


def operator() -> str:
    """Return who runs this, as USER@MACHINE."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "an unnamed user"
    return f"{user}@{socket.gethostname()}"


def stage_at_work(host: str, waited: str) -> LockedError:
    """Return what is said where a stage of an earlier run goes on after its run has ended."""
    return LockedError(
        f"an earlier run's stage is still at work on this host after {waited}",
        host=host,
        fix="it ends by itself, unless it waits for what an operator who is gone was sending; its PID,"
        f" to end it: lslocks -o PID,COMMAND,PATH | grep {paths.STAGE_LOCK}",
    )


def lock_lost(host: str) -> UnreachableError:
    """Return what is said where a run has its host's lock no more."""
    return UnreachableError(
        "this host's lock was lost: the connection broke, or this run stood still for too long",
        host=host,
        fix="the same command again goes on from here",
    )


def _locked(host: str, output: bytes) -> LockedError:
    text = output.decode(errors="replace")
    if _BUSY in text:
        return stage_at_work(host, f"{STAGE_PATIENCE_SECONDS} s")
    holder = text.partition("##kubeadm-py locked")[2].strip() or "another run"
    return LockedError(
        f"locked: {holder}",
        host=host,
        fix="wait for that run to end; one whose operator is gone frees its lock with its connection,"
        f" or {pulse.PATIENCE_SECONDS} s after it was last heard of",
    )
