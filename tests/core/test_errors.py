"""What errors say: a line for each sentence, and none for what a name holds."""

import pickle

import pytest

from cnnlab.core.errors import ConfigError, Problem, RequestError, WorkError, WriteError

NAME = "a\nerror: b"


@pytest.mark.parametrize(
    "error",
    [
        RequestError(f"no run '{NAME}'"),
        WorkError(f"'{NAME}' failed"),
        WriteError(NAME, "is full", "make room"),
        ConfigError([Problem(NAME, "is wrong")]),
        RequestError(f"'plugin': {RequestError(NAME)}"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_line_end_in_a_name_begins_no_line(error: Exception) -> None:
    assert r"a\nerror: b" in str(error)
    assert "\n" not in str(error)


def test_each_argument_is_a_line() -> None:
    error = RequestError("two are missing:", "  a", "  b")
    assert str(error) == "two are missing:\n  a\n  b"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(ConfigError([Problem("a.yaml:1:1", "x"), Problem("", "y")])) == "a.yaml:1:1: x\ny"
