"""Type the parameters of add-ons: what a value must look like, and the words for one that does not."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from kubeadm_py.strict import Strict

_QUANTITY = re.compile(r"^\d+(\.\d+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$")


class _Parameter(Strict):
    description: str


class BooleanParameter(_Parameter):
    """Take true or false."""

    type: Literal["boolean"]
    default: bool


class IntegerParameter(_Parameter):
    """Take a whole number between `minimum` and `maximum`, both included."""

    type: Literal["integer"]
    default: int
    minimum: int
    maximum: int


class StringParameter(_Parameter):
    """Take one line of text: one of `enum`, or text that `pattern` matches whole."""

    type: Literal["string"]
    default: str
    enum: list[str] = Field(default_factory=list)
    pattern: str = ""
    max_length: Annotated[int, Field(alias="maxLength")] = 1024


Form = Literal["cidr", "address", "ipv4", "quantity", "addresses", "hostname", "name", "path", "duration"]


class FormatParameter(_Parameter):
    """Take text of a known form: a network, an IP address, a Kubernetes quantity and the like."""

    type: Form
    default: str


class ListParameter(_Parameter):
    """Take a list of different texts, each of a known form or matching `pattern`; empty stands for "not set".

    With `minItems` it has to be set.
    """

    type: Literal["list"]
    default: list[str]
    items: Form | Literal["string"]
    pattern: str = ""
    min_items: Annotated[int, Field(alias="minItems")] = 0
    max_items: Annotated[int, Field(alias="maxItems")] = 64


FieldParameter = Annotated[
    BooleanParameter | IntegerParameter | StringParameter | FormatParameter | ListParameter,
    Field(discriminator="type"),
]


class RecordsParameter(_Parameter):
    """Take a list of mappings, each with the same typed fields; what a mapping leaves out has its default."""

    type: Literal["records"]
    default: list[dict[str, Any]]
    fields: dict[str, FieldParameter]
    required: list[str] = Field(default_factory=list)
    unique: list[str] = Field(default_factory=list)
    """Fields that differ from record to record."""
    at_most_one_of: Annotated[list[list[str]], Field(alias="atMostOneOf", default_factory=list)]
    max_items: Annotated[int, Field(alias="maxItems")] = 64

    @model_validator(mode="after")
    def _consistent(self) -> RecordsParameter:
        named = [*self.required, *self.unique, *(name for group in self.at_most_one_of for name in group)]
        unknown = [name for name in named if name not in self.fields]
        if unknown:
            raise ValueError(f"{', '.join(unknown)} is not one of the fields")
        return self


Parameter = Annotated[
    BooleanParameter
    | IntegerParameter
    | StringParameter
    | FormatParameter
    | ListParameter
    | RecordsParameter,
    Field(discriminator="type"),
]


def complete(parameter: Parameter, value: Any) -> Any:
    """Return a value that was accepted, with the defaults of what it leaves out."""
    if not isinstance(parameter, RecordsParameter) or not isinstance(value, list):
        return value
    defaults = {name: field.default for name, field in parameter.fields.items()}
    return [{**defaults, **record} if isinstance(record, dict) else record for record in value]


def accept(parameter: Parameter, value: Any) -> str:
    """Return what is wrong with `value`, as the rest of a sentence; empty where nothing is.

    The default is always accepted, an empty one included: it stands for "not set".
    """
    if type(value) is type(parameter.default) and value == parameter.default and value in ("", []):
        return ""
    if isinstance(parameter, BooleanParameter):
        return "" if isinstance(value, bool) else f"{value!r} is not true or false"
    if isinstance(parameter, IntegerParameter):
        if isinstance(value, bool) or not isinstance(value, int):
            return f"{value!r} is not a whole number"
        if not parameter.minimum <= value <= parameter.maximum:
            return f"{value} is not between {parameter.minimum} and {parameter.maximum}"
        return ""
    if isinstance(parameter, ListParameter):
        return _refuse_list(parameter, value)
    if isinstance(parameter, RecordsParameter):
        return _refuse_records(parameter, value)
    return _refuse_text(parameter, value)


def _refuse_list(parameter: ListParameter, value: Any) -> str:
    if not isinstance(value, list):
        return f"{value!r} is not a list"
    if len(value) > parameter.max_items:
        return f"has {len(value)} items; at most {parameter.max_items} are allowed"
    if len(value) < parameter.min_items:
        return f"has {len(value)} items; at least {parameter.min_items} are needed: {parameter.description}"
    if parameter.items == "string":
        each: StringParameter | FormatParameter = StringParameter(
            type="string", default="", pattern=parameter.pattern, description=""
        )
    else:
        each = FormatParameter(type=parameter.items, default="", description="")
    problems = (_refuse_text(each, item) if item != "" else "an item is empty" for item in value)
    twice = (f"{item!r} is listed twice" for item in value if value.count(item) > 1)
    return next(filter(None, (*problems, *twice)), "")


def _refuse_records(parameter: RecordsParameter, value: Any) -> str:
    if not isinstance(value, list):
        return f"{value!r} is not a list"
    if len(value) > parameter.max_items:
        return f"has {len(value)} items; at most {parameter.max_items} are allowed"
    for place, record in enumerate(value):
        if not isinstance(record, dict):
            return f"item {place}: {record!r} is not a mapping with {', '.join(parameter.fields)}"
        for name, given in record.items():
            if name not in parameter.fields:
                return f"item {place} has no field {name!r}; there are {', '.join(parameter.fields)}"
            if problem := accept(parameter.fields[name], given):
                return f"item {place}, {name}: {problem}"
        for name in parameter.required:
            if record.get(name) in (None, "", []):
                return f"item {place}: {name} is missing"
        for group in parameter.at_most_one_of:
            given_of = [name for name in group if record.get(name)]
            if len(given_of) > 1:
                return f"item {place}: {', '.join(given_of)} exclude each other; set one of them"
    for name in parameter.unique:
        given = [record.get(name) for record in value if record.get(name)]
        twice = next((each for each in given if given.count(each) > 1), None)
        if twice is not None:
            return f"two items have the {name} {twice!r}"
    return ""


def _refuse_text(parameter: StringParameter | FormatParameter, value: Any) -> str:
    if not isinstance(value, str):
        return f"{value!r} is not text; put it in quotes"
    if not value.isprintable():
        return f"{value!r} holds a line break or another control character"
    if isinstance(parameter, StringParameter):
        return _refuse_string(parameter, value)
    return _refuse_format(parameter.type, value)


def _refuse_string(parameter: StringParameter, value: str) -> str:
    if parameter.enum and value not in parameter.enum:
        return f"{value!r} is not one of {', '.join(parameter.enum)}"
    if parameter.pattern and not re.fullmatch(parameter.pattern, value):
        return f"{value!r} does not match {parameter.pattern}"
    if len(value) > parameter.max_length:
        return f"is {len(value)} characters long; at most {parameter.max_length} are allowed"
    return ""


_PATTERNS: dict[str, tuple[re.Pattern[str], str]] = {
    "quantity": (_QUANTITY, "a quantity like 100m or 50Mi"),
    "hostname": (
        re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"),
        "a host name",
    ),
    "name": (re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"), "a name of lower-case letters, digits and -"),
    "path": (re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9_.-]+)+"), "an absolute path"),
    "duration": (re.compile(r"(\d+(\.\d+)?(h|m|s|ms))+"), "a duration like 15s or 1h30m"),
}
_ADDRESSES: dict[str, tuple[Callable[[str], object], str]] = {
    "cidr": (ipaddress.ip_network, "a network like 10.244.0.0/16"),
    "address": (ipaddress.ip_address, "an IP address"),
    "ipv4": (ipaddress.IPv4Address, "an IPv4 address"),
    "addresses": (lambda value: _addresses(value), "a network, or a range like 10.0.0.10-10.0.0.20"),
}


def _refuse_format(form: Form, value: str) -> str:
    if form in _PATTERNS:
        pattern, example = _PATTERNS[form]
        return "" if pattern.fullmatch(value) else f"{value!r} is not {example}"
    read, example = _ADDRESSES[form]
    try:
        read(value)
    except ValueError:
        return f"{value!r} is not {example}"
    return ""


def _addresses(value: str) -> None:
    """Raise ValueError unless `value` is a network or a range of one family, its first address first."""
    first, dash, last = value.partition("-")
    if not dash:
        if "/" not in value:
            raise ValueError(value)
        ipaddress.ip_network(value)
        return
    low, high = ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
    if low.version != high.version or int(low) > int(high):
        raise ValueError(value)
