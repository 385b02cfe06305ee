"""Write the pages of this folder that repeat what code and tables say.

    .venv/bin/python docs/generate.py

A test (tests/unit/packaging/test_docs.py) fails where a page is not what this program makes.
"""

# ruff: noqa: E501 - the pages' own lines

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from kubeadm_py.cli import app, options
from kubeadm_py.cli.old_spellings import OLD_COMMANDS, OLD_FLAGS
from kubeadm_py.cli.table import ANYTHING, COMMANDS
from kubeadm_py.config import schema
from kubeadm_py.config.migrate.rules import Table
from kubeadm_py.config.migrate.translate import CHAIN
from kubeadm_py.config.old_versions import KUBEADM_OF
from kubeadm_py.config.removed_flags import REMOVED_FLAGS, UNUSABLE_FLAGS
from kubeadm_py.engine import events
from kubeadm_py.errors import EXIT_PRECEDENCE, ExitCode
from kubeadm_py.pki import files
from kubeadm_py.pki.table import table
from kubeadm_py.preflight.context import Target
from kubeadm_py.preflight.run import catalogue

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
SCHEMA = "cluster.schema.json"
NOTE = "<!-- Written by docs/generate.py; change what it reads, then run it. -->\n"

ARTIFACT_CHECKS = (
    ("FileExisting-NAME", "The host or the artifact source has the binary NAME."),
    ("BinaryVersion-NAME", "A NAME that somebody else installed has a version that does."),
    ("BundleVersion", "The bundle holds the config's Kubernetes version."),
    ("BundleArchitecture", "The bundle holds the host's architecture."),
    ("BundleImages", "The bundle or the host has every image that the host runs."),
)
"""What kubeadm_py/artifacts/check.py finds, at gate `host`, by the source that the config names."""

