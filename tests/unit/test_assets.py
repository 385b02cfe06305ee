"""Data folders of a checkout and of a wheel."""

from __future__ import annotations

import pytest

from kubeadm_py import assets


@pytest.fixture
def package(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "kubeadm_py"
    package.mkdir(parents=True)
    monkeypatch.setattr(assets, "_PACKAGE", package)
    assets.folder.cache_clear()
    yield package
    assets.folder.cache_clear()


@pytest.mark.parametrize("name", ["templates", "pki", "addons"])
def test_the_folders_are_there(name):
    assert any(assets.folder(name).iterdir())


def test_a_wheel_carries_its_own(package):
    assert assets.folder("templates") == package / "_data" / "templates"


def test_a_checkout_wins(package):
    (package.parent / "pyproject.toml").touch()
    (package.parent / "pki").mkdir()
    assert assets.folder("pki") == package.parent / "pki"


def test_a_folder_of_that_name_beside_an_installed_package_is_a_strangers(package):
    (package.parent / "addons").mkdir()
    assert assets.folder("addons") == package / "_data" / "addons"
