"""Run `kubeadm-py addon ...`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import yaml

from kubeadm_py.addons import load as addons
from kubeadm_py.addons.needs import PROXY_MODES, Conditional
from kubeadm_py.addons.schema import Addon
from kubeadm_py.cli import telling
from kubeadm_py.cli.frame import Display
from kubeadm_py.cli.verbs import printing, reading
from kubeadm_py.errors import ExitCode, UsageError
from kubeadm_py.model.cluster import AddonRequest, ResolvedCluster
from kubeadm_py.model.networking import Networking
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import DEFAULT_VERSION, Version

_NOWHERE = ResolvedCluster(
    "demo",
    Version.parse(DEFAULT_VERSION),
    (Node("cp1", Role.CONTROL_PLANE, ("192.0.2.11",)), Node("w1", Role.WORKER, ("192.0.2.21",))),
    networking=Networking(pod_subnet="10.244.0.0/16"),
)
"""What an add-on is rendered for where no config says anything; the addresses are of documentation."""


def list_() -> None:
    """Print the add-ons in columns."""
    printing.table(
        ("NAME", "VERSION", "STATUS", "VERIFIED", "PROVIDES", "DESCRIPTION"),
        [
            (each.name, each.version, each.status, each.verified, ",".join(each.provides), each.description)
            for each in addons.available()
        ],
        spare=("PROVIDES", "VERIFIED", "STATUS"),
    )


def show(name: str, output: str) -> None:
    """Print what an add-on is."""
    form = printing.form(output)
    addon = addons.load(name).addon
    document: dict[str, Any] = addon.model_dump(by_alias=True, mode="json", exclude_defaults=True)
    if not form.is_text:
        form.print([document])
        return
    sys.stdout.write("".join(f"{line}\n" for line in _lines(addon)))


def _lines(addon: Addon) -> list[str]:
    other = f", also called {', '.join(addon.aliases)}" if addon.aliases else ""
    lines = [
        f"{addon.name} {addon.version}{other}: {addon.description}",
        f"{addon.status}, {addon.verified}, for Kubernetes {addon.kubernetes}",
    ]
    lines += [f"provides {', '.join(addon.provides)}"] if addon.provides else []
    lines += [f"requires {', '.join(addon.requires)}"] if addon.requires else []
    lines += [addon.notice] if addon.notice else []
    if addon.pod_network:
        families = " and ".join(addon.pod_network.ip_families)
        lines.append(f"serves {families}; NetworkPolicy is {addon.pod_network.policy}")
    if addon.parameters:
        lines += ["", "parameters:"]
        width = max(map(len, addon.parameters))
        for name, parameter in addon.parameters.items():
            default = yaml.safe_dump(parameter.default, default_flow_style=True).splitlines()[0]
            lines.append(f"  {name.ljust(width)}  {default.ljust(14)}  {parameter.description}")
    if addon.images:
        lines += ["", "images:", *(f"  {image.reference}" for image in addon.images)]
    if addon.crds:
        lines += ["", "fetched:", *(f"  {each.url}" for each in addon.crds)]
    needs = addon.host_needs
    asked = [f"  kernel: {need.feature}{_when(need)}" for need in needs.kernel]
    asked += [f"  command: {need.command}{_when(need)}" for need in needs.commands]
    asked += [f"  {key}={value}" for key, value in needs.sysctls.items()]
    asked += [f"  interface: what {need.parameter} asks for, where it is given" for need in needs.interfaces]
    for port in needs.ports:
        chosen = f", by parameter {port.port_parameter}" if port.port_parameter else ""
        number = port.number({name: each.default for name, each in addon.parameters.items()})
        asked.append(f"  between them: {port.protocol} port {number}{chosen}{_when(port)}")
    for each in addon.kube_proxy:
        if set(each.modes) < set(PROXY_MODES):
            asked.append(f"  kube-proxy: {' or '.join(each.modes)}{_when(each)}")
        if each.strict_arp:
            asked.append(f"  kube-proxy: ipvs.strictARP true in mode ipvs{_when(each)}")
    if asked:
        lines += ["", "hosts need:", *dict.fromkeys(asked)]
    return [*lines, *(["", *addon.notes] if addon.notes else [])]


def _when(condition: Conditional) -> str:
    return f"  (with {condition.words})" if condition.words else ""


def render(name: str, *, config: str, settings: Sequence[str], allow_unknown_fields: bool) -> None:
    """Print an add-on's objects."""
    from kubeadm_py.cli.verbs import plans

    cluster = reading.read_cluster(config, allow_unknown_fields=allow_unknown_fields) if config else _NOWHERE
    loaded = addons.load(name)
    given = next((each for each in cluster.addons if _is(each, loaded.addon.name)), None)
    request = given or AddonRequest(name)
    request = replace(request, parameters={**request.parameters, **_settings(settings)})
    # Alone: what it requires of others is no matter here.
    [item] = addons.resolve_alone(replace(cluster, addons=(request,)))
    for _, where in item.remote_types:
        telling.say(f"besides these, CustomResourceDefinitions from {where}")
    plans.show_objects(addons.render([item], cluster))


