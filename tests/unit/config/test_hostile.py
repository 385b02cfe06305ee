"""Whatever a config file holds, it is read or refused within two seconds, and never ends in a traceback."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeadm_py.config.load import ConfigError, load
from kubeadm_py.config.source import read_text

CASES = Path(__file__).parent / "cases" / "accepted"
CLUSTER = b"apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
INIT = b"apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"
OURS = b"apiVersion: kubeadm-py.io/v1alpha1\nkind: Cluster\nmetadata: {name: a}\n"
MANY = 9000

FILES = {
    "10 MB": b"a: b\n" * 2_000_000,
    "documents": b"---\n" * 200_000,
    "open brackets": b"a: " + b"[" * 400_000,
    "keys": CLUSTER + b"".join(b"k%d: v\n" % i for i in range(MANY)),
    "duplicate keys": CLUSTER + b"a: b\n" * MANY,
    "same kinds": (CLUSTER + b"---\n") * (MANY // 6),
    "long key": CLUSTER + b"k" * 900_000 + b": v\n",
    "long number": CLUSTER + b"kubernetesVersion: " + b"1" * 900_000,
    "long subnet": CLUSTER + b"networking: {podSubnet: '" + b"1/1," * 200_000 + b"'}",
    "long name": CLUSTER + b"apiServer: {certSANs: ['" + b"a-." * 300_000 + b"']}",
    "long repository": CLUSTER + b"imageRepository: a/" + b"a__" * 300_000 + b"!",
    "long duration": CLUSTER + b"certificateValidityPeriod: " + b"1" * 800_000 + b"h",
    "bad names": CLUSTER + b"apiServer: {certSANs: [" + b"_," * (2 * MANY) + b"]}",
    "gates": CLUSTER + b"featureGates: {" + b"".join(b"G%d: true, " % i for i in range(MANY)) + b"}",
    "phases": INIT + b"skipPhases: [" + b"".join(b"addon/kubeproxy%d," % i for i in range(MANY)) + b"]",
    "add-ons": OURS + b"spec: {addons: [" + b"".join(b"flanel%d," % i for i in range(MANY)) + b"]}",
    "hosts": OURS
    + b"spec: {hosts: ["
    + b"".join(b"{name: n%d, role: worker, address: 10.1.2.3}," % i for i in range(MANY // 4))
    + b"]}",
}


@pytest.mark.parametrize("name", FILES)
def test_refused_in_time(name: str, tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_bytes(FILES[name])
    began = time.process_time()
    with pytest.raises(ConfigError, match=r"cluster\.yaml") as refused:
        load(str(file))
    assert time.process_time() - began < 2
    assert len(refused.value.problems) < 60
    assert len(str(refused.value)) < 40_000


def test_file_that_is_no_file(tmp_path: Path) -> None:
    for path, words in (
        (str(tmp_path / "missing.yaml"), "missing.yaml   no such file"),
        (str(tmp_path), "a directory"),
        ("/dev/zero", "larger than 1 MiB"),
        ("a\0b", "cannot be read"),
        ("x" * 5000, "cannot be read: File name too long"),
        (str(tmp_path / "f" / "g"), "cannot be read: Not a directory"),
        ("", "the file's name is empty"),
    ):
        (tmp_path / "f").touch()
        with pytest.raises(ConfigError) as refused:
            load(path)
        assert words in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "kind: JoinConfiguration\ndiscovery: {file: {kubeConfigPath: NAME}}\n",
        "kind: InitConfiguration\npatches: {directory: NAME}\n",
    ],
)
def test_a_name_in_it_that_no_file_can_have(text: str, tmp_path: Path) -> None:
    file = tmp_path / "k.yaml"
    file.write_text("apiVersion: kubeadm.k8s.io/v1beta4\n" + text.replace("NAME", "x" * 300))
    with pytest.raises(ConfigError, match="no such") as refused:
        load(str(file))
    assert refused.value.problems[0].line


def test_unreadable_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError, match="may not be read by this user"):
        load("cluster.yaml")


def test_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + CLUSTER)
    assert read_text(str(file)) == CLUSTER.decode()


SNIPPETS = [
    *(
        "\t",
        ":",
        "- ",
        "{",
        "}",
        "[",
        "]",
        "'",
        '"',
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "? ",
        "|\n",
        "#",
        "---\n",
    ),
    *("null", "yes", "-1", "1e999", "0x", ".nan", "\x00", "\x1b", "\ufeff", "é", "😀", "10.96.0.0/8", "a_b"),
]
TEXT = (CASES / "full.yaml").read_text()
LINES = TEXT.splitlines(keepends=True)

mutation = st.one_of(
    st.tuples(st.just("insert"), st.integers(0, len(TEXT)), st.sampled_from(SNIPPETS)),
    st.tuples(st.just("delete"), st.integers(0, len(TEXT)), st.integers(1, 40)),
    st.tuples(st.just("copy"), st.integers(0, len(LINES) - 1), st.integers(0, len(LINES) - 1)),
    st.tuples(st.just("replace"), st.integers(0, len(LINES) - 1), st.sampled_from(SNIPPETS)),
)


def mutated(text: str, change: tuple[str, int, object]) -> str:
    kind, at, what = change
    if kind == "insert":
        return text[:at] + str(what) + text[at:]
    if kind == "delete":
        assert isinstance(what, int)
        return text[:at] + text[at + what :]
    lines = text.splitlines(keepends=True) or [""]
    at %= len(lines)
    if kind == "copy":
        assert isinstance(what, int)
        lines.insert(at, lines[what % len(lines)])
    else:
        key = lines[at].partition(":")[0]
        lines[at] = f"{key}: {what}\n"
    return "".join(lines)


@settings(max_examples=150)
@given(st.lists(mutation, min_size=1, max_size=4))
def test_a_mutated_config_is_read_or_refused(tmp_path: Path, changes: list[tuple[str, int, object]]) -> None:
    text = TEXT
    for change in changes:
        text = mutated(text, change)
    file = tmp_path / "cluster.yaml"
    file.write_bytes(text.encode())
    error = outcome(file, allow_unknown_fields=len(changes) % 2 == 0)
    if error is not None:
        assert error.problems
        assert all(problem.message and problem.file == str(file) for problem in error.problems)
        assert "abcdef.0123456789abcdef" not in str(error)


def outcome(file: Path, *, allow_unknown_fields: bool) -> ConfigError | None:
    try:
        load(str(file), allow_unknown_fields=allow_unknown_fields)
    except ConfigError as refused:
        return refused
    return None
