"""Write the page of add-ons."""

# ruff: noqa: E501 - the page's own lines

from __future__ import annotations

import json
from collections.abc import Iterator

from kubeadm_py.addons.find import available
from kubeadm_py.addons.needs import PROXY_MODES, Conditional
from kubeadm_py.addons.parameters import IntegerParameter, ListParameter, RecordsParameter, StringParameter
from kubeadm_py.addons.schema import Addon
from pages import markdown


def addons() -> str:
    """Describe every add-on that comes with the product."""
    rows = [
        (
            f"[{each.name}](#{each.name})",
            each.version,
            each.status,
            each.verified,
            ", ".join(each.provides),
            each.pod_network.policy if each.pod_network else "",
            each.description,
        )
        for each in available()
    ]
    heads = ("Add-on", "Version", "Status", "Verified", "Provides", "NetworkPolicy", "What it is")
    sections = "\n".join("\n".join(_section(each)) for each in available())
    return f"""# Add-ons

`spec.addons` of the Cluster document names them, with parameters where the defaults do not fit; without `addons` there
are none. `kubeadm-py addon list|show|render|diff|install|remove` works with them; `addons/README.md` says how to write
one.

Verified `run`: tests on real nodes use it as a workload would. `rendered`: what it renders to is kept and compared, and
an API server took each object, strictly validated, with upstream's types where those were at hand; its pods were not
run, and it may lack something that only a run shows.

{markdown.table(heads, rows)}
Every add-on has these parameters, too: `imageRepository`, `images`, `imagePullSecrets`, `tolerations` and `crds`.

{sections}"""


def _section(addon: Addon) -> Iterator[str]:
    yield f"## {addon.name}\n"
    if addon.notice:
        yield f"**{addon.notice}**\n"
    if addon.aliases:
        yield f"Also called {', '.join(addon.aliases)}.\n"
    yield from (f"- {note}" for note in addon.notes)
    yield from (f"- Hosts need {need}" for need in _needs(addon))
    for proxy in addon.kube_proxy:
        modes = " or ".join(
            "without kube-proxy" if mode == "none" else f"with {mode}" for mode in proxy.modes
        )
        if set(proxy.modes) < set(PROXY_MODES):
            yield f"- Works {modes}{_when(proxy, 'where')}"
        if proxy.strict_arp:
            yield f"- With kube-proxy's mode ipvs, `ipvs.strictARP` must be true{_when(proxy, 'where')}"
    if addon.notes or addon.host_needs.conditions or addon.kube_proxy:
        yield ""
    if addon.parameters:
        rows = []
        for name, each in addon.parameters.items():
            rows.append((f"`{name}`", each.type, _default(each.default), _limits(each), each.description))
            if isinstance(each, RecordsParameter):
                for field, inner in each.fields.items():
                    need = "required" if field in each.required else _default(inner.default)
                    rows.append((f"`{name}[].{field}`", inner.type, need, _limits(inner), inner.description))
        yield markdown.table(("Parameter", "Type", "Default", "Accepted", "Meaning"), rows)
    images = ", ".join(f"`{image.reference}`" for image in addon.images)
    if images:
        yield f"Images: {images}.\n"
    for each in addon.crds:
        yield f"Types are fetched from <{each.url}> and pinned in a lock file beside the config.\n"


def _default(value: object) -> str:
    return "" if value in ("", []) else f"`{json.dumps(value)}`"


def _limits(parameter: object) -> str:
    match parameter:
        case IntegerParameter():
            return f"{parameter.minimum} to {parameter.maximum}"
        case StringParameter(enum=[_, *_]):
            return ", ".join(parameter.enum)
        case ListParameter():
            return f"items: {parameter.items}"
        case _:
            return ""


def _needs(addon: Addon) -> Iterator[str]:
    needs = addon.host_needs
    for feature in needs.kernel:
        yield f"the kernel's {feature.feature}{_when(feature)}"
    for command in needs.commands:
        packages = ", ".join(f"{package} ({family})" for family, package in command.packages.items())
        yield f"the program {command.command}{_when(command)}: package {packages}"
    for interface in needs.interfaces:
        yield f"an interface that is what `{interface.parameter}` asks for, where it is given"
    for port in needs.ports:
        number = port.port if port.port is not None else f"`{port.port_parameter}`"
        yield f"to reach each other on {port.protocol} port {number}{_when(port)}"


def _when(condition: Conditional, word: str = "with") -> str:
    chosen = [
        f"`{name}` {' or '.join(json.dumps(each) for each in values)}"
        for name, values in condition.when.items()
    ]
    return f" {word} {', '.join(chosen)}" if chosen else ""
