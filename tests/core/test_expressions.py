import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.core.expressions import check_expression, evaluate, names_in

numbers = st.integers(-50, 50)


@given(numbers, numbers, st.integers(1, 50), st.sampled_from("+-*"), st.sampled_from(["//", "/", "*"]))
def test_arithmetic_is_pythons(a: int, b: int, c: int, first: str, second: str) -> None:
    text = f"({{}} {first} -{{}}) {second} {{}}"
    asked = text.format("$class", "$b_2", "$c")  # a word of Python's may be a name
    assert evaluate(asked, {"class": a, "b_2": b, "c": c}) == pytest.approx(eval(text.format(a, b, c)), abs=0)
    assert names_in(asked) == ("class", "b_2", "c")


def test_whole_results_are_whole_numbers() -> None:
    assert repr(evaluate("$width / 2", {"width": 64})) == "32"
    assert repr(evaluate("$width * 0.5", {"width": 5})) == "2.5"


STRANGE = (
    "$a **",
    "$a ** 2",
    "$a % 2",
    "f($a)",
    "$a.b",
    "$a[0]",
    "$a if 1 else 2",
    "$a, $a",
    "[$a]",
    "$a < 1",
    "a + $a",
)
WORSE = ("'x' * $a", "True + $a", "1j * $a", "__import__('os') + $a", "$a := 2", "$a" + " + 1" * 100, "(" * 90 + "$a")


@pytest.mark.parametrize("text", [*STRANGE, *WORSE])
def test_nothing_else_is_read(text: str) -> None:
    with pytest.raises(ValueError, match="is no arithmetic; expected numbers"):
        check_expression(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [("$a // 0", "divides by 0"), ("$a * 1e9 * 1e9", "is more than"), ("1 / ($a - 7)", "divides by 0")],
)
def test_what_has_no_result(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        evaluate(text, {"a": 7})