BEHAVIOUR = (
    (
        "Unknown keys, duplicate keys and documents of foreign kinds are refused.",
        "`kubeadm init` warns and goes on.",
        "A mistyped key is a setting that silently does not hold. `--allow-unknown-fields` warns as kubeadm does.",
    ),
    (
        "Files of v1beta3 are refused with the line that translates them.",
        "`kubeadm init` reads v1beta3 with a warning until 1.36.",
        "There is one format to check and to explain; see [old files](old-files.md).",
    ),
    (
        "`config migrate` reads v1alpha1 to v1beta3, keeps comments, component configs and the order of flags, fills in no "
        "defaults, and changes or leaves out values that no release of today takes.",
        "It reads v1beta3, writes every default, sorts flags, and leaves out comments and component configs.",
        "The file stays its author's, and comes up.",
    ),
    (
        "Overlapping pod and service subnets are refused.",
        "Accepted.",
        "Such a cluster comes up and then loses traffic.",
    ),
    (
        "Flags that a component of this version does not have, and values that its flags, feature gates, admission "
        "plugins and kube-proxy's mode do not take, are refused.",
        "Accepted; the component does not start.",
        "The refusal names the release that removed the flag and what to use now. The tables are made from the "
        "binaries of 1.35.4 and 1.36.3.",
    ),
    (
        "Values that a component or the API refuses later are refused at once: an unknown phase, taint effect, pathType "
        "or proxy mode, a volume without a name, a duration below zero, a CRI socket that is none, an address of "
        "another family than the first service subnet, a release that is not known, an image tag, CA pin, endpoint "
        "or flag name that cannot be one, a DNS label of more than 63 characters, a number with leading zeros in an "
        "address, line breaks where one line is meant, an etcd endpoint that is no http or https URL, a variable "
        "without a name or with two sources, a file for discovery that is not there, `all` beside other ignored "
        "checks, MNT_EXPIRE.",
        "`kubeadm config validate` accepts them.",
        "No host has been touched yet, and the place in the file is known.",
    ),
    (
        "`patches.directory` is on the machine that kubeadm-py runs on, relative to the config file.",
        "On the node.",
        "One directory serves all hosts. On the machine itself both mean the same.",
    ),
    (
        "A joining host gets the CA at caCertPath, by default ca.crt in certificatesDir, and in the cluster's own "
        "certificatesDir.",
        "At caCertPath alone, by default /etc/kubernetes/pki/ca.crt.",
        "The kubelet's configuration names the one in certificatesDir, and a kubelet that misses it does not start.",
    ),
    (
        "The feature gate RootlessControlPlane is refused.",
        "Alpha, off by default, deprecated.",
        "It needs users and groups on every control plane, and goes away.",
    ),
    (
        "The probes of scheduler and controller manager follow a `secure-port` in extraArgs.",
        "They stay at ports 10259 and 10257.",
        "The kubelet would end a component that listens elsewhere again and again.",
    ),
    (
        "`init` on a host that it has set up looks what is missing or different, and does that.",
        "Refused by preflight checks for absence.",
        "A rerun after an interruption goes on where it stopped; a rerun of a good host changes nothing.",
    ),
    (
        "A certificate or kubeconfig that lies there and does not fit (authority, subject, names, usages, key, or "
        "a day from its end) is made anew by `init`.",
        "An error, or kept.",
        "Where the authority's key is there too, the mend is known. Authorities are never replaced.",
    ),
    (
        "Tokens of the config are created by the first `init` only.",
        "`kubeadm init` runs once.",
        "A rerun must not bring deleted or ended tokens back.",
    ),
    (
        "The hosts are prepared: modules, sysctls, swap, runtime, kubelet, images.",
        "Left to the operator.",
        "With `artifacts.source: preinstalled` runtime, kubelet and tools are left to the operator here, too.",
    ),
    (
        "A proxy of the host's variables whose URL holds a password is not written into pods; preflight warns.",
        "Written into the static pods and the DaemonSet kube-proxy.",
        "Who may read pods would read it. Where a component needs it: extraEnvs.",
    ),
    (
        "API objects are written by one server-side apply.",
        "Created or updated one by one.",
        "It is one round trip, and it leaves fields that others own alone.",
    ),
    (
        "`token create` with a negative `--ttl` is refused; one for signing only has no groups.",
        "A negative ttl makes a token that never ends; for signing only it refuses its own default group.",
        "A mistyped sign must not make a key without an end.",
    ),
    (
        "`token create --print-join-command` prints two lines: ours, then kubeadm's.",
        "Prints its own.",
        "Either tool joins; ours keeps the token out of the process list.",
    ),
    (
        "`certs renew` restarts what uses the renewed certificates, one control plane after the other.",
        "Tells the operator to restart four components.",
        "What is not restarted goes on with the old ones, until the day they end.",
    ),
    (
        "`certs renew` of a certificate that an external CA signs, or that is missing, fails.",
        "A line of text, and exit code 0.",
        "Who renews by a timer must hear of it. `all` renews what it can and warns.",
    ),
    (
        "`certs check-expiration` also lists what the ports serve; `-o json` has `host`, `served` and"
        " `restartNeeded` beside kubeadm's keys, one object a host.",
        "Files only.",
        "A process that was not restarted serves what its file held before.",
    ),
    (
        "With external etcd, `certs generate-csr` makes no requests for etcd's certificates.",
        "Makes them.",
        "Nothing would read them.",
    ),
    (
        "With a Cluster document `join` makes a token for this join and deletes it after.",
        "A token of 24 hours is created by hand.",
        "No credential outlives its use.",
    ),
    (
        "`reset` removes what the host's inventory lists, and puts changed files back.",
        "`kubeadm reset` leaves CNI, packet filter rules and kubeconfigs to the operator.",
        "The host is as it was. `--keep-artifacts` leaves runtime, binaries and images.",
    ),
    (
        "`reset` removes the pods that a kubelet made; others stay, and the runtime with them.",
        "`kubeadm reset` removes every pod of the runtime.",
        "They are somebody else's.",
    ),
    (
        "`reset` refuses where etcd's other members would lose their quorum; "
        "`--skip-phases remove-etcd-member` goes on.",
        "It warns, goes on, and their cluster stands still.",
        "Their cluster is worth more than this host's reset.",
    ),
    (
        "`reset phase remove-etcd-member` removes etcd's manifest, too.",
        "It leaves it to cleanup-node.",
        "An etcd that was born with state `new` would be a second, empty cluster.",
    ),
    (
        "`reset` deletes the Node where a control plane is left to do it.",
        "The Node stays.",
        "Nothing of the host is left.",
    ),
)
"""Wanted differences in what commands do; those in what is written are data of the golden tests."""


