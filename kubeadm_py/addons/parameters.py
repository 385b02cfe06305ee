"""Type the parameters of add-ons: what a value must look like, and the words for one that does not."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_QUANTITY = re.compile(r"^\d+(\.\d+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$")


class _Parameter(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, populate_by_name=True, defer_build=True
    )

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


class FormatParameter(_Parameter):
    """Take text of a known form: a network, an IP address, a Kubernetes quantity."""

    type: Literal["cidr", "address", "quantity"]
    default: str


Parameter = Annotated[
    BooleanParameter | IntegerParameter | StringParameter | FormatParameter, Field(discriminator="type")
]


def accept(parameter: Parameter, value: Any) -> str:
    """Return what is wrong with `value`, as the rest of a sentence; empty where nothing is.

    The default is always accepted, an empty one included: it stands for "not set".
    """
    if type(value) is type(parameter.default) and value == parameter.default == "":
        return ""
    if isinstance(parameter, BooleanParameter):
        return "" if isinstance(value, bool) else f"{value!r} is not true or false"
    if isinstance(parameter, IntegerParameter):
        if isinstance(value, bool) or not isinstance(value, int):
            return f"{value!r} is not a whole number"
        if not parameter.minimum <= value <= parameter.maximum:
            return f"{value} is not between {parameter.minimum} and {parameter.maximum}"
        return ""
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


def _refuse_format(form: str, value: str) -> str:
    if form == "quantity":
        return "" if _QUANTITY.fullmatch(value) else f"{value!r} is not a quantity like 100m or 50Mi"
    try:
        if form == "cidr":
            ipaddress.ip_network(value)
        else:
            ipaddress.ip_address(value)
    except ValueError:
        example = "a network like 10.244.0.0/16" if form == "cidr" else "an IP address"
        return f"{value!r} is not {example}"
    return ""
