"""A regular expression of a person: one capture, and an end."""

import pytest

from cnnlab.core import patterns
from cnnlab.core.errors import RequestError
from cnnlab.core.patterns import captured, checked_pattern


def test_what_the_capture_finds() -> None:
    names = ["cat/p1_a.png", "dog/p22.png", "owl/x.png", "caf\udce9/p3.png", "é/p4.png"]
    assert captured(r"/p(\d+)", names) == ["1", "22", None, "3", "4"]
    assert captured(r"(é|\udce9)?/p", names) == [None, None, None, "\udce9", "é"]


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"^(\w+\s?)*$", r"(x+x+)+y", r"((?:a|aa)+)$"])
def test_a_search_without_end_is_ended(monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    monkeypatch.setattr(patterns, "SECONDS", 0.3)
    name = "x" * 40 if "x" in pattern else "a" * 60 + "!"
    with pytest.raises(RequestError, match=r"has not searched 1 names in 0 seconds, such as .*: it probably repeats"):
        captured(pattern, [name])


@pytest.mark.filterwarnings("error")
def test_what_a_later_python_may_read_in_another_way_is_taken() -> None:
    assert checked_pattern("[[a](b)") == "[[a](b)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p1", "captures 0 parts"),
        ("(a)(b)", "captures 2 parts"),
        ("(a", "is not a regular expression: missing )"),
        ("(a{99999999999999999999})", "is not a regular expression: the repetition number is too large"),
        ("(" * 900 + ")" * 90, "is not a regular expression"),
        ("(" + "a" * 1000 + ")", "a regular expression of 1,002 characters, expected at most 1,000"),
    ],
)
def test_what_is_no_expression_with_one_capture(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace(")", r"\)")):
        checked_pattern(text)
