"""Old files are carried to v1beta4: nothing is lost silently, and we and real kubeadm take the result."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab import components, gobuild, paths

from kubeadm_py.config.load import ConfigError, load
from kubeadm_py.config.migrate.comments import find_comments
from kubeadm_py.config.migrate.keys import KEYS
from kubeadm_py.config.migrate.notes import Fate
from kubeadm_py.config.migrate.translate import CHAIN, Migrated, migrate
from kubeadm_py.config.migrate.tree import from_node, walk
from kubeadm_py.config.old_versions import KUBEADM_OF, how_to_migrate, old_version
from kubeadm_py.config.problems import key_path
from kubeadm_py.config.yaml_nodes import read_stream

FOLDER = Path(__file__).parent / "cases"
CASES = sorted(FOLDER.glob("v1*.yaml"))
FROM_V1BETA3 = ["v1beta3-homelab.yaml", "v1beta3-external-etcd.yaml"]


def migrated(case: Path) -> Migrated:
    return migrate(case.read_text(), case.name, folder=FOLDER)


def of_text(text: str, **options: Any) -> Migrated:
    return migrate(text, "old.yaml", folder=FOLDER, **options)


def kubeadm() -> Path:
    """Return real kubeadm: what the lab keeps as an oracle, or built for its nodes."""
    kubernetes = components.load()["kubernetes"]
    for binary in (
        paths.cache() / "oracle" / kubernetes.version / "kubeadm",
        gobuild.built(kubernetes) / "kubeadm",
    ):
        if binary.is_file():
            return binary
    pytest.skip("the lab has no kubeadm here")


def ask(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(kubeadm()), "config", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_there_is_a_file_of_every_version() -> None:
    assert len(CASES) >= 12
    assert {case.name.partition("-")[0] for case in CASES} == set(CHAIN) == set(KEYS) == set(KUBEADM_OF)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_becomes_what_was_looked_at(case: Path) -> None:
    result = migrated(case)
    assert result.text == case.with_suffix(".out").read_text()
    moved = "".join(f"{note.location} {note.key} -> {note.message}\n" for note in result.of(Fate.MOVED))
    assert moved == case.with_suffix(".moved").read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_every_key_stays_or_is_told_of(case: Path) -> None:
    result = migrated(case)
    stays = without_comments(result.text)
    told = {note.key for note in result.notes}
    for root in read_stream(case.read_text(), case.name).documents:
        document = from_node(root)
        for value in walk(document) if document.mapping["kind"].text not in told else ():
            above = {key_path(value.was[:length]) for length in range(len(value.was) + 1)}
            says_nothing = isinstance(value.content, dict | list) or value.content in ("", False, None)
            if value.was[:1] not in (("apiVersion",), ("kind",)) and not says_nothing and not above & told:
                kept = "controlPlane:" if value.was == ("controlPlane",) else str(value.content)
                assert kept in stays or f": {value.raw}\n" in stays, value.was


def without_comments(text: str) -> str:
    return "\n".join(line.partition("#")[0] for line in text.splitlines())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_every_comment_stays(case: Path) -> None:
    old, new = find_comments(case.read_text()), migrated(case).text
    comments = [*old.beside.values(), *(text for texts in old.above.values() for text in texts), *old.last]
    for comment in comments:
        assert new.count(comment) == 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_our_own_reader_takes_the_result_and_nothing_more_is_to_do(case: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.yaml"
    new.write_text(migrated(case).text)
    loaded = load(str(new))
    assert loaded.cluster.nodes
    again = migrate(new.read_text(), "new.yaml", folder=tmp_path)
    assert again == Migrated(new.read_text(), (), ())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_real_kubeadm_takes_the_result(case: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.yaml"
    new.write_text(migrated(case).text)
    answer = ask("validate", "--config", new)
    assert (answer.returncode, answer.stdout) == (0, "ok\n"), answer.stderr


@pytest.mark.parametrize("name", FROM_V1BETA3)
def test_real_kubeadm_makes_the_same_of_v1beta3(name: str, tmp_path: Path) -> None:
    new = tmp_path / "new.yaml"
    new.write_text(migrated(FOLDER / name).text)
    theirs, ours = ask("migrate", "--old-config", FOLDER / name), ask("migrate", "--old-config", new)
    assert theirs.returncode == 0, theirs.stderr
    assert ours.returncode == 0, ours.stderr
    assert comparable(ours.stdout) == comparable(theirs.stdout)


def comparable(text: str) -> dict[str, Any]:
    """Return documents by kind, flags in one order, without what kubeadm draws by lot or takes from here."""
    found = {document["kind"]: document for document in yaml.safe_load_all(text)}
    for document in found.values():
        for arguments in lists_of_flags(document):
            arguments.sort(key=lambda argument: argument["name"])
    found.get("InitConfiguration", {}).pop("localAPIEndpoint", None)
    for kind in ("InitConfiguration", "JoinConfiguration"):
        # Of a file with both kubeadm gives the one's timeout to the other, too.
        found.get(kind, {}).get("timeouts", {}).pop("controlPlaneComponentHealthCheck", None)
        for token in found.get(kind, {}).get("bootstrapTokens", []):
            token.pop("token", None)
    return found


def lists_of_flags(value: Any) -> list[list[dict[str, str]]]:
    found = []
    for key, inner in value.items() if isinstance(value, dict) else ():
        if key in ("extraArgs", "kubeletExtraArgs"):
            found.append(inner)
        found += lists_of_flags(inner)
    return found


@pytest.mark.parametrize("name", FROM_V1BETA3)
def test_a_timeout_of_v1beta3_is_where_kubeadm_puts_it(name: str) -> None:
    documents = {document["kind"]: document for document in yaml.safe_load_all(migrated(FOLDER / name).text)}
    if name == "v1beta3-homelab.yaml":
        assert documents["InitConfiguration"]["timeouts"] == {"controlPlaneComponentHealthCheck": "6m0s"}
    else:
        assert documents["JoinConfiguration"]["timeouts"] == {"discovery": "3m0s"}


@pytest.mark.parametrize("version", CHAIN)
def test_other_commands_say_which_version_it_is_and_what_to_type(version: str, tmp_path: Path) -> None:
    kind = next(iter(KEYS[version]))
    file = tmp_path / "my cluster.yaml"
    file.write_text(f"apiVersion: kubeadm.k8s.io/{version}\nkind: {kind}\n---\n" * 2)
    with pytest.raises(ConfigError) as refused:
        load(str(file))
    (problem,) = refused.value.problems
    assert problem.line == 1
    assert problem.message == (
        f"kubeadm.k8s.io/{version} is of {KUBEADM_OF[version]}; translate the file: "
        f"kubeadm-py config migrate --old-config '{file}' --new-config '{tmp_path}/my cluster-v1beta4.yaml'"
    )


def test_what_to_type_for_standard_input() -> None:
    line = how_to_migrate("kubeadm.k8s.io/v1beta2", "<stdin>")
    assert line.endswith("--old-config - --new-config cluster-v1beta4.yaml")
    assert old_version("kubeadm.k8s.io/v1beta4") == old_version("v1") == old_version("x/v1beta3") == ""


HEAD = "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\n"


NO_SUCH = "v1beta3 has no such key here; did you mean"
FIRST = "apiVersion: kubeadm.k8s.io/v1alpha1\nkind: MasterConfiguration\n"
SECOND = FIRST.replace("v1alpha1", "v1alpha2")
JOIN = "apiVersion: kubeadm.k8s.io/v1beta1\nkind: JoinConfiguration\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + "clusterNam: a\n", f"old.yaml:3:1   clusterNam   {NO_SUCH} clusterName?"),
        (HEAD + "apiServer: {extraArg: {}}\n", f"apiServer.extraArg   {NO_SUCH} extraArgs?"),
        (HEAD + "clusterName: a\nclusterName: b\n", "old.yaml:4:1   clusterName   the key is given twice"),
        (HEAD.replace("Cluster", "Clstr"), 'has no kind "ClstrConfiguration": one of'),
        (HEAD + "networking: [a]\n", "old.yaml:3:1   networking   a list where a mapping is wanted"),
        (HEAD + "networking: {podSubnet: 10.0.0.0/33}\n", "old.yaml:3:14   networking.podSubnet"),
        (HEAD + "apiServer: {extraArgs: {oidc-issuer: x}}\n", "3:25   apiServer.extraArgs.oidc-issuer"),
        (HEAD + "apiServer: {extraArgs: {event-ttl: x}}\n", "takes a duration"),
        (HEAD + "apiServer: {extraArgs: [a]}\n", "apiServer.extraArgs"),
        (HEAD + "dns: {}\n---\n" + HEAD + "dns: {}\n", "old.yaml:5:1   ClusterConfiguration   a second one"),
        ("- a\n", "not a mapping"),
        ("# nothing\n", "no document in it"),
        ("apiVersion: v1\nkind: Pod\n", "a foreign document"),
        (SECOND + "apiServerExtraArgs: x\n", "old.yaml:3:1   apiServerExtraArgs"),
        (FIRST + "token: [x]\n", "old.yaml:3:1   token"),
        (JOIN + "discovery: {bootstrapToken: {token: bad}}\n", "discovery.bootstrapToken.token"),
    ],
)
def test_mistakes_are_told_with_the_place_in_the_old_file(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        of_text(text)
    assert words in str(refused.value)


def test_unknown_keys_may_be_left_out() -> None:
    result = of_text(HEAD + "clusterNam: a # why\n", allow_unknown_fields=True)
    assert [(note.fate, note.key) for note in result.notes] == [(Fate.DROPPED, "clusterNam")]
    assert "# why" in result.text


def test_a_new_file_comes_back_as_it_is() -> None:
    text = "# mine\n" + HEAD.replace("v1beta3", "v1beta4") + "clusterName:   a\n"
    assert of_text(text) == Migrated(text, (), ())
    with pytest.raises(ConfigError, match="clusterNam "):
        of_text(HEAD.replace("v1beta3", "v1beta4") + "clusterNam: a\n")


def test_values_keep_their_type_and_comments_their_line() -> None:
    text = (
        HEAD
        + "# above\napiServer:  # beside\n  extraArgs:\n    event-ttl: 1h # one\n    # two\n    v: '4'\n"
        + "  certSANs: ['*.example.org', \"yes.example\", y.example]\nclusterName: 'true' # it's #1\n# end\n"
    )
    result = of_text(text)
    assert result.text.splitlines()[1:] == [
        "apiVersion: kubeadm.k8s.io/v1beta4",
        "kind: ClusterConfiguration",
        "# above",
        "apiServer:  # beside",
        "  extraArgs:",
        "  - name: event-ttl",
        "    value: 1h  # one",
        "  # two",
        "  - name: v",
        "    value: '4'",
        "  certSANs:",
        "  - '*.example.org'",
        "  - yes.example",
        "  - y.example",
        "clusterName: 'true'  # it's #1",
        "# end",
    ]
    assert find_comments("a: |\n  # no comment\n  b\nc: 'x # no'\n").beside == {}


def test_the_result_never_repeats_a_token_in_its_notes() -> None:
    for case in CASES:
        for note in migrated(case).notes:
            assert not re.search(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b", note.message)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("token: abcdef.0123456789abcdef\ntokenTTL: 3600000000000", "ttl: 3600000000000ns"),
        ("authorizationMode: RBAC", None),
        ("authorizationMode: ABAC", "value: Node,RBAC,ABAC"),
        ("noTaintMaster: false", None),
        ("etcd: {caFile: /ca.crt, image: 'etcd'}", None),
        ("apiServerExtraArgs: {cloud-provider: external}", None),
        ("controllerManagerExtraArgs: {cloud-provider: external}", "value: external"),
        ("controllerManagerExtraArgs: {port: '0'}", None),
        ("apiServerExtraArgs: {admission-control: A, enable-admission-plugins: NodeRestriction}",
         "value: NodeRestriction"),
        ("auditPolicy: {path: /p.yaml}\nfeatureGates: {Auditing: true}",
         "value: /var/log/kubernetes/audit/audit.log"),
    ],
)  # fmt: skip
def test_odd_keys_of_the_first_version(old: str, new: str | None) -> None:
    result = of_text(f"apiVersion: kubeadm.k8s.io/v1alpha1\nkind: MasterConfiguration\n{old}\nnodeName: a\n")
    body = without_comments(result.text)
    if new is None:
        assert "extraArgs" not in body
        assert result.of(Fate.DROPPED)
    else:
        assert new in body
