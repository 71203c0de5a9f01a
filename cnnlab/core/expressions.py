"""Small arithmetic with named values, as a config writes it: `$width * 4`, `($a + $b) // 2`.

Numbers, `$names`, + − * / //, signs and parentheses; nothing else is read, and nothing is ever run.
"""

import ast
import re
from collections.abc import Callable, Mapping
from operator import add, floordiv, mul, neg, pos, sub, truediv

NAME = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
LONGEST = 200
"""Characters of an expression."""
LARGEST = 1e15
"""Of every number on the way."""

Number = int | float

_BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: add,
    ast.Sub: sub,
    ast.Mult: mul,
    ast.Div: truediv,
    ast.FloorDiv: floordiv,
}
_UNARY: dict[type[ast.unaryop], Callable[[Number], Number]] = {ast.UAdd: pos, ast.USub: neg}
_READABLE = (ast.BinOp, ast.UnaryOp, ast.Constant, ast.Name, ast.Load, *_BINARY, *_UNARY)


def names_in(text: str) -> tuple[str, ...]:
    """The names that `text` asks for, each once, in their order.

    Example:
        >>> names_in("$width * 4 + $more // $width")
        ('width', 'more')
    """
    return tuple(dict.fromkeys(NAME.findall(text)))


def check_expression(text: str) -> None:
    """See that `text` is an expression.

    Raises: ValueError, with what one is made of.
    """
    _parsed(text)


def evaluate(text: str, values: Mapping[str, Number]) -> Number:
    """What `text` comes to.

    Arguments:
        text: the expression.
        values: the number of each name in it.

    Returns:
        A whole number wherever the result is one, also after `/`.

    Raises:
        ValueError: for what is no expression, a division by 0 and a number beyond 10¹⁵.
        KeyError: for a name without a value.

    Example:
        >>> evaluate("$width * 4 // 3", {"width": 64}), evaluate("$rate / 10", {"rate": 1})
        (85, 0.1)
    """
    try:
        found = _value(_parsed(text), values)
    except ZeroDivisionError:
        raise ValueError(f"'{text}' divides by 0") from None
    return int(found) if found == int(found) else found


def _parsed(text: str) -> ast.expr:
    wrong = ValueError(f"'{text[:60]}' is no arithmetic; expected numbers, $arguments, + - * / // and parentheses")
    if len(text) > LONGEST:
        raise wrong
    try:
        # a name may be a word of Python's: each gets letters in front that no such word has
        tree = ast.parse(NAME.sub(lambda found: f" {_PREFIX}{found[1]} ", text).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise wrong from None
    for node in ast.walk(tree):
        number = isinstance(node, ast.Constant) and type(node.value) not in (int, float)
        stranger = isinstance(node, ast.Name) and not node.id.startswith(_PREFIX)
        if number or stranger or not isinstance(node, _READABLE):
            raise wrong
    return tree


_PREFIX = "argument__"


def _value(node: ast.expr, values: Mapping[str, Number]) -> Number:
    match node:
        case ast.BinOp():
            found = _BINARY[type(node.op)](_value(node.left, values), _value(node.right, values))
        case ast.UnaryOp():
            found = _UNARY[type(node.op)](_value(node.operand, values))
        case ast.Name():
            found = values[node.id.removeprefix(_PREFIX)]
        case ast.Constant(value=int() | float() as found):
            pass
    if not abs(found) <= LARGEST:
        raise ValueError(f"{found:g} is more than arithmetic in a config goes to, {LARGEST:g}")
    return found
