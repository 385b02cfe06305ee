"""Install Kubernetes' packages from their own repository, and hold them at their versions."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import timedelta

from kubeadm_py.artifacts import official
from kubeadm_py.artifacts.plan import Decision
from kubeadm_py.model import distributions
from kubeadm_py.model.actions import Action, FileSpec, Late, RunScript
from kubeadm_py.model.cluster import ArtifactSource
from kubeadm_py.model.distributions import DEBIAN, Family
from kubeadm_py.steps.base import StepContext, write
from kubeadm_py.steps.prepare import source
from kubeadm_py.steps.prepare.text import render

_TIMEOUT = timedelta(minutes=30)
# By the tools below apt-get and dnf, which would take along what depends on these. dpkg waits for no lock.
_REMOVE = """if command -v dpkg >/dev/null 2>&1; then
  apt-mark unhold @NAMES@ >/dev/null 2>&1 || true
  tries=0
  until said=$(dpkg --purge @NAMES@ 2>&1); do
    tries=$((tries + 1))
    case $said in *lock*) [ "$tries" -ge 60 ] || { sleep 5; continue; } ;; esac
    kpy_warn "packages stay: $(printf '%s\n' "$said" | tail -n 1)"
    break
  done
elif ! said=$(rpm -e @NAMES@ 2>&1); then
  kpy_warn "packages stay: $(printf '%s\n' "$said" | tail -n 1)"
fi"""


def plan_packages(ctx: StepContext) -> list[Action]:
    """Bring the packages that a host lacks or has in another version; others are left alone."""
    if source.view(ctx).source is not ArtifactSource.PACKAGES:
        return []
    states = [state for state in source.states(ctx).values() if distributions.package_of(state.binary)]
    wanted = {
        distributions.package_of(state.binary): None for state in states if state.decision is Decision.PACKAGE
    }
    had = {distributions.package_of(state.binary) for state in states if state.found}
    family = distributions.family_of(ctx.facts.os_release)
    if not wanted or family is None:
        return []
    version = ctx.cluster.kubernetes_version
    number = str(version).removeprefix("v")
    names = [(name, number if name in distributions.WITH_CLUSTER else "") for name in wanted]
    script = _apt(names) if family is DEBIAN else _dnf(names)
    return [
        *write(_files(ctx, family), ctx.facts, title="name the repository of Kubernetes' packages"),
        RunScript(
            f"install {', '.join(wanted)}",
            script,
            timeout=_TIMEOUT,
            packages=tuple(name for name in wanted if name not in had),
        ),
    ]


def remove(names: Sequence[str]) -> Action:
    """Take packages off again; one that others depend on by now stays, and is told."""
    listed = shlex.join(names)
    return RunScript(f"remove the packages {', '.join(names)}", _REMOVE.replace("@NAMES@", listed))


def _files(ctx: StepContext, family: Family) -> list[FileSpec]:
    version = ctx.cluster.kubernetes_version
    key_url = distributions.key_url(version, family)
    # Whoever only looks has fetched none.
    key = source.view(ctx).repository_keys.get(family.name) or Late("download", {"downloaded": key_url})
    url = official.through(ctx.cluster.artifacts_path, distributions.repository(version, family))
    template = "kubernetes.list" if family is DEBIAN else "kubernetes.repo"
    content = render(template, url=url, key=family.key_file, packages=" ".join(distributions.PACKAGES))
    return [FileSpec(family.key_file, key, 0o644), FileSpec(family.repository_file, content, 0o644)]


def _apt(names: list[tuple[str, str]]) -> str:
    wanted = shlex.join([f"{name}={version}-*" if version else name for name, version in names])
    held = shlex.join([name for name, _ in names])
    return f"""DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND
apt-get -q -o DPkg::Lock::Timeout=300 update
apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold \\
  --no-install-recommends --allow-change-held-packages install {wanted}
apt-mark hold {held}"""


def _dnf(names: list[tuple[str, str]]) -> str:
    wanted = shlex.join([f"{name}-{version}" if version else name for name, version in names])
    # The repository's own exclude= is what holds them.
    return f"dnf -q -y --setopt=disable_excludes=kubeadm-py-kubernetes install {wanted}"
