"""Ablations and sweeps that cannot be made."""

from bad_inputs.case import TINY, Case, file

SOUND = file("tiny.yaml", TINY)


def refused(wrong: str, command: str, message: str) -> Case:
    """A sound config, asked for what cannot be."""
    return Case(wrong, f"cnnlab {command}", message, make=SOUND)


RECIPES = (
    refused(
        "an ablation of nothing",
        "ablate tiny.yaml",
        "error: nothing is varied; name a switch with --vary, such as schedule=constant",
    ),
    refused(
        "a switch that is as it was",
        "ablate tiny.yaml --vary schedule=cosine",
        "error: --vary schedule=cosine: is what the config says already",
    ),
    refused(
        "a bracket without its end",
        "ablate tiny.yaml --vary data.augment=[flip",
        "error: '[flip': a bracket in it has no end, or no beginning",
    ),
    refused(
        "an empty space",
        "sweep tiny.yaml",
        "error: the space is empty; name a key with --space, such as optimizer.lr=log(1e-3,1)",
    ),
    refused(
        "a range without a logarithm",
        "sweep tiny.yaml --space 'optimizer.lr=log(0,1)'",
        "error: --space optimizer.lr=log(0,1): 0 has no logarithm; log needs numbers above 0",
    ),
    refused(
        "a range that ends before it begins",
        "sweep tiny.yaml --space 'optimizer.lr=uniform(2,1)'",
        "error: --space optimizer.lr=uniform(2,1): 2 is not below 1",
    ),
)
