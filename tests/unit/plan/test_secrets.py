"""No secret in anything that is shown, logged, planned or sent as a script."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime

import pytest

from kubeadm_py.model.actions import Late
from kubeadm_py.model.bootstrap import BootstrapToken
from kubeadm_py.model.cluster import ArtifactSource
from kubeadm_py.model.secret import Secret
from kubeadm_py.plan import init as plan_init
from kubeadm_py.plan.certificates.shared_keys import SharedKeys
from kubeadm_py.plan.joining import join as plan_join
from kubeadm_py.plan.run import RunFailedError, running
from kubeadm_py.plan.show.before import Before
from kubeadm_py.plan.show.changes import tell
from kubeadm_py.report import plan_text
from kubeadm_py.report.text import UNICODE

GIVEN = Secret("abcdef.0123456789abcdef")


def secrets_of(world, sent: list[bytes]) -> set[str]:
    """Collect every secret that the hosts hold or were ever sent, in each form it may be seen in."""
    found: set[str] = set()
    contents = [content for machine in world.machines.values() for content in machine.content.values()]
    for content in [*contents, *sent]:
        text = content.decode(errors="replace")
        for body in re.findall(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n(.*?)\n-----END", text, re.DOTALL):
            found.update(body.splitlines()[:-1] or body.splitlines())
        for encoded in re.findall(r"client-key-data: (\S+)", text):
            found.add(encoded)
            found.update(base64.b64decode(encoded).decode().splitlines()[1:-1])
        found.update(re.findall(r"\b[a-z0-9]{6}\.([a-z0-9]{16})\b", text))
        for encoded in re.findall(r'"token-secret": "([^"]+)"', text):
            found |= {encoded, base64.b64decode(encoded).decode()}
    return {secret for secret in found if len(secret) > 10}


def told(plan, world) -> str:
    """Return all that is told of a plan, to people and to machines, by all that is known of its hosts."""
    before = {
        name: Before(machine.facts, contents=machine.content) for name, machine in world.machines.items()
    }
    event = tell(plan, before)
    return "\n".join(plan_text.lines(event, None, UNICODE, verbose=True)) + json.dumps(event.to_json())


def assert_none(secrets: set[str], shown: dict[str, str]) -> None:
    for where, text in shown.items():
        leaked = [secret for secret in secrets if secret in text]
        assert leaked == [], f"{where} shows a secret"


@pytest.fixture
def whole(make_world):
    """Everything that init and a join show, and every secret that there was."""
    world = make_world(
        base="lab-bare",
        artifacts=ArtifactSource.BUNDLE,
        bootstrap_tokens=(BootstrapToken(GIVEN, "the operator's"), BootstrapToken()),
    )
    shown: dict[str, str] = {}
    run = world.a_run("init")
    with running(run, hosts=run.cluster.control_planes):
        report = plan_init.init(run)
    shown["init's report"] = repr(report)
    shown["init's run"] = repr(run)
    shown["init's plan"] = told(report.plan, world) + repr(report.plan)
    again = world.a_run("join")
    with running(again, hosts=again.cluster.workers):
        joined = plan_join.join(again, again.cluster.workers)
    shown["join's report"] = repr(joined)
    shown["join's run"] = repr(again)
    shown["join's plan"] = told(joined.plan, world) + repr(joined.plan)
    for number, event in enumerate(world.events):
        shown[f"event {number} {event.type}"] = json.dumps(event.to_json()) + repr(event)
    for machine in world.machines.values():
        for number, call in enumerate(machine.calls):
            shown[f"{machine.name}'s script {number}"] = call.text
    sent = [call.data for machine in world.machines.values() for call in machine.calls]
    return world, shown, secrets_of(world, sent)


def test_nothing_shows_a_secret(whole):
    _, shown, secrets = whole
    assert len(shown) > 60
    assert len(secrets) > 40, "the keys and tokens of a whole cluster were looked for"
    assert GIVEN.text().partition(".")[2] in secrets
    assert_none(secrets, shown)


def test_the_search_would_find_one(whole):
    """The test can fail: a key in a plan, a token in an event."""
    _, _, secrets = whole
    for secret in sorted(secrets)[:3]:
        with pytest.raises(AssertionError, match="shows a secret"):
            assert_none(secrets, {"something": f"x {secret} y"})


def test_what_holds_a_secret_is_the_owners_alone(whole):
    world, _, secrets = whole
    for machine in world.machines.values():
        for path, content in machine.content.items():
            if any(secret in content.decode(errors="replace") for secret in secrets):
                assert machine.facts.files[path].mode & 0o077 == 0, path


def test_the_inventory_holds_none(whole):
    world, _, secrets = whole
    for machine in world.machines.values():
        inventory = machine.facts.inventory.decode()
        assert not [secret for secret in secrets if secret in inventory]


def test_a_dry_run_shows_none(make_world):
    """A token of the config is a secret before anything is made."""
    world = make_world(bootstrap_tokens=(BootstrapToken(GIVEN),))
    report = world.init(dry_run=True)
    text = told(report.plan, world) + repr(report)
    assert "0123456789abcdef" not in text
    assert "bootstrap token: for joining nodes" in text
    assert "CN=kube-apiserver" in text or "kube-apiserver" in text
    for call in world.machines["cp1"].calls:
        assert "0123456789abcdef" not in call.text


def test_errors_hold_none(make_world):
    """Each stage fails in turn; the error says no more than titles and the host's own words."""
    world = make_world(up=True)
    for index in range(4):
        world.machines["w1"].kill("join", index)
        with pytest.raises(RunFailedError) as caught:
            world.join("w1")
        told = f"{caught.value} {caught.value.args} {caught.value.details}"
        assert not re.search(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b", told)


def test_what_control_planes_share_does_not_show_itself(make_world):
    keys = SharedKeys(make_world().cluster, (), lambda: {"ca.key": b"the very key"}, datetime.now(UTC))
    assert keys.table(b"")["shared-file"]("cp2", Late("shared-file", {}, "ca.key")) == b"the very key"
    assert "the very key" not in repr(keys)
