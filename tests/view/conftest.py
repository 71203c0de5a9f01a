"""One small report with every kind of block and drawing, its names as nasty as names get."""

import math

import numpy as np
import pytest

from cnnlab.view.blocks import Column, Figure, Number, Numbers, Report, Section, Table, Text
from cnnlab.view.drawings import (
    Bars,
    Cloud,
    Curves,
    Gallery,
    Lattice,
    Mark,
    Matrix,
    Panels,
    Parallel,
    ParallelAxis,
    Reliability,
    Relief,
    Scatter,
    Series,
    Span,
    Spans,
    Surface,
    Surfaces,
)
from cnnlab.view.scenes import Box, Contour, Point, Scene, Scenes

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


@pytest.fixture(autouse=True)
def each_figure_is_drawn_once() -> None:
    """Here all of them are drawn, every time."""


@pytest.fixture(scope="session")
def nasty() -> tuple[str, ...]:
    return NASTY


@pytest.fixture(scope="session")
def every_figure() -> tuple[Figure, ...]:
    count = len(NASTY)
    lines = tuple(Series(name, (1.0, 2.0, 3.0), (0.1, None, 0.9), colour=i) for i, name in enumerate(NASTY))
    curve = Curves(lines, "epoch", "accuracy (%)", percent=True, marks=(Mark(2.0, "here"),))
    band = Series("band", (1e-5, 1e-3, 1.0), (1.0, math.nan, 2.0), low=(0.5, 0.5, 0.5), high=(2.5, 2.5, 2.5))
    values = np.arange(count * count).reshape(count, count)
    wide = np.random.default_rng(0).normal(size=(60, 40))
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    heights = np.abs(np.random.default_rng(0).normal(size=(5, 7))) + 0.1
    heights[0, 0] = np.inf
    surface = Surface(np.linspace(-1, 1, 7), np.linspace(-2, 2, 5), heights, NASTY[0], NASTY[1], NASTY[2],
                      tuple((0.1 * i, 0.0) for i in range(count)), NASTY)  # fmt: skip
    boxes = tuple(Box(name, -2, 1, i, i + 1, colour=i) for i, name in enumerate(NASTY))
    heat = np.linspace(0, 1, 16).reshape(4, 4)
    scene = Scene(
        (4, 4),
        pixels,
        heat,
        NASTY[2],
        boxes=boxes,
        contours=(Contour(heat, 0.5, NASTY[4]),),
        points=(Point(1, 2, NASTY[0]),),
        title=NASTY[6],
        caption=NASTY[1],
    )
    empty = Scene((4, 8), None, -heat, NASTY[0], heat_scale="signed", title=NASTY[0])
    scenes = Scenes((scene, empty, scene), columns=2, row_labels=(NASTY[0], NASTY[6]), column_titles=NASTY[1:3])
    spans = (*(Span(name, -i, i + 1.0, (0, 0.5)) for i, name in enumerate(NASTY)), Span("all", -math.inf, math.inf))
    lattice = np.array([[0, math.nan, 1], [math.nan] * 3, [2, math.nan, -3.25]])
    axis = ParallelAxis(NASTY[1], 0, 0, ((0, NASTY[2]),))
    return (
        Figure("curves", NASTY[0], curve),
        Figure("log", "A band", Curves((band,), "rate", "loss (nats)", x_scale="log")),
        Figure("panels", "Panels", Panels((curve, curve))),
        Figure("matrix", "Matrix", Matrix(values, NASTY, NASTY, "truth", "answer", "images"), "A <caption>."),
        Figure("wide", "Wide", Matrix(wide, ("r",) * 60, ("c",) * 40, "r", "c", "weight", diverging=True)),
        Figure("gallery", "Gallery", Gallery((pixels, pixels[:, :, :1], pixels[:2]), NASTY[:3], columns=2)),
        Figure("bars", "Bars", Bars(NASTY, (0.5, None, 1.0, 0.2, 0.3, math.nan, 0.1, 0.0), "F1 (%)", percent=True,
                                     mark=Mark(0.5, "mean"))),
        Figure("reliability", "Reliability", Reliability((0.0, 0.5, 1.0), (None, 0.9), (None, 0.7), (0, 10), 0.2)),
        Figure("scene", NASTY[6], scene),
        Figure("scenes", NASTY[2], scenes),
        Figure("shared", "Shared", Scenes((scene, scene), columns=2, shared_scale=True)),
        Figure("spans", NASTY[0], Spans(spans, NASTY[2], NASTY[0], NASTY[1], (0, 8), NASTY[3])),
        Figure("lattice", "Lattice", Lattice(lattice, (1, 1), NASTY[0])),
        Figure("scatter", "Scatter", Scatter(tuple(Cloud(name, (i, 1.0), (0.0, -i)) for i, name in enumerate(NASTY)),
                                              NASTY[0], NASTY[1])),
        Figure("surfaces", NASTY[0], Surfaces((surface, surface), NASTY[2])),
        Figure("relief", NASTY[1], Relief(surface, NASTY[2], 30)),
        Figure("parallel", NASTY[0], Parallel((axis, axis), ((0, 1), (0, -1)), NASTY[3])),
        Figure("less", "Bars below 0", Bars(("a", "b"), (-0.3, 0.2), "R²", (-0.5, 0.1), (-0.1, 0.3), form="+.2f")),
    )  # fmt: skip


@pytest.fixture(scope="session")
def report(every_figure: tuple[Figure, ...]) -> Report:
    table = Table(
        "Classes",
        (Column("class"), Column("F1", align="right", form=".1%"), Column("time", "s", "right", ".2f")),
        ((NASTY[0], 0.845, 1.0), (NASTY[1], math.nan, None)),
        "A note.",
        "classes",
    )
    numbers = Numbers((Number("accuracy", 0.8453, ".2%", detail="95 % interval"), Number("loss", 0.5, ".3f", "nats")))
    text = Text("It holds.", "good", "good")
    inner = Section("Figures & more", every_figure)
    return Report("A <b>report</b>", (numbers, text, table, inner), "What it is about.")
