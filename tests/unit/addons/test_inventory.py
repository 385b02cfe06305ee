"""What the cluster is told of an add-on, and what may be taken out by it."""

from __future__ import annotations

import pytest

from kubeadm_py.addons.inventory import Inventory, Ref, config_map, parse, removable

SPACE = Ref("v1", "Namespace", "", "a")
POD = Ref("v1", "Pod", "a", "p")
CLASS = Ref("storage.k8s.io/v1", "StorageClass", "", "fast")
KNOWN = Inventory("mine", "v1", "p", "m", (SPACE, POD, CLASS))


def test_what_is_written_is_read_again():
    assert parse(config_map(KNOWN)) == KNOWN


@pytest.mark.parametrize("data", [None, {}, {"objects": "["}, {"objects": "[1]"}, {"objects": "{}"}])
def test_what_somebody_else_wrote_is_none(data):
    assert parse({**config_map(KNOWN), "data": data}) is None


def test_what_is_over_goes_in_reverse_and_an_api_of_another_version_is_the_same_object():
    assert KNOWN.surplus([POD]) == (CLASS, SPACE)
    old = Ref("autoscaling/v1", "HorizontalPodAutoscaler", "a", "h")
    new = Ref("autoscaling/v2", "HorizontalPodAutoscaler", "a", "h")
    assert Inventory("x", "", "", "", (SPACE, old)).surplus([new]) == (SPACE,)


def test_what_peoples_data_hangs_on_stays_unless_asked():
    assert removable((CLASS, POD, SPACE)) == ((POD,), (CLASS, SPACE))
    assert removable((CLASS, POD, SPACE), purge=True) == ((CLASS, POD, SPACE), ())
