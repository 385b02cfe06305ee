"""The table of components, and what names a build."""

from dataclasses import replace

from lab.components import Component, load

PART = Component(
    name="part",
    version="v1.36.3",
    modules=["example.org/part"],
    binaries={"part": "example.org/part/cmd/part"},
    versions={"example.org/part.Version": "{version}", "example.org/part.Minor": "{minor}"},
)


def test_linker_flags_carry_the_version() -> None:
    flags = PART.linker_flags.split()
    assert "example.org/part.Version=v1.36.3" in flags
    assert "example.org/part.Minor=36" in flags
    assert "-static" not in flags
    assert "-static" in replace(PART, cgo=True).linker_flags.split()


def test_whatever_shapes_a_binary_names_its_build() -> None:
    assert PART.key.startswith("v1.36.3-")
    others = [
        replace(PART, version="v1.36.4"),
        replace(PART, cgo=True),
        replace(PART, replace={"example.org/a": "example.org/b v1.0.0"}),
        replace(PART, versions={}),
    ]
    assert len({PART.key, *(other.key for other in others)}) == 1 + len(others)


def test_the_table_is_whole() -> None:
    table = load()
    assert next(iter(table)) == "kubernetes", "the longest build comes first"
    for component in table.values():
        # Each package belongs to a module of the component: nothing is built from a module nobody pinned.
        for package in component.binaries.values():
            assert any(package.startswith(module) for module in component.modules), package
