"""Ask a host everything that the host checks look at, in one round trip, and read the answer."""

from __future__ import annotations

import base64
import binascii
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field

from kubeadm_py.model import endpoint, paths
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.pki.requests import etcd_authority
from kubeadm_py.render import probes
from kubeadm_py.verify import expected

TIMEOUT = 90.0
_LOOPBACK = ("127.", "[::1]", "::1")


@dataclass(frozen=True, slots=True)
class UnitState:
    """Hold a unit's states as systemd names them."""

    active: str
    enabled: str


@dataclass(frozen=True, slots=True)
class FileState:
    """Hold a file's mode and owner."""

    mode: int
    owner: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold how a command ended and the last that it said."""

    exit_code: int
    output: str


@dataclass(slots=True)
class Survey:
    """Hold what one host showed."""

    clock: float = 0.0
    units: dict[str, UnitState] = field(default_factory=dict)
    files: dict[str, FileState] = field(default_factory=dict)
    listeners: dict[int, list[str]] = field(default_factory=dict)
    """Port -> addresses that something listens on."""
    sysctls: dict[str, str] = field(default_factory=dict)
    certificates: dict[str, bytes] = field(default_factory=dict)
    """File -> its certificates as PEM; of a kubeconfig, its client certificate."""
    mismatched_keys: dict[str, str] = field(default_factory=dict)
    """Certificate file -> why it and its key do not belong together."""
    etcd: dict[str, Answer] = field(default_factory=dict)
    addresses: set[str] = field(default_factory=set)
    hosts_lines: list[str] = field(default_factory=list)
    """The lines of /etc/hosts that bear our mark."""
    endpoint: Answer | None = None
    """How kubectl ended that asked at the cluster's endpoint, as the kubelet does; None: it did not run."""
    complete: bool = False

    def open_to_network(self, port: int) -> list[str]:
        """Return the addresses beyond loopback on which something listens at `port`."""
        return [address for address in self.listeners.get(port, []) if not address.startswith(_LOOPBACK)]


def script(cluster: ResolvedCluster, node: Node) -> str:
    """Return the script that surveys a host; it changes nothing and prints no secret.

    Whether a certificate and its key belong together is asked of kubectl, which checks a pair that it would
    make a Secret of and prints its name only: the keys stay on the host, and openssl need not be there.
    """
    lines = [
        "# survey of the host",
        "t=$(mktemp -d /run/kubeadm-py-verify.XXXXXX) || exit 1",
        "trap 'rm -rf -- \"$t\"' EXIT",
        "printf 'clock\\t%s\\n' \"$(date +%s)\"",
        f"for unit in {_words(expected.units(node))}; do",
        '  printf \'unit\\t%s\\t%s\\t%s\\n\' "$unit" "$(systemctl is-active -- "$unit")" '
        '"$(systemctl is-enabled -- "$unit" 2>/dev/null)"',
        "done",
        "stat -L --printf 'file\\t%n\\t%a\\t%U:%G\\n' -- "
        f"{_words(file.path for file in expected.files(cluster, node))} 2>/dev/null",
        "ss -Hltn | awk '{ print \"listen\\t\" $4 }'",
        f"for name in {_words(expected.sysctls(cluster))}; do",
        '  printf \'sysctl\\t%s\\t%s\\n\' "$name" "$(sysctl -n "$name" 2>/dev/null)"',
        "done",
        'ip -oneline address show scope global | awk \'{ sub("/.*", "", $4); print "address\\t" $4 }\'',
        f"grep {_words([endpoint.HOSTS_LINE])} {paths.HOSTS_FILE} | sed 's/^/hosts\\t/'",
        *(_endpoint_lines(cluster) if node.role is not Role.ETCD else ()),
        *_certificate_lines(cluster, node),
        *_key_lines(cluster, node),
        *_etcd_lines(cluster, node),
        "wait",
        'cat "$t"/* 2>/dev/null',
        "echo complete",
    ]
    return "\n".join(lines)


def parse(text: str) -> Survey:
    """Read the survey's output; lines that are none of its own are left out."""
    survey = Survey()
    for line in text.splitlines():
        kind, *fields = line.split("\t")
        _take(survey, kind, fields)
    return survey


def _take(survey: Survey, kind: str, fields: list[str]) -> None:
    match kind, fields:
        case "clock", [seconds]:
            survey.clock = float(seconds)
        case "unit", [name, active, enabled]:
            survey.units[name] = UnitState(active, enabled)
        case "file", [path, mode, owner]:
            survey.files[path] = FileState(int(mode, 8), owner)
        case "listen", [address]:
            host, _, port = address.rpartition(":")
            if port.isdecimal():
                survey.listeners.setdefault(int(port), []).append(host)
        case "sysctl", [name, value]:
            survey.sysctls[name] = value
        case "pem", [path, encoded]:
            survey.certificates[path] = _decoded(encoded)
        case "mismatch", [path, reason]:
            survey.mismatched_keys[path] = reason
        case "address", [address]:
            survey.addresses.add(address)
        case "hosts", [line]:
            survey.hosts_lines.append(line)
        case "endpoint", [exit_code, output]:
            survey.endpoint = Answer(int(exit_code), output)
        case "etcd", [question, exit_code, output]:
            survey.etcd[question] = Answer(int(exit_code), output)
        case "complete", []:
            survey.complete = True


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return b""


