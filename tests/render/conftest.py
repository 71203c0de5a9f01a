"""One small report with every kind of block and drawing, its names as nasty as names get."""

import math

import numpy as np
import pytest

from cnnlab.reports.blocks import Column, Number, Numbers, Picture, Report, Section, Table, Text
from cnnlab.reports.drawings import Bars, Curves, Gallery, Mark, Matrix, Panels, Reliability, Series

NASTY = (
    "<script>alert(1)</script>",
    "[bold red]cat[/]",
    "$\\frac{a}{b}",
    "_hidden",
    "\x1b[2Jclear",
    "猫",
    "a" * 80,
    "",
)


@pytest.fixture
def nasty() -> tuple[str, ...]:
    return NASTY


@pytest.fixture
def every_picture() -> tuple[Picture, ...]:
    count = len(NASTY)
    lines = tuple(Series(name, (1.0, 2.0, 3.0), (0.1, None, 0.9), colour=i) for i, name in enumerate(NASTY))
    curve = Curves(lines, "epoch", "accuracy (%)", percent=True, marks=(Mark(2.0, "here"),))
    band = Series("band", (1e-5, 1e-3, 1.0), (1.0, math.nan, 2.0), low=(0.5, 0.5, 0.5), high=(2.5, 2.5, 2.5))
    values = np.arange(count * count).reshape(count, count)
    wide = np.random.default_rng(0).normal(size=(60, 40))
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    return (
        Picture("curves", NASTY[0], curve),
        Picture("log", "A band", Curves((band,), "rate", "loss (nats)", x_scale="log")),
        Picture("panels", "Panels", Panels((curve, curve))),
        Picture("matrix", "Matrix", Matrix(values, NASTY, NASTY, "truth", "answer", "pictures"), "A <caption>."),
        Picture("wide", "Wide", Matrix(wide, ("r",) * 60, ("c",) * 40, "r", "c", "weight", diverging=True)),
        Picture("gallery", "Gallery", Gallery((pixels, pixels[:, :, :1], pixels[:2]), NASTY[:3], columns=2)),
        Picture("bars", "Bars", Bars(NASTY, (0.5, None, 1.0, 0.2, 0.3, math.nan, 0.1, 0.0), "F1 (%)", percent=True,
                                     mark=Mark(0.5, "mean"))),
        Picture("reliability", "Reliability", Reliability((0.0, 0.5, 1.0), (None, 0.9), (None, 0.7), (0, 10), 0.2)),
    )  # fmt: skip


@pytest.fixture
def report(every_picture: tuple[Picture, ...]) -> Report:
    table = Table(
        "Classes",
        (Column("class"), Column("F1", align="right", form=".1%"), Column("time", "s", "right", ".2f")),
        ((NASTY[0], 0.845, 1.0), (NASTY[1], math.nan, None)),
        "A note.",
        "classes",
    )
    numbers = Numbers((Number("accuracy", 0.8453, ".2%", detail="95 % interval"), Number("loss", 0.5, ".3f", "nats")))
    text = Text("It holds.", "good", "good")
    inner = Section("Pictures & more", every_picture)
    return Report("A <b>report</b>", (numbers, text, table, inner), "What it is about.")
