"""Swap goes off for good, comes back with reset, and is left alone where it must be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.model import host_settings
from kubeadm_py.model.facts import FileFact, UnitFact
from kubeadm_py.steps.prepare.swap import plan_restore_swap, plan_swap

FSTAB = """\
# /etc/fstab: swap lines in comments stay
UUID=1 / ext4 errors=remount-ro 0 1
UUID=2 none swap sw 0 0
  /swap.img\tnone\tswap\tsw\t0\t0
//server/share /mnt/swap cifs password=x 0 0
#UUID=3 none swap sw 0 0
/dev/sdb none swap
"""
WITHOUT_SWAP = """\
# /etc/fstab: swap lines in comments stay
UUID=1 / ext4 errors=remount-ro 0 1
#kubeadm-py: UUID=2 none swap sw 0 0
#kubeadm-py:   /swap.img\tnone\tswap\tsw\t0\t0
//server/share /mnt/swap cifs password=x 0 0
#UUID=3 none swap sw 0 0
#kubeadm-py: /dev/sdb none swap
"""


def with_fstab(facts, text, **fields):
    fact = FileFact(host_settings.FSTAB, 0o644, "root:root", content=text.encode())
    return replace(facts, files={host_settings.FSTAB: fact}, **fields)


def titles(actions):
    return [action.title for action in actions]


def test_swap_is_taken_out_of_fstab_and_put_back(cluster, machine, bundle, on, shell, tmp_path):
    fstab = tmp_path / "fstab"
    fstab.write_text(FSTAB)
    fstab.chmod(0o640)
    (edit,) = plan_swap(on(cluster, "w1", with_fstab(machine, FSTAB), bundle))
    done = shell(edit.script.replace(host_settings.FSTAB, str(fstab)))
    assert (done.returncode, done.stderr) == (0, "")
    assert fstab.read_text() == WITHOUT_SWAP
    assert fstab.stat().st_mode & 0o777 == 0o640
    facts = with_fstab(machine, WITHOUT_SWAP)
    assert plan_swap(on(cluster, "w1", facts, bundle)) == []
    (restore,) = plan_restore_swap(facts)
    assert shell(restore.script.replace(host_settings.FSTAB, str(fstab))).returncode == 0
    assert fstab.read_text() == FSTAB


@pytest.mark.parametrize(
    ("change", "kubelet"),
    [
        ({"container": "docker", "swaps": ("/dev/sda2",)}, {}),
        ({"swaps": ("/dev/sda2",)}, {"failSwapOn": False}),
        ({}, {}),
    ],
)
def test_swap_is_left_alone(cluster, machine, bundle, on, change, kubelet):
    ctx = on(replace(cluster, kubelet_config=kubelet), "w1", replace(machine, **change), bundle)
    assert plan_swap(ctx) == []


@pytest.mark.parametrize(
    "change",
    [
        {"swaps": ("/dev/sda2",)},
        {"units": {"dev-zram0.swap": UnitFact("dev-zram0.swap", "loaded", "active", "generated")}},
        {"units": {"swapfile.swap": UnitFact("swapfile.swap", "loaded", "inactive", "enabled")}},
    ],
)
def test_swap_is_switched_off(cluster, machine, bundle, on, change):
    ctx = on(replace(cluster, kubelet_config={"failSwapOn": True}), "w1", replace(machine, **change), bundle)
    assert titles(plan_swap(ctx)) == ["switch swap off"]


def test_masked_units_are_no_work(cluster, machine, bundle, on):
    masked = {"dev-zram0.swap": UnitFact("dev-zram0.swap", "masked", "inactive", "masked")}
    assert plan_swap(on(cluster, "w1", replace(machine, units=masked), bundle)) == []


SYSTEMCTL = r"""
echo "$*" >>systemctl.log
case $* in
  list-units*) printf '%s\n' 'dev-sda2.swap loaded active' 'dev-zram0.swap loaded active' \
    'dev-disk-by\x2duuid-9.swap loaded active' 'swapfile.swap loaded active' \
    'dev-zram1.swap masked inactive' 'data.swap loaded active' ;;
  'show -p LoadState --value -- dev-zram1.swap') echo masked ;;
  'show -p SourcePath --value -- dev-sda2.swap') echo /etc/fstab ;;
  'show -p Following --value -- dev-disk-by\x2duuid-9.swap') echo dev-sda2.swap ;;
  'mask --quiet -- swapfile.swap' | 'mask --quiet -- data.swap') exit 1 ;;
  'is-enabled --quiet -- data.swap' | 'is-enabled --quiet -- zram-config.service') exit 1 ;;
  'cat -- zramswap.service' | 'cat -- zram-config.service' | 'cat -- dphys-swapfile.service') exit 0 ;;
  'cat -- '*) exit 1 ;;
