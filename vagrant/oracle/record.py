"""Record what kubeadm makes of a case: its files, modes, certificates, kubeconfigs and API objects.

What differs from run to run is masked: keys are left out, certificates and kubeconfigs are put into words,
the CA's data in objects becomes a word, a token that kubeadm made becomes TOKEN, and times are counted from
MADE_AT.
"""

import base64
import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml
from lab.process import LabError

from oracle import dryrun
from oracle.cases import Case
from oracle.sandbox import CONFIG, Command, Host, Made, MadeFile, Ran, Sandbox
from oracle.words import read_certificate, read_kubeconfig

MADE_AT = datetime(2026, 11, 21, tzinfo=UTC)
TOKEN = "abcdef.0123456789abcdef"
MASK = base64.b64encode(b"masked").decode()
Span = tuple[datetime, datetime]
"""When kubeadm began, and when it had ended."""
_CA_DATA = re.compile(r"(?<=certificate-authority-data: )\S+")
_EXPIRATION = re.compile(r"(?<=  expiration: )\S+")
_USING = re.compile(r"(?m)^\[bootstrap-token\] Using token: (\S+)$")
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_MARKS = {
    "labels": re.compile(r"(?m)^\[mark-control-plane\].* by adding the labels: \[(.*)\]$"),
    "taints": re.compile(r"(?m)^\[mark-control-plane\].* by adding the taints \[(.*)\]$"),
}
"""A dry run shows the node as it was before; its words are all there is."""
_NEEDS_A_CLUSTER = (
    "wait-control-plane",
    "upload-config",
    "upload-certs",
    "mark-control-plane",
    "bootstrap-token",
    "kubelet-finalize",
    "addon",
    "show-join-command",
)
_NEEDS_NO_CLUSTER = (
    "certs",
    "kubeconfig",
    "etcd",
    "control-plane",
    "kubelet-start",
    "wait-control-plane",
    "mark-control-plane",
    "kubelet-finalize",
    "show-join-command",
)
_NEEDS_A_KUBELET = (
    "preflight",
    "check-etcd",
    "etcd-join",
    "kubelet-wait-bootstrap",
    "control-plane-join",
    "wait-control-plane",
)
_KUBEADM = ("kubeadm",)
_WITH_CONFIG = ("--config", CONFIG)
_JOIN_PHASE = ("kubeadm", "join", "phase")
_KUBECTL = ("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--cache-dir=/tmp", "--request-timeout=60s")
_CONTROLLERS = ("--controllers=bootstrap-signer-controller,serviceaccount-controller", "--leader-elect=false")
_SIGNED = "{.data.jws-kubeconfig-abcdef}"
_NODE = "/tmp/node.yaml"
_ETCD_JOIN_SECONDS = 30


def record(case: Case, sandbox: Sandbox) -> None:
    """Run kubeadm on the case's hosts and write down what came of it, in the case's folder."""
    if case.joining is None:
        _record_init(case, sandbox)
    else:
        _record_join(case, case.joining, sandbox)


def _record_init(case: Case, sandbox: Sandbox) -> None:
    host, skipped = _with_config(case.host, case), _skipped_phases(case.config)
    files = sandbox.run(
        host, [*_KUBEADM, "config", "validate", *_WITH_CONFIG], _init(case, *_NEEDS_A_CLUSTER)
    )
    began = datetime.now(UTC).replace(microsecond=0)
    objects = sandbox.run(host, [*_init(case, "show-join-command", *skipped), "--dry-run"])
    ended = datetime.now(UTC)
    _demand(case, *files.ran, *objects.ran)
    _write_files(case, files)
    _write_objects(case, objects.ran[0].stdout, (began, ended))


def _record_join(case: Case, joining: Host, sandbox: Sandbox) -> None:
    """Record what a join makes of the second host, while etcd, API server and signer run on the first one."""
    first = [
        Command(_init(case, *_NEEDS_A_CLUSTER)),
        Command(pod="etcd", background=True),
        Command(pod="kube-apiserver", background=True),
        Command([*_KUBECTL, "get", "--raw=/readyz"], again=True),
        Command(_CONTROLLERS, pod="kube-controller-manager", background=True),
        Command([*_init(case, *_NEEDS_NO_CLUSTER), "--upload-certs"]),
        Command([*_KUBECTL, "wait", f"--for=jsonpath={_SIGNED}", "-nkube-public", "configmap/cluster-info"]),
    ]
    # Where a joining control plane looks for etcd; without a kubelet nobody else writes it down.
    first.append(Command([*_KUBECTL, "create", "-f", "/etc/kubernetes/manifests/etcd.yaml"], again=True))
    second = [Command([*_KUBEADM, "join", *_WITH_CONFIG, "--skip-phases", ",".join(_NEEDS_A_KUBELET)])]
    controls = b"controlPlane:" in case.config
    if controls:
        second += [
            Command([*_KUBECTL, "create", "-f", _NODE]),
            Command([*_JOIN_PHASE, "control-plane-join", "mark-control-plane", *_WITH_CONFIG]),
        ]
    # It waits for a member that nobody starts; its manifest lies there by then.
    unfinished = [Command([*_JOIN_PHASE, "etcd-join", *_WITH_CONFIG], seconds=_ETCD_JOIN_SECONDS)]
    node = f"apiVersion: v1\nkind: Node\nmetadata: {{name: {joining.hostname}}}\n"
    joining = replace(joining, files=joining.files | {_NODE: node.encode()})
    leader, *others = sandbox.run_on(
        (_with_config(case.host, case), first),
        (_with_config(joining, case), second + (unfinished if controls else [])),
    )
    _demand(case, *leader.ran)
    (made,) = others
    _demand(case, *made.ran[: len(second)])
    _write_files(case, made)
    _write_marks(case, "".join(ran.stdout for ran in made.ran))
    (case.folder / "objects.yaml").unlink(missing_ok=True)


