"""Hold the base of all documents that people write."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Strict(BaseModel):
    """Accept exactly the declared keys with exactly the declared types."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        alias_generator=to_camel,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
        # A file holds few of the kinds; building all of them is a third of what reading it costs.
        defer_build=True,
    )
