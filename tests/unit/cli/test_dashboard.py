"""What `dashboard` asks, prints and refuses."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from kubeadm_py.addons import load as addons
from kubeadm_py.cli.verbs import dashboard as verb
from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.kube import dashboard as kube
from kubeadm_py.model.cluster import AddonRequest, ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version
from kubeadm_py.transport.base import Result
from kubeadm_py.transport.fake import FakeHost
from kubeadm_py.transport.forward import Forward

TOKEN = "eyJhbGciOi.a.b"


def objects(*, ready: int = 1, **parameters: object) -> list[dict[str, Any]]:
    """Return what the add-on renders to, as a cluster would answer with it."""
    node = Node("cp1", Role.CONTROL_PLANE, ("10.0.0.1",))
    request = AddonRequest(kube.ADDON, parameters)
    cluster = ResolvedCluster("demo", Version(1, 36, 3), (node,), addons=(request,))
    made = {each["kind"]: dict(each) for each in addons.render(addons.resolve_alone(cluster), cluster)}
    deployment, service = made["Deployment"], made["Service"]
    for each in (deployment, service):
        assert (each["metadata"]["namespace"], each["metadata"]["name"]) == (kube.NAMESPACE, kube.NAME)
    deployment["status"] = {"readyReplicas": ready} if ready else {}
    service["spec"]["clusterIP"] = "10.96.0.20"
    return [deployment, service]


def answer(items: list[dict[str, Any]], token: str = TOKEN, error: str = "") -> Result:
    listed = json.dumps({"kind": "List", "items": items}, indent=4)
    text = f"{listed}\n== token\n{token}\n" if items else ""
    return Result(1 if error else 0, text.encode(), error.encode())


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    made = FakeHost("cp1")

    @contextlib.contextmanager
    def leader(*_arguments: object, **_options: object) -> Iterator[tuple[None, FakeHost]]:
        yield None, made

    def stopped(_forward: Forward) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verb, "leader", leader)
    monkeypatch.setattr(Forward, "serve_forever", stopped)
    return made


def run(**changed: Any) -> None:
    verb.dashboard(**{"config": "", "hosts": [], "admin": False, "port": 0, "duration": "1h"} | changed)


def test_it_prints_where_it_is_and_who_it_is_for(host, capsys):
    host.answer("create token viewer", answer(objects(baseURL="/board")))
    run(duration="8h")
    said = capsys.readouterr().out
    [script] = [call.text for call in host.calls if call.kind == "run"]
    assert "--duration 28800s" in script
    assert said.splitlines()[0].startswith("http://127.0.0.1:")
    assert said.splitlines()[0].endswith("/board/")
    assert "token of viewer, for 8h0m0s" in said
    assert f"\n{TOKEN}\n" in said


def test_the_accounts_are_those_of_the_add_on(host, capsys):
    accounts = {
        (each["metadata"]["namespace"], each["metadata"]["name"])
        for each in _rendered(adminLogin=True)
        if each["kind"] == "ServiceAccount"
    }
    assert {(kube.NAMESPACE, kube.VIEWER), (kube.NAMESPACE, kube.ADMIN)} <= accounts
    host.answer("create token admin", answer(objects(adminLogin=True)))
    run(admin=True)
    assert "everything" in capsys.readouterr().out


def _rendered(**parameters: object) -> list[Any]:
    node = Node("cp1", Role.CONTROL_PLANE, ("10.0.0.1",))
    request = AddonRequest(kube.ADDON, parameters)
    cluster = ResolvedCluster("demo", Version(1, 36, 3), (node,), addons=(request,))
    return list(addons.render(addons.resolve_alone(cluster), cluster))


@pytest.mark.parametrize(
    ("result", "admin", "summary", "fix"),
    [
        (answer([], error="deployments.apps not found"), False, "no dashboard", "spec.addons"),
        (answer(objects()[:1]), False, "no dashboard", "spec.addons"),
        (Result(0, b"garbage", b""), False, "no dashboard", "spec.addons"),
        (
            Result(1, b"", b"Unable to connect to the server: connection refused"),
            False,
            "looking for the dashboard failed",
            "does this control plane answer",
        ),
        (
            Result(1, b"", b"error: stat /etc/kubernetes/admin.conf: no such file or directory"),
            False,
            "admin.conf is not there",
            "--config FILE",
        ),
        (answer(objects(), "", "serviceaccounts not found"), True, "no token for admin", "adminLogin: true"),
        (answer(objects(ready=0)), False, "pods are not ready", "describe pods"),
    ],
)
def test_what_is_missing_is_named_with_what_brings_it(result, admin, summary, fix, host):
    host.answer("create token", result)
    with pytest.raises(KubeadmPyError, match=summary) as caught:
        run(admin=admin)
    assert fix in caught.value.fix


def test_a_signal_ends_it_even_where_it_was_ignored(host, monkeypatch):
    def serve(_forward: Forward) -> None:
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("it goes on")

    host.answer("create token", answer(objects()))
    monkeypatch.setattr(Forward, "serve_forever", serve)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("duration", ["soon", "9m", "0"])
def test_a_lifetime_that_no_token_can_have_is_refused_before_any_host(duration, host):
    with pytest.raises(UsageError, match="--duration"):
        run(duration=duration)
    assert host.calls == []
