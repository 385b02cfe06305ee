"""Images: from the bundle, or pulled by the host by its policy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.addons import load as addons
from kubeadm_py.model.actions import ImportImages, RunScript
from kubeadm_py.model.cluster import AddonRequest, ArtifactSource
from kubeadm_py.model.facts import ImageFact
from kubeadm_py.steps.prepare.images import plan_images, plan_pull


@pytest.fixture
def official(bundle):
    return replace(bundle, source=ArtifactSource.OFFICIAL, layout="", images={})


def test_an_image_with_other_content_is_imported_again(cluster, machine, bundle, on):
    held = tuple(ImageFact(name, digest, pinned=True) for name, digest in bundle.images["amd64"].items())
    other = (replace(held[0], digest="sha256:" + "0" * 64), *held[1:])
    name = "registry.k8s.io/pause:3.10.2"
    other = tuple(replace(i, digest="sha256:" + "0" * 64) if i.reference == name else i for i in held)
    assert plan_images(on(cluster, "w1", replace(machine, images=held), bundle)) == []
    (action,) = plan_images(on(cluster, "w1", replace(machine, images=other), bundle))
    assert isinstance(action, ImportImages)
    assert action.images == ((name, bundle.images["amd64"][name]),)


def test_add_ons_bring_theirs(cluster, machine, bundle, on):
    shape = replace(cluster, addons=(AddonRequest("flannel"),))
    ctx = replace(on(shape, "w1", machine, bundle), addons=tuple(addons.resolve(shape)))
    (action,) = plan_images(ctx)
    assert [name for name, _ in action.images if "flannel" in name]


def script_of(actions):
    """Return the one script, with the private directory that every stage has."""
    (action,) = actions
    assert isinstance(action, RunScript)
    return f'kpy_tmp=.\nkpy_mark() {{ echo "##$*"; }}\n{action.script}'


def test_official_images_are_pulled_and_tried_again(cluster, machine, official, on, shell, tmp_path):
    script = script_of(plan_images(on(cluster, "w1", machine, official)))
    flaky = """
[ "$5" = pull ] || exit 1
n=$(cat "tries-${6##*/}" 2>/dev/null || echo 0)
echo $((n + 1)) >"tries-${6##*/}"
[ "$n" -ge 2 ] || { echo "connection reset"; exit 1; }
"""
    done = shell(script, crictl=flaky, sleep="exit 0", mktemp="exit 1")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "tries-kube-proxy:v1.36.3").read_text() == "3\n"


@pytest.mark.parametrize(("policy", "asked"), [("IfNotPresent", []), ("Always", ["pull"])])
def test_what_a_runtime_holds_that_said_nothing_at_the_look_is_not_pulled(
    cluster, machine, official, on, shell, tmp_path, policy, asked
):
    nodes = tuple(replace(node, image_pull_policy=policy) for node in cluster.nodes)
    ctx = on(replace(cluster, nodes=nodes), "w1", machine, official)
    holds_all = '[ "$5" = inspecti ] || { echo "$5" >>pulled; exit 0; }'
    done = shell(script_of(plan_images(ctx)), crictl=holds_all, sleep="exit 0", mktemp="exit 1")
    assert done.returncode == 0
    pulled = tmp_path / "pulled"
    assert sorted(set(pulled.read_text().split() if pulled.exists() else [])) == asked
    assert "##note 3 of 3 images are there" in done.stdout


@pytest.mark.parametrize("serial", [True, False])
def test_what_cannot_be_pulled_is_named(cluster, machine, official, on, shell, serial):
    nodes = tuple(replace(node, image_pull_serial=serial) for node in cluster.nodes)
    ctx = on(replace(cluster, nodes=nodes), "w1", machine, official)
    broken = '[ "$5" = pull ] || exit 1; case $6 in *pause*) echo "no such host"; exit 1 ;; esac'
    failed = shell(script_of(plan_images(ctx)), crictl=broken, sleep="exit 0", mktemp="exit 1")
    assert failed.returncode == 1
    assert failed.stderr == "cannot pull registry.k8s.io/pause:3.10.2: no such host\n"
    assert "##note 2 of 3 images are there" in failed.stdout
    assert "##note 3 of 3" not in failed.stdout


PAUSE = "registry.k8s.io/pause:3.10.2"
NEW, OLD, FOREIGN = (f"sha256:{digit * 64}" for digit in "123")
HOLDS = """
case $5 in
  inspecti) [ "$6" = --output ] || exit 1; cat "digests-${10##*/}" 2>/dev/null || : ;;
  rmi) echo "$6" >>removed ;;
