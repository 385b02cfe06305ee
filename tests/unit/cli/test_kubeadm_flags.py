"""Every command and flag that real kubeadm's help lists: taken here to an effect, or a wanted difference."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeadm_py.cli import app, verbs
from kubeadm_py.cli.table import ANYTHING, COMMANDS, SILENT
from kubeadm_py.steps import renew

RECORDED = Path(__file__).parents[2] / "golden" / "kubeadm"
KUBEADM = yaml.safe_load((RECORDED / "help.yaml").read_text())["commands"]
DIFFERENCES = yaml.safe_load((RECORDED / "flag-differences.yaml").read_text())
ABSENT = tuple(row["command"] for row in DIFFERENCES if "flag" not in row)
UNLIKE = {(row["command"], row["flag"]): row["here"] for row in DIFFERENCES if "flag" in row}
VERBS = [file.stem for file in Path(verbs.__file__).parent.glob("[a-z]*.py")]
EVERYWHERE = KUBEADM[""]["flags"]
SAMPLES = {"string": "sample", "strings": "one,two", "int32": "1234", "duration": "1h0m0s", "int": "3"}
NEEDED = {
    "token delete": ["abcdef"],
    "config validate": ["--config", "x"],
    "config migrate": ["--old-config", "x"],
    "certs renew": ["all"],
    "completion": ["bash"],
    "kubeconfig user": ["--client-name", "sample"],
}
"""What a command must be given besides."""


def command_of(path: str) -> str:
    """Return the command that is typed so; `certs renew` takes as a word what are commands of kubeadm's."""
    command, _, name = path.rpartition(" ")
    return command if command == "certs renew" and name in ("all", *renew.names()) else path


ARGUMENTS = ("certs renew",)
"""What kubeadm has as commands behind these words is an argument here."""


def absent(path: str) -> bool:
    return any(path == name or path.startswith(f"{name} ") for name in ABSENT)


def leaves() -> list[str]:
    found = [path for path in KUBEADM if command_of(path) in app.COMMANDS or path in app.PHASES]
    return [path for path in found if path != "certs renew"]


def flags() -> list[tuple[str, str]]:
    """List the flags that change something."""
    return [
        (path, flag)
        for path in leaves()
        if path not in ANYTHING
        for flag in KUBEADM[path]["flags"]
        if flag not in SILENT.get(path, ()) and (path, flag) not in UNLIKE
    ]


@pytest.mark.parametrize("path", [path for path in KUBEADM if path])
def test_every_command_is_there_or_said_to_be_absent(path):
    taken = any(path == name or path.startswith(f"{name} ") for name in ANYTHING)
    assert app.is_path(command_of(path)) or taken or absent(path)


@pytest.mark.parametrize("path", leaves())
def test_every_flag_is_taken_or_said_to_be_refused(path):
    options = {option for param in app.command(command_of(path)).params for option in param.opts}
    for flag, about in {**KUBEADM[path]["flags"], **EVERYWHERE}.items():
        if path in ANYTHING or UNLIKE.get((path, flag)) in ("refused", "not there yet"):
            continue
        assert f"--{flag}" in options, flag
        if "short" in about:
            assert f"-{about['short']}" in options, flag


class Recorder:
    """Stand in for a verb's module and keep what it is called with."""

    def __init__(self) -> None:
        self.called: list[Any] = []

    def __getattr__(self, name: str) -> Callable[..., list[str]]:
        def call(*args: Any, **kwargs: Any) -> list[str]:
            shown = [getattr(each, "verbosity", each) for each in args]
            self.called.append((name, repr(shown), kwargs))
            return [repr(shown)]

        return call


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that types a command and returns what its verb is called with."""

    def type_(path: str, *arguments: str) -> Any:
        recorder = Recorder()
        for name in VERBS:
            monkeypatch.setattr(verbs, name, recorder, raising=False)
        module = app.function(
            command_of(path) if command_of(path) in COMMANDS else path.partition(" ")[0]
        ).__module__
        monkeypatch.setattr(sys.modules[module], "guarded", lambda _display, body: body())
        app.Group().main([*path.split(), *arguments], prog_name="kubeadm-py", standalone_mode=False)
        return recorder.called

    return type_


@pytest.mark.parametrize(("path", "flag"), flags())
def test_every_flag_reaches_what_the_command_does(typed, path, flag):
    about = KUBEADM[path]["flags"][flag]
    needed = NEEDED.get(path, [])
    bare = typed(path, *needed)
    is_on = about.get("default") == "true"
    typed_flag = f"--{flag}=false" if is_on else f"--{flag}"
    value = [] if about["type"] == "bool" else [SAMPLES[about["type"]]]
    given = typed(path, *(needed if f"--{flag}" not in needed else []), typed_flag, *value)
    assert bare
    if f"--{flag}" in needed:
        assert SAMPLES[about["type"]] in repr(given)
    else:
        assert given != bare
    as_it_is = f"--{flag}={str(is_on).lower()}"
    assert typed(path, *needed, as_it_is) == bare if about["type"] == "bool" else True


def test_no_difference_is_about_what_kubeadm_does_not_have():
    for row in DIFFERENCES:
        command, flag = row["command"], row.get("flag")
        assert command in KUBEADM or command == "*"
        assert flag is None or flag in (EVERYWHERE if command == "*" else KUBEADM[command]["flags"])
        assert row["here"] in ("refused", "no effect", "in part", "not there yet")
        assert row["reason"].endswith(".")


def test_what_changes_nothing_is_kubeadms():
    for path, names in SILENT.items():
        assert path in COMMANDS or path in app.PHASES or absent(path)
        assert set(names) <= set(KUBEADM[path]["flags"])


@pytest.mark.parametrize("command", ANYTHING)
@pytest.mark.parametrize("arguments", [[], ["v1.37.0", "--yes"], ["phase", "preflight", "-v=5"]])
def test_upgrade_is_answered_whatever_stands_behind_it(capsys, command, arguments):
    with pytest.raises(SystemExit) as ended:
        app.Group().main([*command.split(), *arguments], prog_name="kubeadm-py")
    assert ended.value.code == 2
    assert "is not there yet" in capsys.readouterr().err
