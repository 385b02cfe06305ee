"""The artifact source that a config names, and what is checked before it is sent."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from kubeadm_py.artifacts import bundle
from kubeadm_py.model.actions import FileSpec, ImportImages, LocalFile, RunScript, WriteFiles
from kubeadm_py.model.cluster import ArtifactSource
from kubeadm_py.model.stages import HostPlan, PlannedStep, Stage
from kubeadm_py.plan.artifacts import sources
from kubeadm_py.plan.artifacts.sources import Source, open_source


def stage(*actions) -> Stage:
    return Stage("s", "s", (HostPlan("h", (PlannedStep("p", "p", tuple(actions)),)),))


def test_preinstalled_offers_nothing(world):
    source = open_source(replace(world.cluster, artifacts=ArtifactSource.PREINSTALLED))
    assert (source.described, source.view.binaries, source.view.images) == ("preinstalled", {}, {})
    source.verify(stage(WriteFiles((FileSpec("/f", LocalFile("/nowhere", "0", 1)),))))


def test_official_says_what_it_would_offer(world):
    source = open_source(replace(world.cluster, artifacts=ArtifactSource.OFFICIAL))
    assert source.described == "official releases"
    assert source.view.components["kubernetes"] == "v1.36.3"
    mirror = open_source(
        replace(world.cluster, artifacts=ArtifactSource.OFFICIAL, artifacts_path="https://mirror.test")
    )
    assert mirror.described == "https://mirror.test"


def test_a_bundle_that_is_not_there_is_refused_before_any_host_is_reached(world, tmp_path):
    cluster = replace(world.cluster, artifacts=ArtifactSource.BUNDLE, artifacts_path=str(tmp_path / "none"))
    with pytest.raises(bundle.BundleError):
        world.init(cluster=cluster)
    assert world.machines["cp1"].calls == []


def test_exactly_what_is_sent_is_checked(monkeypatch):
    checked = []
    monkeypatch.setattr(
        bundle, "verify", lambda opened, files, manifests, **_: checked.append((opened, files, manifests))
    )
    one, other = LocalFile("/b/one", "1", 1), LocalFile("/b/other", "2", 2)
    actions = [
        WriteFiles((FileSpec("/x", other), FileSpec("/y", one), FileSpec("/z", b"text"))),
        RunScript("r", ":"),
        ImportImages("/l", (("b:1", "sha256:b"), ("a:1", "sha256:a"))),
        WriteFiles((FileSpec("/again", one),)),
    ]
    opened = object()
    Source(_bundle=opened).verify(stage(*actions))
    assert checked == [(opened, [one, other], ["sha256:a", "sha256:b"])]


def test_official_releases_are_fetched_for_the_hosts_of_the_run(world, monkeypatch):
    asked = []

    def view(cluster, needs, *, lock, say):
        say("downloading")
        asked.extend(need.node.name for need in needs)
        return "the view"

    monkeypatch.setattr(sources, "official_view", view)
    run = world.a_run("init")
    run.look(run.cluster.control_planes)
    source = Source()
    source.fetch(world.cluster, run.sessions, run.say)
    assert asked == [], "other sources have everything already"
    source.fetch(replace(world.cluster, artifacts=ArtifactSource.OFFICIAL), run.sessions, run.say)
    assert (asked, source.view) == (["cp1"], "the view")
    assert world.events[-1].text == "downloading"
    run.close()


def test_a_layout_that_is_broken_is_refused_by_the_archive(tmp_path):
    action = ImportImages(str(tmp_path), (("a:1", "sha256:" + hashlib.sha256(b"").hexdigest()),))
    with pytest.raises(bundle.BundleError):
        Source().open_images(action)
