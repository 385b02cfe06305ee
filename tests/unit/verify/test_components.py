"""What is not ready yet is waited for, and for nothing else."""

from __future__ import annotations

from kubeadm_py.verify import components
from kubeadm_py.verify.components import Wanted, once_started

SCHEDULER = (Wanted("Pod", "kube-system", "kube-scheduler-cp1"), "is Running and not ready", {})
API_SERVER = (Wanted("Pod", "kube-system", "kube-apiserver-cp1"), "is Running and not ready", {})
MISSING = (Wanted("Deployment", "kube-system", "coredns"), "is missing", None)


def judged(*looks):
    """Return what was found at last, and the scripts that waited."""
    left, scripts = list(looks), []
    found = once_started(
        lambda: left.pop(0) if len(left) > 1 else left[0], lambda script, _: scripts.append(script)
    )
    return found, scripts


def test_all_is_ready():
    assert judged([]) == ([], [])


def test_what_is_starting_is_waited_for():
    found, [script] = judged([SCHEDULER], [])
    assert found == []
    assert "pod/kube-scheduler-cp1" in script


def test_another_pod_may_be_not_ready_while_the_first_one_gets_ready():
    """The pods of a kubelet that has started anew are probed anew, each at a moment of its own."""
    found, scripts = judged([API_SERVER], [SCHEDULER], [])
    assert found == []
    assert ["kube-scheduler" in script for script in scripts] == [False, True]


def test_what_is_missing_is_told_at_once():
    assert judged([SCHEDULER, MISSING]) == ([SCHEDULER, MISSING], [])


def test_it_ends_where_a_pod_never_stays_ready():
    found, scripts = judged([SCHEDULER])
    assert found == [SCHEDULER]
    assert len(scripts) == components._LOOKS
