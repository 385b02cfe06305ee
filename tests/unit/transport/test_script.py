import subprocess

import pytest

from kubeadm_py.transport import script
from kubeadm_py.transport.become import Become
from kubeadm_py.transport.output import Output


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# stage control\nset -e", "stage control"),
        ("#!/bin/sh\n\n#  two words", "two words"),
        ("echo token=abcdef.0123456789abcdef\n# later", "a script"),
        ("", "a script"),
        ("# " + "x" * 200, "x" * 80),
    ],
)
def test_only_a_leading_comment_names_a_script(text, title):
    assert script.title(text) == title


def test_words_are_quoted():
    assert script.join(["rm", "-rf", "a b", "it's"]) == "rm -rf 'a b' 'it'\"'\"'s'"
    assert script.quote("$x") == "'$x'"


@pytest.mark.parametrize(
    "become", [Become("root", sudo=False), Become("u", sudo=True), Become("u", True, object())]
)
def test_command_lines_suit_any_login_shell(become):
    command = become.command(script.Envelope.of("echo 'hi'").bootstrap)
    assert command.startswith("exec ")
    assert command.count("'") == 2
    assert not set(command) & set("\\!\n`")


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_large_script_arrives_whole(shell):
    text = "\n".join(f": {'x' * 90} {number}" for number in range(10_000)) + "\necho done"
    envelope = script.Envelope.of(text)
    ended = subprocess.run(
        [shell, "-c", envelope.bootstrap], input=envelope.payload + b"rest", capture_output=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"done\n", envelope.marker)


def test_what_a_login_shell_says_is_not_the_scripts():
    output = Output(b"start-1\n")
    for piece in (b"motd\nsta", b"rt-1\nreal", b" error\n"):
        output.add_stderr(piece)
    assert output.started
    assert (bytes(output.preface), bytes(output.stderr)) == (b"motd\n", b"real error\n")
    assert output.words_before() == ("motd",)
    assert output.last_lines() == ("real error",)


def test_lines_that_come_in_pieces():
    seen = []
    output = Output(b"m", seen.append)
    for piece in (b"on", b"e\ntwo\nth", b"ree\n", b"", b"\nlast"):
        output.add_stdout(piece)
    assert seen == ["one", "two", "three", ""]
    output.end()
    output.end()
    assert seen[-1] == "last"
    assert output.before_line("three") == b"one\ntwo\n"
    assert output.before_line("last") is None