def preflight() -> str:
    """Describe every preflight check."""
    short = {
        Target.INIT: "init",
        Target.JOIN_CONTROL_PLANE: "join (control plane)",
        Target.JOIN_WORKER: "join",
    }
    rows = []
    for row in catalogue():
        targets = [name for target, name in short.items() if target in row.applies_to]
        where = "all" if len(targets) == len(Target) else ", ".join(targets)
        rows.append(
            (
                f"`{row.name}`",
                row.severity,
                row.gate,
                where,
                "yes" if row.kubeadm else "",
                "nodes" if row.tested == "node" else "saved answers",
                row.doc,
            )
        )
    heads = ("Check", "Severity", "Gate", "Where", "kubeadm's", "Tested on", "What holds where it is silent")
    return f"""# Preflight checks

`kubeadm-py preflight --config FILE` runs them all and changes nothing; `init` and `join` run them by themselves.
An error stops a run (exit code 3) unless it is named in `--ignore-preflight-errors`, or in a node registration's
`ignorePreflightErrors`: it is a warning then. `all` names all of them.

Gate `host` looks before anything is written anywhere. Gate `prepared` looks at container runtime, kubelet and images,
once they are installed. A check with the word "yes" under "kubeadm's" has kubeadm's name and severity. Checks were
tested with saved answers of hosts, those marked "nodes" on real nodes as well.

{_table(heads, rows)}
Beside them, by the config's artifact source (all errors, gate `host`):

{_table(("Check", "What holds where it is silent"), ((f"`{name}`", doc) for name, doc in ARTIFACT_CHECKS))}"""


def json_events() -> str:
    """Describe the JSON events."""
    parts = [
        """# JSON events

With `--format json` a verb prints one JSON object a line on standard output: its events as they happen and, at the
end, one object of type `report` that sums them up. `plan` and `--dry-run` add one object of type `plan` before these
last two; `verify` prints one object of type `verify` instead: its report. Nothing else is printed there.

Every event has `type` and `time` (Unix seconds). A value that is not known is null or empty. No event holds a secret.
New fields and new types may be added; those below keep their meaning.
"""
    ]
    for event in _event_types():
        doc = " ".join(inspect.getdoc(event).split())  # type: ignore[union-attr]  # every event has one
        parts.append(f"## `{event.type}`\n\n{doc}\n")
        rows = [
            (f"`{field.name}`", f"`{_json_type(str(field.type))}`")
            for field in dataclasses.fields(event)
            if field.name != "time"
        ]
        parts.append(_table(("Field", "Type"), rows))
    for record in (
        events.RunHost,
        events.StageAhead,
        events.Timing,
        events.Cause,
        events.HostChanges,
        events.Change,
    ):
        doc = " ".join(inspect.getdoc(record).split())  # type: ignore[union-attr]  # so has every record
        rows = [
            (f"`{field.name}`", f"`{_json_type(str(field.type))}`") for field in dataclasses.fields(record)
        ]
        parts.append(f"## `{record.__name__}` (a record inside events)\n\n{doc}\n")
        parts.append(_table(("Field", "Type"), rows))
    parts.append(
        """## `report`

The last line: `verb`, `cluster`, `version`, `source`, `hosts`, `verdict`, `exit_code`, `causes`, `seconds`, `changed`,
`next` and `timings` as in the events above; `stages` (each with its `hosts`), `findings`, `notices` and `failures`
list the events of these kinds without `type` and `time`.

## Exit codes
"""
    )
    rows = [(str(int(code)), EXIT_CODES[code]) for code in ExitCode]
    order = ", ".join(str(int(code)) for code in EXIT_PRECEDENCE)
    parts.append(_table(("Code", "Meaning"), rows))
    parts.append(f"Of several causes the first of {order} decides; `causes` lists them all.\n")
    return "\n".join(parts)


EXIT_CODES = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed on a host",
    ExitCode.USAGE: "wrong command line or config; no host was reached",
    ExitCode.PREFLIGHT: "preflight refused",
    ExitCode.CHANGES: "`plan` found changes",
    ExitCode.LOCKED: "another run holds a host's lock",
    ExitCode.VERIFY: "`verify` failed",
    ExitCode.UNREACHABLE: "a host cannot be reached, or the connection was lost",
    ExitCode.HOST_KEY: "a host's SSH key is unknown or has changed",
    ExitCode.TIMEOUT: "a wait ran out of time",
    ExitCode.INTERRUPTED: "interrupted",
}