esac
"""


def test_units_that_bring_swap_back_are_masked_and_unmasked(cluster, machine, bundle, on, shell, tmp_path):
    (off,) = plan_swap(on(cluster, "w1", replace(machine, swaps=("/dev/zram0",)), bundle))
    record = tmp_path / "swap-units"
    swaps = tmp_path / "swaps"
    swaps.write_text("Filename Type Size Used Priority\n")

    def here(script):
        return (
            script.replace(host_settings.MASKED_SWAP_UNITS, str(record))
            .replace("/var/lib/kubeadm-py", str(tmp_path))
            .replace("/proc/swaps", str(swaps))
        )

    done = shell(here(off.script), systemctl=SYSTEMCTL, swapoff="echo swapoff >>systemctl.log")
    assert (done.returncode, done.stderr) == (0, "")
    assert record.read_text().splitlines() == [
        "mask dev-zram0.swap",
        "disable swapfile.swap",
        "disable zramswap.service",
        "disable dphys-swapfile.service",
    ]
    log = (tmp_path / "systemctl.log").read_text().splitlines()
    assert log[-2:] == ["daemon-reload", "swapoff"]
    stopped = [line.removeprefix("stop -- ") for line in log if line.startswith("stop ")]
    assert stopped == ["zramswap.service", "zram-config.service", "dphys-swapfile.service"]
    # What was off or masked before us stays so, and reset will not bring it to life.
    assert "mask --quiet -- dev-zram1.swap" not in log
    assert not [line for line in log if line.startswith("disable") and line.endswith("data.swap")]

    swaps.write_text("Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n")
    failed = shell(here(off.script), systemctl=SYSTEMCTL, swapoff="exit 0")
    assert failed.returncode == 1
    assert "swap is still on: /dev/sda2" in failed.stderr

    path = host_settings.MASKED_SWAP_UNITS
    facts = replace(machine, files={path: FileFact(path, 0o600, "root:root")})
    (on_again,) = plan_restore_swap(facts)
    (tmp_path / "systemctl.log").unlink()
    assert shell(here(on_again.script), systemctl=SYSTEMCTL).returncode == 0
    assert (tmp_path / "systemctl.log").read_text().splitlines() == [
        "enable --quiet -- dphys-swapfile.service",
        "enable --quiet -- swapfile.swap",
        "enable --quiet -- zramswap.service",
        "unmask --quiet -- dev-zram0.swap",
        "daemon-reload",
    ]
    assert not record.exists()


@pytest.mark.parametrize(
    ("at", "noted"),
    [("mask --quiet -- dev-zram0.swap", "mask dev-zram0.swap"), ("disable *", "disable swapfile.swap")],
)
def test_what_a_killed_run_has_switched_off_is_noted(
    cluster, machine, bundle, on, shell, tmp_path, at, noted
):
    (off,) = plan_swap(on(cluster, "w1", replace(machine, swaps=("/dev/zram0",)), bundle))
    record = tmp_path / "swap-units"
    script = off.script.replace(host_settings.MASKED_SWAP_UNITS, str(record))
    # Killed in the very moment in which it is done.
    killed = f"case $* in {at.replace(' ', chr(92) + ' ')}) kill -s KILL $PPID; sleep 1 ;; esac"
    shell(script.replace("/var/lib/kubeadm-py", str(tmp_path)), systemctl=SYSTEMCTL + killed, swapoff=":")
    assert record.read_text().splitlines()[-1] == noted


def test_nothing_is_restored_where_nothing_was_changed(machine):
    assert plan_restore_swap(machine) == []