def _words(names: Iterable[str]) -> str:
    return shlex.join(names)


def _endpoint_lines(cluster: ResolvedCluster) -> list[str]:
    """Ask what every client may ask, with the kubelet's login, at the endpoint instead of its own server."""
    server = _words([f"https://{cluster.endpoint}"])
    return [
        "{",
        f"  answer=$(kubectl --cache-dir {paths.KUBECTL_CACHE} --kubeconfig {paths.KUBELET_CONF} "
        f"--server {server} --request-timeout 5s get --raw /readyz 2>&1); code=$?",
        "  printf 'endpoint\\t%s\\t%s\\n' \"$code\" "
        "\"$(printf '%s\\n' \"$answer\" | tail -n 1 | cut -c 1-300 | tr '\\t' ' ')\"",
        '} >"$t/endpoint" &',
    ]


def _certificate_lines(cluster: ResolvedCluster, node: Node) -> list[str]:
    files = [expected.certificate_file(request) for request in expected.certificates(cluster, node)]
    files.append(cluster.ca_cert_path)
    if cluster.etcd.members is not None:
        files.append(etcd_authority(cluster).certificate_path)
    kubeconfigs = [file for file in files if file.endswith(".conf")]
    others = list(dict.fromkeys(file for file in files if not file.endswith(".conf")))
    lines = [
        f"for file in {_words(others)}; do",
        '  [ -e "$file" ] || continue',
        # kubelet-client-current.pem holds a key too: only the certificates leave the host.
        '  printf \'pem\\t%s\\t%s\\n\' "$file" "$(sed -n '
        '\'/^-----BEGIN CERTIFICATE-----/,/^-----END CERTIFICATE-----/p\' "$file" | base64 -w 0)"',
        "done",
    ]
    if kubeconfigs:
        lines += [
            f"for file in {_words(kubeconfigs)}; do",
            '  [ -e "$file" ] || continue',
            "  printf 'pem\\t%s\\t%s\\n' \"$file\" "
            '"$(sed -n \'s/^ *client-certificate-data: *//p\' "$file" | head -n 1)"',
            "done",
        ]
    return lines


def _key_lines(cluster: ResolvedCluster, node: Node) -> list[str]:
    pairs = expected.key_pairs(cluster, node)
    if not pairs:
        return []
    arguments = _words(word for pair in pairs for word in pair)
    return [
        "pair() {",
        "  answer=$(kubectl --kubeconfig /dev/null create secret tls pair --dry-run=client -o name "
        '--cert "$1" --key "$2" 2>&1)',
        "  case $answer in *tls:*) printf 'mismatch\\t%s\\t%s\\n' \"$1\" "
        '"$(printf %s "$answer" | sed -n \'s/.*tls: \\([a-z ]*\\).*/\\1/p\' | head -n 1)" ;; esac',
        "}",
        f"set -- {arguments}",
        "while [ $# -gt 0 ]; do",
        '  if [ -e "$1" ] && [ -e "$2" ]; then pair "$1" "$2" >"$t/pair-$#" & fi',
        "  shift 2",
        "done",
    ]


def _etcd_lines(cluster: ResolvedCluster, node: Node) -> list[str]:
    local = cluster.at(node).etcd.local
    if node.role is Role.WORKER or local is None:
        return []
    pki = cluster.certificates_dir
    endpoint = _words([f"--endpoints={probes.etcd_clients(local, node).url(node)}"])
    authority = _words([f"--cacert={pki}/etcd/ca.crt"])
    peer = _words([f"--cert={pki}/etcd/peer.crt", f"--key={pki}/etcd/peer.key"])
    kubelet_client = _words(
        [f"--cert={pki}/apiserver-kubelet-client.crt", f"--key={pki}/apiserver-kubelet-client.key"]
    )
    # A host of role etcd has no other CA's certificate to try.
    foreign = node.role is Role.CONTROL_PLANE
    few = "--prefix --keys-only --limit=100"
    patient = "--command-timeout=8s"
    # A refused client does not hear why: it goes on trying until its time is over.
    stranger = "--command-timeout=2s"
    return [
        "ask() {",
        "  question=$1; shift",
        '  answer=$("$@" 2>&1); code=$?',
        '  printf \'etcd\\t%s\\t%s\\t%s\\n\' "$question" "$code" '
        "\"$(printf '%s\\n' \"$answer\" | grep -v '^$' | tail -n 3 | cut -c 1-400 | tr '\\t\\n' '  ')\""
        ' >"$t/etcd-$question"',
        "}",
        "if command -v etcdctl >/dev/null 2>&1; then ctl=etcdctl; else",
        "  ctl=\"crictl exec $(crictl ps --name '^etcd$' -q 2>/dev/null | head -n 1) etcdctl\"",
        "fi",
        f"ask with-peer-certificate $ctl {endpoint} {authority} {peer} {patient} get / {few} &",
        f"ask health $ctl {endpoint} {authority} {peer} {patient} endpoint health --cluster &",
        f"ask without-certificate $ctl {endpoint} {authority} {stranger} get / {few} &",
        *(
            [f"ask foreign-certificate $ctl {endpoint} {authority} {kubelet_client} {stranger} get / {few} &"]
            if foreign
            else []
        ),
    ]