def differences() -> str:
    """Describe every wanted difference from kubeadm."""
    written = yaml.safe_load((ROOT / "tests/golden/kubeadm/differences.yaml").read_text(encoding="utf-8"))
    trees = yaml.safe_load((ROOT / "tests/golden/render/differences.yaml").read_text(encoding="utf-8"))
    content = dict.fromkeys(
        (f"`{entry['where']}`", f"`{entry['path']}`" if entry["path"] else "whole", _line(entry["reason"]))
        for entry in written
        if "where" in entry
    )
    refused = [(entry["what"], _line(entry["reason"])) for entry in written if "refused" in entry]
    flags = yaml.safe_load((ROOT / "tests/golden/kubeadm/flag-differences.yaml").read_text(encoding="utf-8"))
    unlike = [
        (
            f"`{row['command']}`",
            f"`--{row['flag']}`" if "flag" in row else "all",
            row["here"],
            _line(row["reason"]),
        )
        for row in flags
        if _still_unlike(row)
    ]
    more = [(f"`{entry['path']}`", _line(entry["reason"])) for entry in trees]
    return f"""# Differences from kubeadm

All that is wanted. What is not on this page is a bug, or is refused by name as not supported yet.

## What commands do

{_table(("kubeadm-py", "kubeadm", "Why"), BEHAVIOUR)}
## What is refused here only

Here before any host is touched, with the place in the file; `kubeadm config validate` accepts it.
`make differential` holds both against each other, and knows this list.

{_table(("Refused", "Why"), refused)}
## Commands and flags

Compared by tests/unit/cli/test_kubeadm_flags.py with what kubeadm's own help lists. A flag with "no effect" is taken;
`*` is every command.

{_table(("Command", "Flag", "Here", "Why"), unlike)}
## What is in files and API objects

Compared by tests/golden/test_kubeadm_oracle.py with what kubeadm 1.36.3 made of the same configs; a manifest
without a difference is the same bytes.

{_table(("Where", "Field", "Why"), content)}
## Files that kubeadm does not write

Compared by tests/golden/test_render.py. With an artifact source other than `preinstalled`, containerd's, crictl's and
the kubelet's own files are written, too.

{_table(("Path", "Why"), more)}"""


def _still_unlike(row: dict[str, str]) -> bool:
    """Say whether a difference of the list stands: what was not there yet may have come meanwhile."""
    if row["here"] != "not there yet":
        return True
    path, flag = row["command"], row.get("flag")
    if flag is None:
        return path in {name.partition(" ")[0] for name in ANYTHING} or not app.is_path(path)
    options = {option for param in app.command(path).params for option in param.opts}
    return f"--{flag}" not in options


def certificates() -> str:
    """Describe the table of certificates."""
    pki = table()
    folder, rows = "/etc/kubernetes/pki", []
    for authority in pki.authorities:
        note = "local etcd only" if authority.local_etcd_only else ""
        rows.append((f"`{authority.file}`", authority.common_name, "itself", "", "", note))
    for certificate in pki.certificates:
        notes = ["local etcd only"] if certificate.local_etcd_only else []
        if certificate.organizations_before:
            before = ", ".join(certificate.organizations_before)
            notes.append(f"before {certificate.organizations_before_minor}: O={before}")
        subject = ", ".join([certificate.common_name, *(f"O={name}" for name in certificate.organizations)])
        cells = (
            certificate.signer,
            ", ".join(certificate.usages),
            ", ".join(certificate.sans),
            "; ".join(notes),
        )
        rows.append((f"`{certificate.file}`", subject, *cells))
    users = [
        (
            f"`/etc/kubernetes/{row.file}`",
            ", ".join([row.user, *(f"O={name}" for name in row.organizations)]),
            row.server,
            ", ".join(row.hosts),
        )
        for row in pki.kubeconfigs
    ]
    pairs = ", ".join(f"`{pair.file}.key` and `{pair.file}.pub`" for pair in pki.key_pairs)
    return f"""# Certificates

The table is `pki/certificates.yaml`; issuing, checking and this page read it. Names, subjects, usages, SANs, lifetimes
and modes are kubeadm's, which is tested against what kubeadm made (tests/golden/pki).

Authorities live for `caCertificateValidityPeriod` (ten years by default), all else for `certificateValidityPeriod` (one
year). Keys are of `encryptionAlgorithm`: RSA-2048 by default, RSA-3072, RSA-4096, ECDSA-P256 or ECDSA-P384. Certificates
have mode {files.PUBLIC_MODE:04o}, keys and kubeconfigs {files.SECRET_MODE:04o}, all belong to root.

A certificate is left alone while its issuer, subject, usages and SANs fit, its key is the one made with it, and it is
valid for at least another day. An authority is never replaced.

## Authorities and certificates, below {folder}

{_table(("File (.crt, .key)", "Subject", "Signed by", "Usages", "SANs", "Note"), rows)}
SANs by name: `node-name`, `kubernetes-service` (kubernetes, kubernetes.default, ..., and the first address of the
first service subnet), `advertise-address`, `endpoint` (controlPlaneEndpoint), `localhost`, `loopback` (127.0.0.1 and ::1);
the others are the config's own lists.

Key pairs without a certificate: {pairs} (service account tokens).

## Kubeconfigs

{_table(("File", "User", "Server", "Hosts"), users)}"""


