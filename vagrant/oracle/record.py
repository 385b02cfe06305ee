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
from oracle.sandbox import CONFIG, Made, MadeFile, Ran, Sandbox
from oracle.words import read_certificate, read_kubeconfig

MADE_AT = datetime(2026, 11, 21, tzinfo=UTC)
TOKEN = "abcdef.0123456789abcdef"
MASK = base64.b64encode(b"masked").decode()
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


def record(case: Case, sandbox: Sandbox) -> None:
    """Run kubeadm on the case's host and write down what came of it, in the case's folder."""
    host = replace(case.host, files=case.host.files | {CONFIG: case.config})
    skipped = _skipped_phases(case.config)
    phases = ",".join(dict.fromkeys(["preflight", *_NEEDS_A_CLUSTER, *skipped]))
    dry = ",".join(dict.fromkeys(["preflight", "show-join-command", *skipped]))
    files = sandbox.run(
        host,
        ["kubeadm", "config", "validate", "--config", CONFIG],
        ["kubeadm", "init", "--config", CONFIG, "--skip-phases", phases],
    )
    began = datetime.now(UTC).replace(microsecond=0)
    objects = sandbox.run(host, ["kubeadm", "init", "--dry-run", "--config", CONFIG, "--skip-phases", dry])
    for ran in (*files.ran, *objects.ran):
        _demand(case, ran)
    _write_files(case, files)
    _write_objects(case, objects.ran[0].stdout, began)


def _skipped_phases(config: bytes) -> list[str]:
    """Return the config's own list, which the flag replaces."""
    documents = yaml.safe_load_all(config)
    return [phase for document in documents if document for phase in document.get("skipPhases") or ()]


def _demand(case: Case, ran: Ran) -> None:
    if ran.code != 0:
        raise LabError(f"{case.name}: kubeadm ended with {ran.code}\n{ran.stderr}")


def _write_files(case: Case, made: Made) -> None:
    files = [file for file in made.files if file.path != CONFIG]
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


def _write_objects(case: Case, printed: str, began: datetime) -> None:
    requests = list(dryrun.actions(printed))
    created = [_masked(action.text, began) for action in requests if action.verb == "CREATE"]
    text = "---\n".join(created)
    token = _USING.search(printed)
    if token and token[1].encode() not in case.config:
        text = _with_token(text, token[1])
    (case.folder / "objects.yaml").write_text(text)
    marks = {what: pattern.search(printed) for what, pattern in _MARKS.items()}
    said = [f"{what}: {match[1]}\n" for what, match in marks.items() if match]
    (case.folder / "node.txt").write_text("".join(said))


def _masked(text: str, began: datetime) -> str:
    return _EXPIRATION.sub(lambda match: _moved(match[0], began), _CA_DATA.sub(MASK, text))


def _with_token(text: str, made: str) -> str:
    """Put TOKEN in the place of the one that kubeadm made."""
    for theirs, fixed in zip(made.split("."), TOKEN.split("."), strict=True):
        text = text.replace(_encoded(theirs), _encoded(fixed))
    return text.replace(f"bootstrap-token-{made[:6]}", f"bootstrap-token-{TOKEN[:6]}")


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _moved(expiration: str, began: datetime) -> str:
    """Return the time as if kubeadm had run at MADE_AT; lifetimes are whole minutes, and it takes less."""
    ends = datetime.strptime(base64.b64decode(expiration).decode(), _TIME).replace(tzinfo=UTC)
    minutes = (ends - began) // timedelta(minutes=1)
    return _encoded((MADE_AT + timedelta(minutes=minutes)).strftime(_TIME))
