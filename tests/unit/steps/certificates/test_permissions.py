"""Keys and kubeconfigs keep the mode and owner that they were written with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.model.facts import FileFact
from kubeadm_py.steps.certificates import permissions

KEY = "/etc/kubernetes/pki/sa.key"


def recorded(mode="0600", **more):
    return {"sha256": "", "mode": mode, "made": True, **more}


@pytest.fixture
def plan(control_plane):
    """Return a function that plans for files as they are and as they were recorded."""

    def make(entries, *facts):
        found = replace(control_plane.facts, files={each.path: each for each in facts})
        return permissions.plan(replace(control_plane, facts=found, recorded=entries))

    return make


def test_all_is_so(plan):
    assert plan({KEY: recorded()}, FileFact(KEY, 0o600, "root:root")) == []


@pytest.mark.parametrize("path", [KEY, "/etc/kubernetes/admin.conf"])
def test_mode_and_owner_are_given_back(plan, path):
    [action] = plan({path: recorded()}, FileFact(path, 0o644, "me:me"))
    assert action.script == f"chmod 0600 {path}\nchown root:root {path}"
    assert action.shows == (f"{path} mode 0644 -> 0600", f"{path} owner me:me -> root:root")


def test_what_other_steps_write_is_left_to_them(plan):
    path = "/etc/containerd/config.toml"
    assert plan({path: recorded("0644")}, FileFact(path, 0o600, "root:root")) == []
    assert plan({KEY: recorded(own=True)}, FileFact(KEY, 0o644, "root:root")) == []


def test_what_is_gone_or_nobodys_is_left(plan):
    assert plan({KEY: recorded()}) == []
    assert plan({KEY: recorded("")}, FileFact(KEY, 0o644, "root:root")) == []
    assert plan({}, FileFact(KEY, 0o644, "me:me")) == []
