"""Whatever a value is, what is written is read back as the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kubeadm_py.config.migrate.comments import Comments
from kubeadm_py.config.migrate.tree import OldDocument, Value
from kubeadm_py.config.migrate.write import write
from kubeadm_py.config.yaml_nodes import plain, read_stream

TEXT = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Co", "Cn"))),
    st.text("ab: #-'\"\n\t{}[]&*!|>%@`,?0123456789.eExXoO_~yYnN", max_size=12),
    st.sampled_from(
        ["", "yes", "n", "0x1F", "1e3", "2026-01-01", "null", "~", "1:30", "a\nb", "a\nb\n", " a", "a\n\n"]
    ),
)
DATA = st.recursive(
    st.one_of(TEXT, st.booleans(), st.integers(-(2**31), 2**31)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(TEXT.filter(bool), inner, max_size=3)
    ),
    max_leaves=8,
)


def value(data: object) -> Value:
    if isinstance(data, dict):
        return Value({key: value(inner) for key, inner in data.items()}, 0, 0, ())
    if isinstance(data, list):
        return Value([value(inner) for inner in data], 0, 0, ())
    return Value(data, 0, 0, (), str(data).lower())  # type: ignore[arg-type]  # data is a scalar here


@settings(max_examples=100)
@given(st.dictionaries(TEXT.filter(lambda key: key not in ("", "apiVersion", "kind")), DATA, min_size=1))
def test_is_read_back_as_it_was(data: dict[str, object]) -> None:
    document = OldDocument("a.yaml", "v1", "Thing", value(data))
    text = write([document], Comments())
    (root,) = read_stream(text, "a.yaml").documents
    assert plain(root) == {"apiVersion": "v1", "kind": "Thing", **data}
