"""What hosts pull by tag is pinned beside the config, and a later run insists on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from kubeadm_py.engine.events import EventBus, ImagePulled, Notice
from kubeadm_py.model.cluster import ArtifactSource
from kubeadm_py.plan.artifacts.sources import open_for, open_source
from kubeadm_py.plan.run import Options

PAUSE = "registry.k8s.io/pause:3.10.2"
A, B = (f"sha256:{digit * 64}" for digit in "ab")


@pytest.fixture
def run(world, tmp_path):
    config = tmp_path / "cluster.yaml"
    config.touch()
    made = world.a_run("apply")
    made.bus = EventBus()
    made.cluster = replace(world.cluster, artifacts=ArtifactSource.OFFICIAL, source_file=str(config))
    yield made
    made.close()


def lock(run):
    return yaml.safe_load(Path(run.cluster.source_file).with_suffix(".lock.yaml").read_text())["pins"]


def test_what_came_first_is_pinned_and_the_next_run_insists_on_it(run):
    assert open_for(run).view.pins == {}
    run.bus.emit(ImagePulled("prepare", "cp1", PAUSE, A))
    assert lock(run) == {f"oci://{PAUSE}": "a" * 64}
    assert open_source(run.cluster).view.pins == {PAUSE: A}


def test_a_host_that_got_something_else_is_named(run):
    told = []
    run.bus.subscribe(lambda event: told.append(event) if isinstance(event, Notice) else None)
    open_for(run)
    for host, digest in (("cp1", A), ("w1", A), ("w2", B)):
        run.bus.emit(ImagePulled("prepare", host, PAUSE, digest))
    assert lock(run) == {f"oci://{PAUSE}": "a" * 64}
    (notice,) = told
    assert (notice.level, notice.host) == ("warning", "w2")
    assert notice.text == f"{PAUSE} came as {B}, and cp1 has {A}"


@pytest.mark.parametrize(
    ("reference", "digest"),
    [("evil.example/x:1", A), (PAUSE, "sha256:short"), (f"{PAUSE}@{A}", A), ("", "")],
)
def test_a_host_speaks_for_nothing_but_images_of_the_cluster(run, tmp_path, reference, digest):
    open_for(run)
    run.bus.emit(ImagePulled("prepare", "cp1", reference, digest))
    assert not (tmp_path / "cluster.lock.yaml").exists()
    assert run.bus.failures == []


@pytest.mark.parametrize("source", [ArtifactSource.PREINSTALLED, ArtifactSource.OFFICIAL])
def test_who_only_looks_or_brings_nothing_pins_nothing(run, tmp_path, source):
    run.cluster = replace(run.cluster, artifacts=source)
    run.options = Options(dry_run=source is ArtifactSource.OFFICIAL)
    open_for(run)
    run.bus.emit(ImagePulled("prepare", "cp1", PAUSE, A))
    assert not (tmp_path / "cluster.lock.yaml").exists()


def test_a_folder_that_cannot_be_written_stops_nothing(run, tmp_path):
    (tmp_path / "cluster.lock.yaml").mkdir()
    run.cluster = replace(run.cluster, source_file=str(tmp_path / "elsewhere.yaml"))
    open_for(run)
    run.bus.emit(ImagePulled("prepare", "cp1", PAUSE, A))
    assert run.bus.failures == []
