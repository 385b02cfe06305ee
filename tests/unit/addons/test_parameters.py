from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from kubeadm_py.addons.parameters import FormatParameter, ListParameter, Parameter, accept, complete


@pytest.mark.parametrize(
    ("form", "value", "fits"),
    [
        ("cidr", "10.0.0.0/8", True),
        ("cidr", "fd00::/64", True),
        ("cidr", "10.0.0.1/8", False),
        ("address", "fd00::1", True),
        ("address", "10.0.0.0/8", False),
        ("quantity", "1.5Gi", True),
        ("quantity", "100m\n", False),
        ("quantity", "-1", False),
        ("addresses", "10.0.0.0/28", True),
        ("addresses", "10.0.0.10-10.0.0.20", True),
        ("addresses", "fd00::1-fd00::9", True),
        ("addresses", "10.0.0.20-10.0.0.10", False),
        ("addresses", "10.0.0.1-fd00::1", False),
        ("addresses", "10.0.0.1", False),
        ("hostname", "grafana.example.org", True),
        ("hostname", "Grafana_1", False),
        ("name", "web-1", True),
        ("name", "web.1", False),
        ("path", "/srv/data", True),
        ("path", "/srv/../etc", False),
        ("duration", "1m30s", True),
        ("duration", "15", False),
    ],
)
def test_forms(form, value, fits):
    assert (accept(FormatParameter(type=form, default="", description=""), value) == "") is fits


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (["10.0.0.0/28", "10.1.0.1-10.1.0.9"], ""),
        ([], ""),
        ("10.0.0.0/28", "is not a list"),
        ([1], "is not text"),
        ([""], "an item is empty"),
        (["a"] * 3, "at most 2 are allowed"),
        (["a"], "is not a network, or a range"),
    ],
)
def test_lists(value, says):
    parameter = ListParameter(type="list", items="addresses", maxItems=2, default=[], description="")
    found = accept(parameter, value)
    assert says in found if says else found == ""


def test_lists_of_text_match_their_pattern():
    parameter = ListParameter(type="list", items="string", pattern="[a-z]+", default=[], description="")
    assert accept(parameter, ["abc"]) == ""
    assert "does not match" in accept(parameter, ["abc", "1"])


RECORDS = {
    "type": "records",
    "default": [],
    "description": "",
    "fields": {
        "name": {"type": "name", "default": "", "description": ""},
        "size": {"type": "quantity", "default": "1Gi", "description": ""},
        "node": {"type": "hostname", "default": "", "description": ""},
        "zone": {"type": "hostname", "default": "", "description": ""},
    },
    "required": ["name"],
    "unique": ["name"],
    "atMostOneOf": [["node", "zone"]],
    "maxItems": 2,
}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([], ""),
        ([{"name": "a"}, {"name": "b", "size": "2Gi", "node": "w1"}], ""),
        ({"name": "a"}, "is not a list"),
        (["a"], "item 0: 'a' is not a mapping with name, size, node, zone"),
        ([{"nam": "a"}], "item 0 has no field 'nam'; there are name,"),
        ([{"name": "a"}, {"name": "B"}], "item 1, name: 'B' is not a name"),
        ([{"size": "1Gi"}], "item 0: name is missing"),
        ([{"name": ""}], "item 0: name is missing"),
        ([{"name": "a"}, {"name": "a"}], "two items have the name 'a'"),
        ([{"name": "a", "node": "w1", "zone": "x"}], "node, zone exclude each other"),
        ([{"name": "a"}] * 3, "at most 2 are allowed"),
    ],
)
def test_records(value, says):
    found = accept(TypeAdapter(Parameter).validate_python(RECORDS), value)
    assert says in found if says else found == ""


def test_records_get_the_defaults_of_what_they_leave_out():
    parameter = TypeAdapter(Parameter).validate_python(RECORDS)
    assert complete(parameter, [{"name": "a", "node": "w1"}]) == [
        {"name": "a", "size": "1Gi", "node": "w1", "zone": ""}
    ]


@pytest.mark.parametrize("key", ["required", "unique"])
def test_records_name_only_fields_that_they_have(key):
    with pytest.raises(ValidationError, match="nope is not one of the fields"):
        TypeAdapter(Parameter).validate_python(RECORDS | {key: ["nope"]})
