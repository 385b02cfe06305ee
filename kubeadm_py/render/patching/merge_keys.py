"""Table which lists of a Pod and a Deployment merge, and by which key (their API's patchMergeKey)."""

from __future__ import annotations

PRIMITIVE = ""
"""Stands for a list of plain words that merges by value."""

_CONTAINER = {
    "env": "name",
    "ports": "containerPort",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
}
_POD_SPEC = {
    "containers": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "resourceClaims": "name",
    "schedulingGates": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumes": "name",
}
_METADATA = {"finalizers": PRIMITIVE, "ownerReferences": "uid"}
_STATUS = {
    "Pod": {"conditions": "type", "hostIPs": "ip", "podIPs": "ip", "resourceClaimStatuses": "name"},
    "Deployment": {"conditions": "type"},
}
_CONTAINERS = ("containers", "ephemeralContainers", "initContainers")
_POD_OF = {"Pod": (), "Deployment": ("spec", "template")}


def merge_key(path: tuple[str, ...]) -> str | None:
    """Return the merge key of the list at `path` (its kind first); None where it is replaced as a whole."""
    kind, *steps = path
    inside = _POD_OF.get(kind)
    if inside is None:
        return None
    if steps[0] == "metadata":
        return _METADATA.get(steps[1]) if len(steps) == 2 else None
    if steps[0] == "status" and len(steps) == 2:
        return _STATUS[kind].get(steps[1])
    if tuple(steps[: len(inside)]) != inside:
        return None
    match steps[len(inside) :]:
        case ["metadata", name]:
            return _METADATA.get(name)
        case ["spec", name]:
            return _POD_SPEC.get(name)
        case ["spec", holder, name] if holder in _CONTAINERS:
            return _CONTAINER.get(name)
    return None
