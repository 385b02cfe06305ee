"""Errors as people read them, and the one table of exit codes."""

from __future__ import annotations

import errno
import inspect

import pytest

from kubeadm_py import errors
from kubeadm_py.errors import ExitCode, KubeadmPyError, of_system, system_errors_told, worst


def test_an_error_says_what_where_and_what_to_do():
    error = KubeadmPyError("it failed", host="w1", details=["one", "two"], fix="mend it")
    assert str(error) == "w1: it failed"
    assert (error.summary, error.host, error.details, error.fix) == (
        "it failed",
        "w1",
        ("one", "two"),
        "mend it",
    )
    assert error.args == ("it failed",)


def test_a_host_that_is_known_later_is_named_too():
    error = KubeadmPyError("it failed")
    assert str(error) == "it failed"
    error.host = "w1"
    assert str(error) == "w1: it failed"


def test_the_table_of_exit_codes():
    """What scripts rely on: design.md section 1."""
    assert {code.name: int(code) for code in ExitCode} == {
        "DONE": 0,
        "FAILED": 1,
        "USAGE": 2,
        "PREFLIGHT": 3,
        "CHANGES": 4,
        "LOCKED": 5,
        "VERIFY": 6,
        "UNREACHABLE": 7,
        "HOST_KEY": 8,
        "TIMEOUT": 9,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([], 0),
        ([9], 9),
        ([1, 9], 1),
        ([1, 3], 3),
        ([3, 7], 7),
        ([7, 8], 8),
        ([8, 5], 5),
        ([5, 130, 1], 130),
        ([2], 2),
        ([6], 6),
    ],
)
def test_the_gravest_of_several_causes(codes, code):
    assert worst([ExitCode(each) for each in codes]) == code


def test_each_error_has_an_exit_code_of_its_own():
    classes = [
        each
        for _, each in inspect.getmembers(errors, inspect.isclass)
        if issubclass(each, KubeadmPyError) and each is not KubeadmPyError
    ]
    codes = [each.exit_code for each in classes]
    assert len(set(codes)) == len(codes) == 6
    assert ExitCode.DONE not in codes


class TestOfSystem:
    def test_a_named_file(self):
        error = PermissionError(errno.EACCES, "Permission denied", "/a b")
        told = of_system(error)
        assert told is not None
        assert str(told) == "/a b cannot be used: Permission denied"
        assert told.fix.endswith(": namei -l '/a b'")

    @pytest.mark.parametrize("error", [OSError(errno.EPIPE, "Broken pipe"), ValueError("no")])
    def test_another_error(self, error):
        assert of_system(error) is None
        with pytest.raises(type(error)), system_errors_told():
            raise error

    def test_it_is_raised_as_one_for_people(self):
        with (
            pytest.raises(KubeadmPyError, match="/there cannot be used: No space left"),
            system_errors_told(),
        ):
            raise OSError(errno.ENOSPC, "No space left on device", "/there")
