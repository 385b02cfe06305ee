"""The probe itself, run by every shell that this machine has, in a root directory of its own."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from kubeadm_py.facts.collect import PROBE_MARKER, interesting_paths, probe_of, probe_script
from kubeadm_py.facts.parse import parse
from kubeadm_py.model import host_needs, host_settings, paths
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Etcd, ExternalEtcd
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version

SHELLS = [["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"]]
PRESENT = [shell for shell in SHELLS if shutil.which(shell[0])]
PROBE_TEXT = probe_script()

KUBECONFIG = """\
apiVersion: v1
kind: Config
preferences: {}
current-context: system:node:w1@kubernetes
clusters:
- cluster:
    certificate-authority-data: Q0EK
    server: https://10.0.0.1:6443
  name: kubernetes
- cluster:
    server: https://who:hunter2@10.0.0.1:6443
  name: other
contexts:
- context:
    cluster: kubernetes
    user: system:node:w1
  name: system:node:w1@kubernetes
users:
- name: system:node:w1
  user:
    client-certificate-data: Q0VSVAo=
    client-key-data: SEVNTElDSCBLRVk=
    client-key-data: >-
      SEVNTElDSCBGT0xERUQ=
- name: basic
  user:
    username: hunter2
    password: hunter2
    token: hunter2.hunter2
    tokenFile: /hunter2
- {name: flow, user: {token: hunter2}}
"""
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nQ0VSVAo=\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nSEVNTElDSA==\n-----END RSA PRIVATE KEY-----\n"
MANIFEST = """\
spec:

  containers:
  - command: [kube-vip, --authorization-mode=Node]
    env:
    - name: vrrp_password
      value: hunter2
    - name: API_TOKEN
      value: hunter2
    - name: HTTPS_PROXY
      value: http://who:hunter2@proxy:3128
    - {name: DB_SECRET, value: hunter2}
    - value: hunter2
      name: LATE_TOKEN
    - name: port
      value: "6443"
"""
CONTAINERD = """\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.example/pause:3.9"
[plugins."io.containerd.grpc.v1.cri".registry.configs."registry.example".auth]
  username = "me"
  password = "hunter2"
  auth = "hunter2"
  identitytoken = "hunter2"