def _is(request: AddonRequest, name: str) -> bool:
    try:
        return addons.load(request.name).addon.name == name
    except UsageError:
        return False


def _settings(written: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in written:
        name, equals, text = each.partition("=")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            equals = ""
        if not (name and equals):
            raise UsageError(f"--set {each!r}", fix="write --set PARAMETER=VALUE, the value as YAML")
        found[name] = "" if value is None else value
    return found


def diff(config: str, names: Sequence[str], *, allow_unknown_fields: bool) -> ExitCode:
    """Print in what the cluster's add-ons differ from the file."""
    cluster = reading.read_cluster(config, allow_unknown_fields=allow_unknown_fields)
    from kubeadm_py.cli.verbs.errand import errand, first
    from kubeadm_py.plan import addons as plan

    chosen = plan.choose(addons.resolve(cluster), names)
    with errand("addon diff", cluster, config) as run:
        found = plan.differences(run, first(run, cluster.control_planes), chosen)
    different = [each for each in found if each.text or each.surplus]
    for each in different:
        sys.stdout.write(each.text)
        sys.stdout.write("".join(f"- {name}: no more a part of {each.name}\n" for name in each.surplus))
    return ExitCode.CHANGES if different else ExitCode.DONE


def install(
    display: Display, *, config: str, names: Sequence[str], dry_run: bool, allow_unknown_fields: bool
) -> None:
    """Bring add-ons of the file to the cluster."""
    cluster = reading.read_cluster(config, allow_unknown_fields=allow_unknown_fields)
    from kubeadm_py.cli.verbs import common, plans
    from kubeadm_py.plan import addons as plan
    from kubeadm_py.plan.run import Options, running

    options = Options(dry_run=dry_run)
    with (
        common.a_run("addon install", cluster, display, options, config) as run,
        running(run, hosts=cluster.nodes) as end,
    ):
        planned = plan.install(run, names)
        end.verdict = plans.show_plan(run, planned) if dry_run else f"{', '.join(names)} installed"


def remove(
    display: Display,
    *,
    config: str,
    names: Sequence[str],
    purge: bool,
    yes: bool,
    dry_run: bool,
    allow_unknown_fields: bool,
) -> None:
    """Take add-ons out of the cluster."""
    cluster = reading.read_cluster(config, allow_unknown_fields=allow_unknown_fields)
    if not yes and not dry_run and not sys.stdin.isatty():
        raise UsageError(
            "addon remove asks before it removes anything, and there is nobody to ask",
            fix="add --yes, or look first with --dry-run",
        )
    from kubeadm_py.cli.verbs import asking, common, plans
    from kubeadm_py.plan import addons as plan
    from kubeadm_py.plan.run import Options, running

    question = f"This deletes what {', '.join(names)} brought to the cluster"
    question += ", with the data of its claims." if purge else "."
    with (
        common.a_run("addon remove", cluster, display, Options(dry_run=dry_run), config) as run,
        running(run, hosts=cluster.control_planes) as end,
    ):
        report = plan.remove(
            run, names, purge=purge, confirm=lambda _plan: yes or asking.ask("addon remove", question)
        )
        if report is None:
            end.verdict = "nothing was removed"
            return
        if dry_run:
            end.verdict = plans.show_plan(run, report.plan)
        else:
            end.verdict = f"{', '.join(names)} removed"
        left = [f"{name} ({', '.join(kept)})" for name, kept in report.stays.items() if kept]
        if left:
            run.say(f"what people's data hangs on stays of {'; '.join(left)}")
            end.next = (f"kubeadm-py addon remove {' '.join(names)} --purge --config {config}",)
        listed = [each.name for each in cluster.addons if each.name in names]
        if listed and not dry_run:
            end.next = (
                f"take {', '.join(listed)} out of {config}, or the next apply brings it back",
                *end.next,
            )
