"""Type core/v1 EnvVar, with all that it may take a value from."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from kubeadm_py.config import scalars as s
from kubeadm_py.strict import Strict


def _quantity(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Quantity = Annotated[str, BeforeValidator(_quantity), AfterValidator(s.quantity)]


class ObjectFieldSelector(Strict):
    """A field of the pod."""

    api_version: str = ""
    field_path: str = ""


class ResourceFieldSelector(Strict):
    """A resource of a container."""

    container_name: str = ""
    resource: str = ""
    divisor: Quantity | None = None


class KeySelector(Strict):
    """A key of a ConfigMap or Secret."""

    name: str = ""
    key: str = ""
    optional: bool | None = None


class FileKeySelector(Strict):
    """A key of a file with variables."""

    volume_name: str = ""
    path: str = ""
    key: str = ""
    optional: bool | None = None


class EnvVarSource(Strict):
    """One of these."""

    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None
    file_key_ref: FileKeySelector | None = None


class EnvVar(Strict):
    """A core/v1 EnvVar."""

    name: str = ""
    value: str | None = None
    value_from: EnvVarSource | None = None
