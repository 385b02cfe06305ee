"""What the cluster has of our objects: one question where all is so, two where something may differ."""

from __future__ import annotations

import json

import pytest

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import UnreachableError
from kubeadm_py.facts.profiles import plain_debian_12
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.model.node import Node, Role
from kubeadm_py.plan.live import objects as live_objects
from kubeadm_py.transport.base import Result
from kubeadm_py.transport.fake import FakeHost

from ..conftest import said

OURS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "c", "namespace": "n"},
    "data": {"a": "1"},
}
SCALED = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d", "namespace": "n"},
    "spec": {"paused": False},
}


def there(item, **fields):
    metadata = {**item["metadata"], "uid": "1", "resourceVersion": "7"}
    return {**item, "metadata": metadata, **fields}


def look(*arguments):
    answer = live_objects.look(*arguments)
    return answer and answer.objects


class API:
    """Answers kubectl: `get` with what there is, an apply with what it would make."""

    def __init__(self, *items, would_be=()):
        self.items, self.would_be = items, would_be
        self.asked = []
        self.host = FakeHost("cp1")
        self.host.answer("kubectl", self)
        facts = plain_debian_12("cp1", "192.0.2.11")
        node = Node("cp1", Role.CONTROL_PLANE, ("192.0.2.11",))
        self.session = Session(node, self.host, facts, Inventory("demo"), "")

    def __call__(self, call):
        verb = "apply" if "--dry-run=server" in call.text else "get"
        assert (" apply " in call.text) is (verb == "apply"), "nothing is written"
        self.asked.append((verb, json.loads(call.data)["items"]))
        found = self.items if verb == "get" else self.would_be
        listed = {"items": [{"kind": "Node", "metadata": {"name": name}} for name in ("w1", "w2")]}
        return Result(
            0, said({"objects": {"kind": "List", "items": found} if found else "", "listed": listed}), b""
        )


def test_all_is_so():
    api = API(there(OURS))
    found = look(api.session, [OURS], ["w1"])
    assert (found.merged, found.missing) == ({}, frozenset())
    [(verb, items)] = api.asked
    assert verb == "get"
    assert [item["kind"] for item in items] == ["ConfigMap"]
    assert "data" not in items[0], "what is asked for is named, not sent"
    assert set(found.there) == {"ConfigMap n/c", "Node w1"}, "of the nodes, those that were asked for"


def test_one_is_missing():
    found = look(API().session, [OURS], [])
    assert found.missing == {"ConfigMap n/c"}


def test_what_differs_is_judged_by_the_server():
    changed = there(OURS, data={"a": "2"})
    api = API(changed, would_be=[there(OURS)])
    found = look(api.session, [OURS], [])
    assert set(found.merged) == {"ConfigMap n/c"}
    assert api.asked[1] == ("apply", [OURS])


def test_what_only_looks_different_is_none():
    other_words = there(OURS, data={"a": "one"})
    api = API(other_words, would_be=[there(OURS, data={"a": "one"})])
    assert look(api.session, [OURS], []).merged == {}


def test_a_changed_form_is_asked_about_even_where_it_only_lacks_fields():
    richer = there(OURS, data={"a": "1", "old": "of ours"})
    api = API(richer, would_be=[there(OURS)])
    assert not look(api.session, [OURS], []).merged
    assert look(api.session, [OURS], [], {"ConfigMap n/c"}).merged


def test_a_scaled_workload_keeps_its_replicas():
    live = there(SCALED, spec={"paused": True, "replicas": 5})
    api = API(live, would_be=[there(SCALED, spec={"paused": False, "replicas": 5})])
    look(api.session, [SCALED], [])
    assert api.asked[1][1][0]["spec"] == {"paused": False, "replicas": 5}


def test_where_the_server_refuses_the_question_it_differs():
    api = API(there(OURS, data={"a": "2"}))
    api.host.answer("--dry-run=server", lambda _call: Result(1, b"", b"denied"))
    assert look(api.session, [OURS], []).differs("ConfigMap n/c")


@pytest.mark.parametrize("answer", [Result(1, b"", b"refused"), Result(0, b"no json", b"")])
def test_nobody_answers(answer):
    api = API()
    api.host.answer("kubectl", lambda _call: answer)
    assert look(api.session, [OURS], []) is None


def test_the_host_is_gone():
    def gone(_call):
        raise UnreachableError("lost")

    api = API()
    api.host.answer("kubectl", gone)
    assert look(api.session, [OURS], []) is None