def old_files() -> str:
    """Describe the translation of old files, and the flags that are gone."""
    versions = [(f"`{version}`", KUBEADM_OF[version], f"`{table.to}`") for version, table in CHAIN.items()]
    flags = [
        (component, f"`{flag}`", gone.release, gone.instead())
        for component, its_flags in REMOVED_FLAGS.items()
        for flag, gone in sorted(its_flags.items())
    ]
    flags += [
        (component, f"`{flag}`", "", why)
        for component, its in UNUSABLE_FLAGS.items()
        for flag, why in its.items()
    ]
    typed = [
        (f"`{once}`", f"`{old.today}`" if old.today else old.note)
        for once, old in (OLD_COMMANDS | OLD_FLAGS).items()
    ]
    return f"""# Old files and old flags

`kubeadm-py config migrate --old-config OLD [--new-config NEW]` carries a file version by version to v1beta4. Real
kubeadm 1.36 reads v1beta3 only, of the older ones. Every other command that is given such a file says which version it
is and the line to type.

- A key is moved, changed, left out with the reason, or asked about; each is told with file and line on standard error,
  and what is left out, changed or to be decided stands at the top of the new file, too.
- Comments stay with what they speak of. Anchors and aliases are written out; lists and mappings in brackets become
  lines. Defaults are not filled in (kubeadm's command does).
- The result is checked as `config validate` does; a mistake is told with its place in the old file. An unknown key is
  refused, or left out with `--allow-unknown-fields`.
- Values that no release of today takes are changed or left out, too: versions, dockershim's socket, registries without
  new images, the taint of old control planes, too old tags of etcd and CoreDNS, feature gates, admission plugins, and
  the flags below.
- NEW is written with mode 0600: it may hold a token.

Recorded files of all versions, with what becomes of them: tests/unit/config/migrate/cases. Each result is accepted by
kubeadm 1.36.3; results from v1beta3 mean the same to it as its own.

{_table(("Version", "Written for", "Carried to"), versions)}
## Keys that move or go

Beside these, where one key becomes several or the other way round: etcd with endpoints (`external`, else `local`),
etcd's `image` (repository and tag), tokens and discovery, `writable` (`readOnly`), `auditPolicy` (flags and volumes),
authorization modes (a flag), embedded component configs (documents of their own), mappings of flags (lists).

{_table(("From", "Kind", "Key", "Becomes, or why it goes"), _key_rows())}
## Flags that are gone

In extraArgs and kubeletExtraArgs they are refused, each with what does their work today. Of flags without a release no
changelog was found that names it; that kubeadm-py's Kubernetes has none of them was tried with its binaries.

{_table(("Component", "Flag", "Gone in", "Instead"), flags)}
## What was typed in older releases

Such a command line is refused with what is typed today.

{_table(("Once", "Today"), typed)}"""


def _key_rows() -> Iterable[tuple[str, str, str, str]]:
    for version, step in CHAIN.items():
        yield from _step_rows(version, step)


def _step_rows(version: str, step: Table) -> Iterable[tuple[str, str, str, str]]:
    for kind, name in step.renamed.items():
        yield f"`{version}`", kind, "", name
    for kind, reason in step.gone.items():
        yield f"`{version}`", kind, "", reason
    for kind, moves in step.moves.items():
        for old, new in moves.items():
            yield f"`{version}`", kind, f"`{old}`", f"`{new}`"
    for kind, drops in step.drops.items():
        for old, reason in drops.items():
            yield f"`{version}`", kind, f"`{old}`", reason