esac
"""
"""A runtime: it says of an image the digests that are written down, by their repositories."""


def pulling(on, cluster, machine, official, shell, tmp_path, digests, pins):
    """Pull, one image after the other, from a registry that has `digests` of pause now."""
    (tmp_path / "digests-pause:3.10.2").write_text("".join(f"{each}\n" for each in digests))
    nodes = tuple(replace(node, image_pull_serial=True) for node in cluster.nodes)
    ctx = on(replace(cluster, nodes=nodes), "w1", machine, replace(official, pins=pins))
    return shell(script_of(plan_images(ctx)), crictl=HOLDS)


def told(done) -> list[str]:
    """Return what was told but for how far it is."""
    return [line for line in done.stdout.splitlines() if not line.startswith("##note ")]


def test_the_digest_that_a_pull_came_to_is_told(cluster, machine, official, on, shell, tmp_path):
    held = [f"registry-k8s.io/pause@{FOREIGN}", f"registry.k8s.io/pause@{NEW}"]
    done = pulling(on, cluster, machine, official, shell, tmp_path, held, {})
    assert (done.returncode, told(done)) == (0, [f"##pulled {PAUSE} {NEW}"])


def test_what_a_runtime_cannot_tell_apart_is_not_told(cluster, machine, official, on, shell, tmp_path):
    held = [f"registry.k8s.io/pause@{NEW}", f"registry.k8s.io/pause@{OLD}"]
    done = pulling(on, cluster, machine, official, shell, tmp_path, held, {})
    assert (done.returncode, told(done)) == (0, [])


def test_what_is_pinned_is_taken(cluster, machine, official, on, shell, tmp_path):
    done = pulling(
        on, cluster, machine, official, shell, tmp_path, [f"registry.k8s.io/pause@{OLD}"], {PAUSE: OLD}
    )
    assert (done.returncode, told(done), done.stderr) == (0, [], "")
    assert not (tmp_path / "removed").exists()


@pytest.mark.parametrize(
    ("held", "found"), [([f"registry.k8s.io/pause@{NEW}"], NEW), ([], "of no known digest")]
)
def test_a_tag_that_leads_elsewhere_than_to_what_is_pinned_is_refused(
    cluster, machine, official, on, shell, tmp_path, held, found
):
    done = pulling(on, cluster, machine, official, shell, tmp_path, held, {PAUSE: OLD})
    assert done.returncode == 1
    assert done.stderr == f"{PAUSE} is {found} in its registry; the lock file pins {OLD}\n"
    assert "##note 3 of 3" not in done.stdout
    assert (tmp_path / "removed").read_text() == f"{PAUSE}\n"


@pytest.mark.parametrize(
    ("policy", "held", "pulled"),
    [("IfNotPresent", False, 3), ("IfNotPresent", True, 0), ("Always", True, 3), ("Never", False, 0)],
)
def test_pulls_follow_the_policy(cluster, machine, official, on, bundle, policy, held, pulled):
    nodes = tuple(replace(node, image_pull_policy=policy) for node in cluster.nodes)
    images = tuple(ImageFact(name, digest) for name, digest in bundle.images["amd64"].items())
    facts = replace(machine, images=images if held else ())
    actions = plan_images(on(replace(cluster, nodes=nodes), "w1", facts, official))
    assert [action.title for action in actions] == ([f"pull {pulled} images"] if pulled else [])


@pytest.mark.parametrize("policy", ["Always", "IfNotPresent", "Never"])
def test_asked_for_they_are_pulled_whatever_the_policy_is(cluster, machine, official, on, bundle, policy):
    nodes = tuple(replace(node, image_pull_policy=policy) for node in cluster.nodes)
    images = tuple(ImageFact(name, digest) for name, digest in bundle.images["amd64"].items())
    ctx = on(replace(cluster, nodes=nodes), "w1", replace(machine, images=images), official)
    assert [action.title for action in plan_pull(ctx)] == ["pull 3 images"]


def test_a_bundle_has_nothing_to_pull(cluster, machine, bundle, on):
    ctx = on(cluster, "w1", machine, bundle)
    assert plan_pull(ctx) == plan_images(ctx) != []


def test_another_runtime_pulls_even_with_a_bundle(cluster, machine, bundle, on):
    nodes = tuple(replace(node, cri_socket="unix:///var/run/crio/crio.sock") for node in cluster.nodes)
    script = script_of(plan_images(on(replace(cluster, nodes=nodes), "w1", machine, bundle)))
    assert "--runtime-endpoint unix:///var/run/crio/crio.sock" in script


def test_what_the_bundle_lacks_is_not_planned(cluster, machine, bundle, on):
    """The check BundleImages refuses such a host before anything is planned."""
    empty = replace(bundle, images={})
    assert plan_images(on(cluster, "w1", machine, empty)) == []
