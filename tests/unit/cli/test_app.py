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


def test_the_groups_members_stand_in_the_tables_order():
    assert app.children("token") == ["create", "list", "delete", "generate"]
    assert app.children("config") == ["validate", "adopt", "migrate", "print", "schema", "images"]
    assert app.children("")[0] == "init"


def test_another_word_is_no_command():
    group = app.Group("token")
    assert group.get_command(None, "create").name == "create"
    assert group.get_command(None, "frobnicate") is None
