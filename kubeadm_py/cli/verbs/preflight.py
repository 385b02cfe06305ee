"""Run `kubeadm-py preflight`."""

from __future__ import annotations

from collections.abc import Sequence

from kubeadm_py.addons import load as addons
from kubeadm_py.cli.frame import Display
from kubeadm_py.cli.verbs import common, reading, saving
from kubeadm_py.config.complete import complete
from kubeadm_py.config.flags import at_hosts, ignored_by_flag
from kubeadm_py.engine.events import Notice
from kubeadm_py.model import paths
from kubeadm_py.model.findings import Gate
from kubeadm_py.model.words import plural
from kubeadm_py.plan import preflight
from kubeadm_py.plan.artifacts.sources import open_source
from kubeadm_py.plan.live import installed
from kubeadm_py.plan.run import Options, running


def run(
    display: Display,
    *,
    config: str,
    hosts: Sequence[str],
    ignore: Sequence[str],
    save_facts: str = "",
    allow_unknown_fields: bool = False,
) -> None:
    """Check all hosts of the config, or those that --host names; no lock is taken, nothing is changed."""
    loaded = reading.read_config(config, allow_unknown_fields=allow_unknown_fields)
    cluster = loaded.cluster if loaded.has_cluster_document else at_hosts(loaded.cluster, hosts)
    targets = (reading.choose(cluster, hosts) if loaded.has_cluster_document else []) or list(cluster.nodes)
    options = Options(ignore_preflight_errors=ignored_by_flag(cluster, ignore))
    with common.a_run("preflight", cluster, display, options, config) as a_run:
        reading.tell_warnings(loaded, a_run.warn)
        with running(a_run, hosts=targets) as end:
            source = open_source(cluster)
            resolved = addons.resolve(cluster)
            folder = saving.open_folder(save_facts) if save_facts else None
            a_run.look(targets, lock=False)
            if not loaded.has_cluster_document:
                a_run.use(complete(cluster, {name: each.facts for name, each in a_run.sessions.items()}))
            if folder is not None:
                saving.save_facts(a_run.sessions.values(), folder)
                names = ", ".join(a_run.sessions)
                a_run.bus.emit(Notice("info", f"{names}: facts are saved in {save_facts}"))
            found, waiting = preflight.survey(
                a_run, artifacts=source.view, addon_images=addons.images(resolved, a_run.cluster)
            )
            a_run.report_findings(found)
            installed.tell(a_run, resolved)
            if waiting:
                later = "container runtime, kubelet and images are checked once they are installed"
                a_run.bus.emit(Notice("info", f"{', '.join(waiting)}: {later}"))
            preflight.refuse(found, hosts=len(targets), gate=Gate.HOST)
            warnings = f", {plural(len(found), 'warning')}" if found else ""
            end.verdict = f"{plural(len(targets), 'host')} checked, no errors{warnings}; nothing was changed"
            facts = [session.facts for session in a_run.sessions.values()]
            if config != "-" and not all(paths.KUBELET_CONF in each.files for each in facts):
                end.next = (f"kubeadm-py init --config {config}",)
