"""The verdict on a method's maps by hand, from what a report says of them."""


def judged(signed: dict[str, float], absolute: dict[str, float]) -> str:
    """What follows from 95 % intervals of rank correlations, by the limit of ±0.25 that the page names."""
    pairs = (signed, absolute)
    beyond = [min(abs(one["low"]), abs(one["high"])) > 0.25 and one["low"] * one["high"] > 0 for one in pairs]
    within = [max(abs(one["low"]), abs(one["high"])) <= 0.25 for one in pairs]
    if any(beyond):
        return "fails" if beyond[0] else "passes in sign only"
    return "passes" if all(within) else "undecided"