def _with_config(host: Host, case: Case) -> Host:
    return replace(host, files=host.files | {CONFIG: case.config})


def _init(case: Case, *without: str) -> list[str]:
    phases = dict.fromkeys(["preflight", *without, *_skipped_phases(case.config)])
    return [*_KUBEADM, "init", *_WITH_CONFIG, "--skip-phases", ",".join(phases)]


def _skipped_phases(config: bytes) -> list[str]:
    """Return the config's own list, which the flag replaces."""
    documents = yaml.safe_load_all(config)
    return [phase for document in documents if document for phase in document.get("skipPhases") or ()]


def _demand(case: Case, *ended: Ran) -> None:
    for number, ran in enumerate(ended, start=1):
        if ran.code != 0:
            raise LabError(f"{case.name}: command {number} ended with {ran.code}\n{ran.stderr}")


def _write_files(case: Case, made: Made) -> None:
    files = [file for file in made.files if file.path != CONFIG and not file.path.startswith("/var/lib/etcd")]
    modes = "".join(f"{file.mode} {file.owner} {file.path}\n" for file in sorted(files, key=_path))
    (case.folder / "modes.txt").write_text(modes)
    shutil.rmtree(case.folder / "files", ignore_errors=True)
    for file in files:
        if "/manifests/" in file.path or file.path.startswith("/var/lib/kubelet/"):
            target = case.folder / "files" / file.path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.content)
    certificates = {file.path: read_certificate(file.content) for file in _ending(files, ".crt")}
    _write_json(case, "certificates.json", certificates)
    ca = next((file.content for file in _ending(files, "/ca.crt") if "/etcd/" not in file.path), b"")
    kubeconfigs = {file.path: read_kubeconfig(file.content, ca) for file in _ending(files, ".conf")}
    _write_json(case, "kubeconfigs.json", kubeconfigs)


def _path(file: MadeFile) -> str:
    return file.path


def _ending(files: Iterable[MadeFile], suffix: str) -> list[MadeFile]:
    return [file for file in files if file.path.endswith(suffix)]


def _write_json(case: Case, name: str, content: dict[str, Any]) -> None:
    if content:
        (case.folder / name).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    else:
        (case.folder / name).unlink(missing_ok=True)


def _write_objects(case: Case, printed: str, made: Span) -> None:
    requests = list(dryrun.actions(printed))
    created = [_masked(action.text, made) for action in requests if action.verb == "CREATE"]
    text = "---\n".join(created)
    token = _USING.search(printed)
    if token and token[1].encode() not in case.config:
        text = _with_token(text, token[1])
    (case.folder / "objects.yaml").write_text(text)
    _write_marks(case, printed)


def _write_marks(case: Case, printed: str) -> None:
    marks = {what: pattern.search(printed) for what, pattern in _MARKS.items()}
    said = [f"{what}: {match[1]}\n" for what, match in marks.items() if match]
    (case.folder / "node.txt").write_text("".join(said))


def _masked(text: str, made: Span) -> str:
    return _EXPIRATION.sub(lambda match: _moved(match[0], made), _CA_DATA.sub(MASK, text))


def _with_token(text: str, made: str) -> str:
    """Put TOKEN in the place of the one that kubeadm made."""
    for theirs, fixed in zip(made.split("."), TOKEN.split("."), strict=True):
        text = text.replace(_encoded(theirs), _encoded(fixed))
    return text.replace(f"bootstrap-token-{made[:6]}", f"bootstrap-token-{TOKEN[:6]}")


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _moved(expiration: str, made: Span) -> str:
    """Return the time as if kubeadm had run at MADE_AT.

    A token lives whole hours where that fits the time that kubeadm took, else whole minutes.
    """
    began, ended = made
    ends = datetime.strptime(base64.b64decode(expiration).decode(), _TIME).replace(tzinfo=UTC)
    longest, shortest = ends - began, ends - ended
    hours = longest // timedelta(hours=1) * timedelta(hours=1)
    lives = hours if hours >= shortest else longest // timedelta(minutes=1) * timedelta(minutes=1)
    return _encoded((MADE_AT + lives).strftime(_TIME))
