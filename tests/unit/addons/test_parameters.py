from __future__ import annotations

import pytest

from kubeadm_py.addons.parameters import FormatParameter, accept


@pytest.mark.parametrize(
    ("form", "value", "fits"),
    [
        ("cidr", "10.0.0.0/8", True),
        ("cidr", "fd00::/64", True),
        ("cidr", "10.0.0.1/8", False),
        ("address", "fd00::1", True),
        ("address", "10.0.0.0/8", False),
        ("quantity", "1.5Gi", True),
        ("quantity", "100m\n", False),
        ("quantity", "-1", False),
    ],
)
def test_forms(form, value, fits):
    assert (accept(FormatParameter(type=form, default="", description=""), value) == "") is fits
