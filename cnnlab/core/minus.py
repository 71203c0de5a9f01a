"""Numbers in words have a true minus sign, which is as wide as a plus."""


def formatted(value: float, form: str = "") -> str:
    """`format(value, form)`, such as `−0.250` for "+.3f"; of exponents, too."""
    return format(value, form).replace("-", "−")