[host."https://mirror".header]
  authorization = ["Basic hunter2"]"""


class Machine:
    """A directory that the probe takes for the root directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        where = self.root / path.lstrip("/")
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text)
        where.chmod(mode)

    def probe(self, shell: list[str], **options: object) -> tuple[str, HostFacts]:
        # The shell's own patterns for binaries have to move along.
        moved = (
            "/usr/* |",
            "/etc/",
            "/var/lib/",
            "/opt/cni",
            "/run/flannel",
            "/usr/lib/systemd",
            "/usr/bin/kubelet",
        )
        script = probe_script(**options)  # type: ignore[arg-type]
        for folder in moved:
            script = re.sub(rf"(?<![\w*]){re.escape(folder)}", f"{self.root}{folder}", script)
        done = subprocess.run([*shell, "-s"], input=script, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0
        assert done.stderr == ""
        text = done.stdout.replace(str(self.root), "")
        document = json.loads(text.removeprefix(PROBE_MARKER))
        parts: dict[str, bytes] = {}
        for name, chunk in document["parts"]:
            parts[name] = parts.get(name, b"") + base64.b64decode(chunk)
        clear = b"\n".join(parts.values()).replace(str(self.root).encode(), b"")
        document["parts"] = [
            [name, base64.b64encode(text.replace(str(self.root).encode(), b"")).decode()]
            for name, text in parts.items()
        ]
        return clear.decode(), parse(json.dumps(document), round_trip=0.0, operator_clock=0.0)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.write("/etc/kubernetes/kubelet.conf", KUBECONFIG, 0o600)
    machine.write("/etc/kubernetes/pki/ca.crt", CERTIFICATE)
    machine.write("/etc/kubernetes/pki/ca.key", KEY, 0o600)
    machine.write("/etc/kubernetes/pki/etcd/combined.crt", KEY + CERTIFICATE + KEY)
    machine.write("/etc/kubernetes/pki/sa.pub", CERTIFICATE.replace("CERTIFICATE", "PUBLIC KEY"))
    machine.write("/etc/kubernetes/encryption-config.yaml", "secret: hunter2\n", 0o600)
    machine.write("/etc/kubernetes/manifests/kube-vip.yaml", MANIFEST, 0o600)
    machine.write("/etc/containerd/config.toml", CONTAINERD)
    machine.write("/etc/fstab", "UUID=1 / ext4 defaults 0 1\n//nas/x /x cifs username=a,password=hunter2\n")
    machine.write("/etc/environment", "SECRET=hunter2\nHTTP_PROXY=http://p\nFTP_PROXY=http://a:hunter2@p\n")
    machine.write("/etc/cni/net.d/10-flannel.conflist", '{"name": "cbr0"}\n')
    machine.write("/etc/cni/net.d/20-x.json", '{"username": "me", "password": "hunter2"}\n')
    machine.write("/etc/cni/net.d/40-x.json", '[{\n"name": "X_TOKEN",\n"value": "hunter2"\n}]\n')
    machine.write("/etc/cni/net.d/calico-kubeconfig", "token: hunter2\n", 0o600)
    machine.write("/var/lib/kubelet/pki/kubelet-client-current.pem", CERTIFICATE + KEY, 0o600)
    machine.write("/var/lib/kubelet/config.yaml", "authorization:\n  mode: Webhook\n\nkind: X")
    machine.write("/var/lib/kubeadm-py/inventory.json", '{"files": {"/etc/own.conf": {"mode": "0600"}}}\n')
    machine.write("/usr/bin/kubelet", "#!/bin/sh\n", 0o755)
    return machine


@pytest.mark.parametrize("shell", PRESENT, ids=" ".join)
def test_the_answer_holds_no_secret(machine: Machine, shell: list[str]) -> None:
    clear, _ = machine.probe(shell)
    for secret in ("hunter2", "SEVNTElDSA", "SEVNTElDSC", "PRIVATE KEY"):
        assert secret not in clear


@pytest.mark.parametrize("shell", PRESENT, ids=" ".join)
def test_what_is_no_secret_arrives_as_it_is(machine: Machine, shell: list[str]) -> None:
    _, facts = machine.probe(shell)
    files = facts.files
    assert files["/etc/kubernetes/pki/ca.crt"].content == CERTIFICATE.encode()
    assert not files["/etc/kubernetes/pki/ca.crt"].partial
    assert files["/etc/kubernetes/pki/etcd/combined.crt"].content == CERTIFICATE.encode()
    assert files["/etc/kubernetes/pki/etcd/combined.crt"].partial
    assert files["/var/lib/kubelet/pki/kubelet-client-current.pem"].content == CERTIFICATE.encode()
    assert b"BEGIN PUBLIC KEY" in (files["/etc/kubernetes/pki/sa.pub"].content or b"")
    # Empty lines stay, and so does a missing newline at the end.
    config = files["/var/lib/kubelet/config.yaml"]
    assert (config.content, config.partial) == (b"authorization:\n  mode: Webhook\n\nkind: X", False)
    key = files["/etc/kubernetes/pki/ca.key"]
    assert (key.sha256, key.mode, key.content) == (hashlib.sha256(KEY.encode()).hexdigest(), 0o600, None)
    assert files["/etc/cni/net.d/calico-kubeconfig"].content is None
    assert files["/etc/kubernetes/pki"].directory
    assert facts.cri_sandbox_image == "registry.example/pause:3.9"
    assert facts.directories["/etc/cni/net.d"] == 4


@pytest.mark.parametrize("shell", PRESENT, ids=" ".join)
def test_what_the_config_names_is_hashed_wherever_it_lies_and_its_secrets_stay(
    machine: Machine, shell: list[str]
) -> None:
    tool, note = f"{machine.root}/usr/local/bin/tool", f"{machine.root}/etc/sysctl.d/kube-note.conf"
    machine.write("/usr/local/bin/tool", "#!/bin/sh\n", 0o755)
    machine.write("/etc/sysctl.d/kube-note.conf", "net.x = hunter2\n", 0o600)
    clear, facts = machine.probe(
        shell, extra_paths=[tool, note], secrets=[note], owners=["root:root", "nobody-here:root"]
    )
    assert "hunter2" not in clear
    files = facts.files
    assert files["/usr/local/bin/tool"].sha256 == hashlib.sha256(b"#!/bin/sh\n").hexdigest()
    assert files["/etc/sysctl.d/kube-note.conf"].content is None
    assert files["/etc/sysctl.d/kube-note.conf"].sha256
    assert facts.unknown_owners == ("nobody-here:root",)


def test_a_kubeconfig_keeps_what_tells_clusters_apart(machine: Machine) -> None:
    _, facts = machine.probe(PRESENT[0])
    text = (facts.files["/etc/kubernetes/kubelet.conf"].content or b"").decode()
    for kept in (
        "current-context: system:node:w1@kubernetes",
        "    server: https://10.0.0.1:6443",
        "    certificate-authority-data: Q0EK",
        "    client-certificate-data: Q0VSVAo=",
        "- name: system:node:w1",
    ):
        assert kept in text.splitlines()


def test_a_manifest_keeps_its_other_lines(machine: Machine) -> None:
    _, facts = machine.probe(PRESENT[0])
    fact = facts.files["/etc/kubernetes/manifests/kube-vip.yaml"]
    lines = (fact.content or b"").decode().splitlines()
    assert fact.partial
    assert len(lines) == len(MANIFEST.splitlines())
    assert lines[1] == ""
    assert '      value: "6443"' in lines
    assert lines.count("# a line with a credential, withheld") == 5


def test_the_inventory_arrives_and_its_paths_are_looked_at(machine: Machine) -> None:
    machine.write("/etc/own.conf", "ours\n", 0o600)
    inventory = machine.root / "var/lib/kubeadm-py/inventory.json"
    inventory.write_text(json.dumps({"files": {f"{machine.root}/etc/own.conf": {"mode": "0600"}}}))
    _, facts = machine.probe(PRESENT[0])
    assert facts.files["/etc/own.conf"].sha256 == hashlib.sha256(b"ours\n").hexdigest()
    assert facts.inventory is not None
    assert json.loads(facts.inventory) == {"files": {"/etc/own.conf": {"mode": "0600"}}}


def test_binaries_are_hashed_only_when_asked(machine: Machine) -> None:
    _, plain = machine.probe(PRESENT[0])
    assert plain.files["/usr/bin/kubelet"].size == len("#!/bin/sh\n")
    assert plain.binary_sha256 == {}
    _, hashed = machine.probe(PRESENT[0], hash_binaries=True)
    digest = hashlib.sha256(b"#!/bin/sh\n").hexdigest()
    assert hashed.binary_sha256["/usr/bin/kubelet"] == digest


def test_further_paths_are_described(machine: Machine) -> None:
    machine.write("/srv/pki/ca.crt", CERTIFICATE)
    machine.write("/srv/pki/ca.key", KEY)
    _, facts = machine.probe(PRESENT[0], extra_paths=[f"{machine.root}/srv/pki"])
    assert facts.files["/srv/pki/ca.crt"].content == CERTIFICATE.encode()
    assert facts.files["/srv/pki/ca.key"].content is None
    assert facts.directories["/srv/pki"] == 2
    assert "/srv/pki" in facts.disks


@pytest.mark.parametrize("shell", PRESENT, ids=" ".join)
@pytest.mark.parametrize(
    "environment", [{}, {"PATH": "/nonexistent"}, {"PATH": "", "IFS": "x", "CDPATH": "/"}], ids=str
)
def test_the_probe_answers_in_any_environment(shell: list[str], environment: dict[str, str]) -> None:
    program = shutil.which(shell[0])
    assert program is not None
    wrapped = f'set -eu\n{PROBE_TEXT}\necho after-$-\nread -r line\necho "$line"\nthe rest of stdin'
    done = subprocess.run(
        [program, *shell[1:], "-c", wrapped.removesuffix("the rest of stdin")],
        input="the rest of stdin\n",
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    answer, after, rest = done.stdout.splitlines()
    assert answer.startswith(PROBE_MARKER)
    # The shell around it keeps its options and its standard input.
    assert "e" in after.removeprefix("after-")
    assert "u" in after.removeprefix("after-")
    assert rest == "the rest of stdin"
    facts = parse(answer, round_trip=0.0, operator_clock=0.0)
    assert facts.kernel == os.uname().release
    assert facts.uid == os.geteuid()
    assert facts.cpus >= 1
    assert "mount" in facts.executables


def test_proxies_are_told_without_their_passwords() -> None:
    environment = {"HTTPS_PROXY": "http://me:hunter2@proxy:3128", "no_proxy": "10.0.0.0/8"}
    done = subprocess.run(
        [*PRESENT[0], "-s"], input=PROBE_TEXT, env=environment, capture_output=True, text=True, timeout=60
    )
    facts = parse(done.stdout, round_trip=0.0, operator_clock=0.0)
    assert facts.environment["HTTPS_PROXY"] == "http://withheld@proxy:3128"
    assert facts.environment["no_proxy"] == "10.0.0.0/8"


def test_the_script_asks_about_what_the_model_lists() -> None:
    for path in (*host_settings.PROBED_FILES, *host_settings.PROBED_BINARIES):
        assert path in PROBE_TEXT
    for name in host_settings.PROBED_SYSCTLS:
        assert name.replace(".", "/") in PROBE_TEXT
    for path in (paths.INVENTORY, paths.INCOMING_BLOBS):
        assert PROBE_TEXT.count(path) == 1, "the text beside the questions names none of our own files"
    assert PROBE_MARKER in PROBE_TEXT


@pytest.mark.parametrize("shell", PRESENT, ids=" ".join)
def test_every_program_that_add_ons_ask_for_is_found(shell: list[str], tmp_path: Path) -> None:
    for name in host_needs.PROBED_COMMANDS:
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        [*shell, "-s"], input=PROBE_TEXT, env=environment, capture_output=True, text=True, timeout=60
    )
    found = parse(done.stdout, round_trip=0.0, operator_clock=0.0).executables
    assert {name: found.get(name) for name in host_needs.PROBED_COMMANDS} == {
        name: str(tmp_path / name) for name in host_needs.PROBED_COMMANDS
    }


def test_values_from_outside_are_quoted() -> None:
    script = probe_script(extra_paths=["/a'; touch /tmp/x; '"], cri_socket="unix:///run/my.sock")
    assert """/a'"'"'; touch /tmp/x; '"'"''""" in script
    assert "PROBE_CRI_SOCKET=/run/my.sock\n" in script


def test_interesting_paths_are_those_that_only_the_config_names() -> None:
    node = Node("cp1", Role.CONTROL_PLANE, ("10.0.0.1",), cri_socket="unix:///run/crio.sock")
    cluster = ResolvedCluster(
        "demo",
        Version.parse("v1.36.3"),
        (node,),
        certificates_dir="/srv/pki",
        etcd=Etcd(None, ExternalEtcd(("https://e:2379",), ca_file="/srv/etcd/ca.crt")),
        kubelet_config={"resolvConf": "/etc/kubelet-resolv.conf"},
    )
    assert interesting_paths(cluster, node) == (
        "/srv/pki",
        "/etc/kubelet-resolv.conf",
        "/srv/etcd/ca.crt",
        "/run/crio.sock",
    )
    plain = ResolvedCluster("demo", Version.parse("v1.36.3"), (node,))
    assert interesting_paths(plain, Node("w1", Role.WORKER, ("10.0.0.2",))) == (
        "/run/containerd/containerd.sock",
    )


def versions_asked(folder: Path, shell: list[str], kept: Path) -> tuple[dict[str, str], int]:
    """Return the versions that the probe finds, and how often it has asked kubectl so far."""
    script = re.sub(
        r"(?m)^PROBE_VERSIONS=.*$", f"PROBE_VERSIONS={kept}", probe_script(parts=["system", "version"])
    )
    environment = {"PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(
        [*shell, "-s"], input=script, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    asked = folder / "asked"
    times = len(asked.read_text().splitlines()) if asked.exists() else 0
    return dict(parse(done.stdout, round_trip=0.0, operator_clock=0.0).binary_versions), times


def big_program(path: Path, version: str, padding: int = 1_100_000) -> None:
    text = f"#!/bin/sh\necho x >>{path.parent}/asked\necho 'Client Version: {version}'\nexit\n# "
    path.write_text(text + "x" * padding)
    path.chmod(0o755)


@pytest.mark.parametrize("shell", PRESENT, ids=" ".join)
def test_a_program_is_asked_for_its_version_once(shell: list[str], tmp_path: Path) -> None:
    kept = tmp_path / "run/versions"
    kept.parent.mkdir()
    big_program(tmp_path / "kubectl", "v1.36.3")
    for _ in range(2):
        versions, times = versions_asked(tmp_path, shell, kept)
        assert (versions["kubectl"], times) == ("v1.36.3", 1)
    assert kept.stat().st_mode & 0o777 == 0o700
    big_program(tmp_path / "new", "v1.36.4")
    (tmp_path / "new").rename(tmp_path / "kubectl")
    versions, times = versions_asked(tmp_path, shell, kept)
    assert (versions["kubectl"], times) == ("v1.36.4", 2)


def test_a_small_program_may_be_a_script_that_starts_another_one(tmp_path: Path) -> None:
    kept = tmp_path / "run/versions"
    kept.parent.mkdir()
    big_program(tmp_path / "kubectl", "v1.36.3", padding=0)
    assert [versions_asked(tmp_path, PRESENT[0], kept)[1] for _ in range(2)] == [1, 2]


def test_where_no_folder_of_ours_is_nothing_is_kept(tmp_path: Path) -> None:
    big_program(tmp_path / "kubectl", "v1.36.3")
    kept = tmp_path / "run/versions"
    assert [versions_asked(tmp_path, PRESENT[0], kept)[1] for _ in range(2)] == [1, 2]
    assert not kept.parent.exists()


ETCDCTL = """\
#!/bin/sh
case "$*${ETCDCTL_CACERT-}" in
  *old:2379*--cacert=/ca.crt*--cert=/c.crt*--key=/c.key*)
    echo '{"level":"warn","msg":"something harmless"}' >&2
    echo '[{"Endpoint":"https://old:2379","Status":{"header":{"revision":1},"version":"3.5.9"}}]' ;;
  *dead:2379*)
    echo '{"level":"warn","error":"rpc error: desc = \\"Error while dialing: connection refused\\""}' >&2
    echo 'Failed to get the status of endpoint https://dead:2379 (context deadline exceeded)' >&2
    echo null
    exit 1 ;;
  *odd:2379*) echo '[{"Status":{"version":"banana"}}]' ;;
  *) echo "Error: open /nope: no such file or directory" >&2; exit 1 ;;
esac
"""


def test_an_etcd_that_others_run_is_asked_with_the_clients_files(tmp_path: Path) -> None:
    program = tmp_path / "etcdctl"
    program.write_text(ETCDCTL)
    program.chmod(0o755)
    hosts = ("old", "dead", "odd", "else")
    etcd = ExternalEtcd(tuple(f"https://{host}:2379" for host in hosts), (), "/ca.crt", "/c.crt", "/c.key")
    script = probe_script(external_etcd=etcd, parts=["system", "etcd"])
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "ETCDCTL_CACERT": "/somebody/elses"}
    done = subprocess.run(
        [*PRESENT[0], "-s"], input=script, env=environment, capture_output=True, text=True, timeout=60
    )
    facts = parse(done.stdout, round_trip=0.0, operator_clock=0.0)
    old, dead, odd, other = (facts.external_etcd[endpoint] for endpoint in etcd.endpoints)
    assert (old.version, old.error) == ("v3.5.9", "")
    assert (dead.version, dead.error) == ("", "Error while dialing: connection refused")
    assert odd.version == ""
    assert "banana" in odd.error
    assert other.error == "Error: open /nope: no such file or directory"


def test_nobody_asks_an_etcd_without_etcdctl_or_without_such_an_etcd(tmp_path: Path) -> None:
    for script in (
        probe_script(parts=["system", "etcd"]),
        probe_script(external_etcd=ExternalEtcd(("https://e:2379",)), parts=["system", "etcd"]),
    ):
        done = subprocess.run([*PRESENT[0], "-s"], input=script, capture_output=True, text=True, timeout=60)
        assert parse(done.stdout, round_trip=0.0, operator_clock=0.0).external_etcd == {}


CTR = """\
#!/bin/sh
case "$*" in
  *"namespaces ls -q") printf 'k8s.io\\nmoby\\n' ;;
  *"-n k8s.io containers ls -q") printf 'gone\\npod\\nforeign\\n' ;;
  *"-n k8s.io containers ls -q labels."*) echo pod ;;
  *"-n k8s.io containers info foreign") echo '{}' ;;
  *"-n moby containers ls -q") echo other ;;
  *) exit 1 ;;
esac
"""


@pytest.mark.parametrize("shell", PRESENT, ids=" ".join)
def test_a_container_that_ends_while_the_runtime_is_asked_is_nobodys(
    tmp_path: Path, shell: list[str]
) -> None:
    """It is in the list of all, and no more in that of the kubelet's, which is asked for next."""
    program = tmp_path / "ctr"
    program.write_text(CTR)
    program.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "c.sock"))
        script = probe_script(cri_socket=str(tmp_path / "c.sock"), parts=["system", "containers"])
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(
            [*shell, "-s"], input=script, env=environment, capture_output=True, text=True, timeout=60
        )
    facts = parse(done.stdout, round_trip=0.0, operator_clock=0.0)
    assert sorted(facts.others_containers) == ["k8s.io/foreign", "moby/other"]


def test_only_control_planes_ask_it() -> None:
    nodes = tuple(Node(role.value, role, ("10.0.0.1",)) for role in (Role.CONTROL_PLANE, Role.WORKER))
    etcd = Etcd(None, ExternalEtcd(("https://e:2379",), ca_file="/srv/etcd/ca.crt"))
    cluster = ResolvedCluster("demo", Version.parse("v1.36.3"), nodes, etcd=etcd)
    asked, silent = (probe_of(cluster, node) for node in nodes)
    assert "PROBE_ETCD=https://e:2379\n" in asked
    assert "PROBE_ETCD_CA=/srv/etcd/ca.crt\n" in asked
    assert "PROBE_ETCD=''\n" in silent
    assert "/srv/etcd/ca.crt" in asked