def commands() -> str:
    """Describe every command and its flags."""
    parts = [
        """# Commands and flags

kubeadm's commands, phases and flags have kubeadm's names and meaning; what is not the same stands in
[differences](differences.md). kubeadm's own flags are refused together with `--config`, as kubeadm refuses them; ours
may always be given. A switch takes `=true` and `=false`, a list commas or the flag again, and flags may stand before the
command's words. `-v N` goes with every command. `kubeadm-py completion bash|zsh|fish` prints what makes a shell complete
them; [exit codes](events.md#exit-codes).
"""
    ]
    phases = [path for path in app.PHASES if not app.PHASES[path].hidden]
    for path in COMMANDS:
        command = app.command(path)
        parts.append(f"## `kubeadm-py {path}`\n\n{_help(command)}\n")
        parts.append(_flag_table(command))
        mine = [each for each in phases if each.startswith(f"{path} phase ")]
        if mine:
            parts.append(f"### Single phases of {path}\n")
            rows = [(f"`{each}`", app.summary(each), _flag_names(app.command(each))) for each in mine]
            parts.append(_table(("Command", "What it does", "Flags besides --config and --dry-run"), rows))
    return "\n".join(parts)


def _help(command: Any) -> str:
    paragraphs = str(command.help or "").split("\n\n")
    return "\n\n".join(_line(paragraph) for paragraph in paragraphs)


def _flag_table(command: Any) -> str:
    rows = []
    for param in command.params:
        if param.hidden:
            continue
        name = param.metavar or param.name if param.param_type_name == "argument" else ", ".join(param.opts)
        value = "" if param.param_type_name == "argument" or param.is_flag else param.metavar or ""
        ours = "yes" if getattr(param, "rich_help_panel", "") == options.OURS else ""
        rows.append((f"`{name}`", f"`{value}`" if value else "", ours, _line(param.help or "")))
    return _table(("Flag", "Value", "Ours", "What it does"), rows) if rows else ""


def _flag_names(command: Any) -> str:
    every = {"--config", "--dry-run", "--v"}
    kept = [param for param in command.params if param.param_type_name == "option" and not param.hidden]
    named = [
        max(param.opts, key=len)
        for param in kept
        if param.rich_help_panel != options.OURS and not every & set(param.opts)
    ]
    return ", ".join(f"`{name}`" for name in named)


def cluster_document() -> str:
    """Describe the Cluster document key by key."""
    required = {f"{path}.{key}".lstrip(".") for path, names in schema.REQUIRED.items() for key in names}
    rows = [
        (
            f"`{path}`",
            kind,
            words,
            "yes" if path in required else "",
            schema.DESCRIPTIONS.get(path, "Which document this is."),
        )
        for path, kind, words in schema.listed()
    ]
    return f"""# The Cluster document

At most one in a config, beside kubeadm's own documents. `InitConfiguration` speaks for the first control plane,
`JoinConfiguration` is the template of every other host; what a host of this document says wins. Required keys are
those without which the document is refused wherever their parent stands.

[cluster.schema.json](cluster.schema.json) is the same for editors; `kubeadm-py config schema` prints it. Editors with
yaml-language-server take it from a line above the document: `# yaml-language-server: $schema=cluster.schema.json`.

{_table(("Key", "Type", "Accepted", "Required", "What it is for"), rows)}"""


PAGES: dict[str, Callable[[], str]] = {
    "preflight.md": preflight,
    "events.md": json_events,
    "differences.md": differences,
    "certificates.md": certificates,
    "commands.md": commands,
    "cluster.md": cluster_document,
    "old-files.md": old_files,
}


def page(name: str) -> str:
    """Return a page as it must be."""
    return NOTE + PAGES[name]().rstrip("\n") + "\n"


def _event_types() -> list[type[events.Event]]:
    found = [value for value in vars(events).values() if inspect.isclass(value)]
    return [each for each in found if issubclass(each, events.Event) and each is not events.Event]


def _json_type(annotation: str) -> str:
    names = {"str": "string", "int": "number", "float": "number", "bool": "boolean"}
    if annotation.startswith("tuple["):
        return f"array of {_json_type(annotation.removeprefix('tuple[').partition(',')[0])}"
    return names.get(annotation, annotation)


def _line(text: str) -> str:
    return " ".join(str(text).split())


def _table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [list(heads), *([str(cell).replace("|", "\\|") for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def schema_file() -> str:
    """Return the JSON schema as its file must be."""
    return json.dumps(schema.schema(), indent=2) + "\n"


if __name__ == "__main__":
    (FOLDER / SCHEMA).write_text(schema_file(), encoding="utf-8")
    for each in PAGES:
        (FOLDER / each).write_text(page(each), encoding="utf-8")
