"""Text from outside (class names, file names, messages) made safe to show, and what a stream cannot say replaced."""

import codecs
import re
from collections.abc import Sequence

_UNSAFE = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
"""Control characters, line ends and halves of pairs; of the invisible ones only what turns the direction of writing,
since emoji and several scripts need the others."""

_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}

SUBSTITUTES = "cnnlab-substitutes"
"""The name of the codecs' error handler that this file registers."""

_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺"

_PLAIN = (
    # of one letter, so that columns stay columns
    str.maketrans("\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}·•×−–—‐‑‘’“”●█▒░⋮∶≈∂⟨⟩ᵀ", "  .*x-----''\"\"*#+.::~d<>T")
    | str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋ₙ" + _SUPERSCRIPTS, "0123456789+-n0123456789-+")
    | str.maketrans("─━═╌╍┄┅┈┉╴╶╸╺╼╾│┃║╎╏┆┇┊┋╵╷╹╻", "-" * 15 + "|" * 13)
    | dict.fromkeys([*range(0x250C, 0x254C), *range(0x2552, 0x2571)], "+")
    | str.maketrans({"…": "...", "→": "->", "←": "<-", "≤": "<=", "≥": ">=", "±": "+/-", "∞": "inf", "½": "1/2"})
    | str.maketrans({"°": " degrees", "√": "sqrt ", "Σ": "sum ", "∫": "integral ", "⊗": "(x)", "Δ": "Delta"})
    | str.maketrans({"σ": "sigma", "μ": "mu", "β": "beta", "γ": "gamma", "α": "alpha", "ε": "epsilon", "π": "pi"})
    | str.maketrans({"θ": "theta", "λ": "lambda", "φ": "phi", "ψ": "psi", "Φ": "Phi"})
)
"""ASCII for what cnnlab itself writes."""


def printable(text: str, *, keep: str = "") -> str:
    """`text` with `\\x1b` and the like for what moves a cursor, turns the direction of writing or is no character.

    `keep` stays as it is. A folder may be called `\\x1b[2J`, and a terminal would obey; a name that is no UTF-8 has its
    bytes shown, as in `caf\\xe9.png`.
    """
    return re.sub(f"[{_UNSAFE}]", lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def json_escaped(document: str, *, ascii_only: bool = False) -> str:
    r"""A JSON document with `\u009b` for what `printable` would replace, so that its readers get every text back."""

    def escape(found: re.Match[str]) -> str:
        units = found[0].encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{high:02x}{low:02x}" for high, low in zip(units[::2], units[1::2], strict=True))

    # outside of its texts JSON has no control characters but line ends, inside none that are not escaped
    unsafe = _UNSAFE.removeprefix("\x00-\x1f")
    return re.sub(r"[^\x00-\x7e]" if ascii_only else f"[{unsafe}]", escape, document)


def markdown_escaped(text: str) -> str:
    """No letter of a name is taken for Markdown or HTML: TensorBoard lets some tags through."""
    safe = re.sub(r"[\\`*_{}\[\]<>#|!~$&]", lambda found: f"&#{ord(found[0])};", printable(text))
    # at its beginning a list, a line, a heading's underline or code
    return re.sub(r"^\d+[.)]|^[-+=: ]", lambda found: f"{found[0][:-1]}&#{ord(found[0][-1])};", safe)


def shortened(text: str, length: int) -> str:
    """Cut `text` to at most `length` characters, the middle left out: names that differ often differ at their ends."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return text[: length - 1 - tail] + "…" + (text[-tail:] if tail else "")


def some(names: Sequence[object], most: int = 10) -> str:
    """The first `most` of `names`, and how many more there are: `a, b and 1,200 more`."""
    return ", ".join(map(str, names[:most])) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def formatted(value: float, form: str = "") -> str:
    """`format(value, form)` with a true minus sign, which is as wide as a plus: `−0.250` for "+.3f"."""
    return format(value, form).replace("-", "−")


def per_cent(share: float, form: str = ".0%") -> str:
    """`format(share, form)`, but where a share above 0 would read as none at all: `0.2%`, and `<0.1%`.

    Example:
        >>> per_cent(0.25), per_cent(0.002), per_cent(0.0), per_cent(1e-6)
        ('25%', '0.2%', '0%', '<0.1%')
    """
    text = format(share, form)
    if text != "0%" or share <= 0:
        return text
    finer = f"{share:.1%}"
    return "<0.1%" if finer == "0.0%" else finer


def _escape(character: str) -> str:
    number = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if 0xDC80 <= number <= 0xDCFF:  # a byte of a name that is no UTF-8, as Python keeps it (PEP 383)
        number -= 0xDC00
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _substituted(error: UnicodeError) -> tuple[str, int]:
    """What an encoding that lacks these characters writes in place of them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    raised = re.sub(f"[{_SUPERSCRIPTS}]+", lambda found: f"^{found[0]}", missing)
    plain = raised.translate(_PLAIN)
    return "".join(letter if letter.isascii() else _escape(letter) for letter in plain), error.end


codecs.register_error(SUBSTITUTES, _substituted)
