"""The command line that the table of commands makes."""

from __future__ import annotations

import pytest

from kubeadm_py.cli import app, options, syntax
from kubeadm_py.cli.table import COMMANDS, GROUPS

WHOSE = (options.OURS, options.KUBEADM, options.OF_PHASES)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_of_the_table_can_be_built(path):
    built = app.command(path)
    assert built.name == path.rpartition(" ")[2]
    assert built.callback is not None
    assert app.summary(path).endswith((".", ","))


@pytest.mark.parametrize("path", COMMANDS)
def test_every_flag_says_whose_it_is_what_it_does_and_what_it_takes(path):
    params = syntax.build(path, app.function(path)).params
    flags = [each for each in params if each.param_type_name == "option" and not each.hidden]
    assert [each.name for each in flags if not (each.help or "").endswith(".")] == []
    assert [each.name for each in flags if each.rich_help_panel not in WHOSE] == []
    assert [each.name for each in flags if not each.is_flag and not each.metavar] == []


def test_every_group_holds_commands_and_every_command_lies_in_a_group():
    above = {path.rpartition(" ")[0] for path in COMMANDS} - {""}
    above |= {path.rpartition(" ")[0] for path in above} - {""}
    assert above == set(GROUPS)


@pytest.mark.parametrize("words", ["", "token", "token create", "init phase certs", "certs renew"])
def test_help_is_a_word_as_well_as_a_flag(words, capsys):
    shown = []
    for typed in (f"help {words}", f"{words} --help"):
        with pytest.raises(SystemExit) as ended:
            app.Group().main(typed.split(), prog_name="kubeadm-py")
        assert ended.value.code == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    assert f"Usage: kubeadm-py {words}".rstrip() in shown[0]


def test_help_about_what_there_is_not(capsys):
    with pytest.raises(SystemExit) as ended:
        app.Group().main(["help", "foo"], prog_name="kubeadm-py")
    assert ended.value.code == 2
    assert "No such command 'foo'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("aply --config x", "No such command 'aply'; did you mean apply?"),
        ("etcd staus", "No such command 'staus'; did you mean status?"),
        ("etcd snapshot", "No such command 'snapshot'."),
    ],
)
def test_a_mistyped_command(typed, said, capsys):
    with pytest.raises(SystemExit) as ended:
        app.Group().main(typed.split(), prog_name="kubeadm-py")
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_the_groups_members_stand_in_the_tables_order():
    assert app.children("token") == ["create", "list", "delete", "generate"]
    assert app.children("config") == ["validate", "adopt", "migrate", "print", "schema", "images"]
    assert app.children("")[0] == "init"


def test_another_word_is_no_command():
    group = app.Group("token")
    assert group.get_command(None, "create").name == "create"
    assert group.get_command(None, "frobnicate") is None
