"""Clouds of points, told apart by colour and by shape."""

import numpy as np
from matplotlib.figure import Figure

from cnnlab.core.characters import printable, shortened
from cnnlab.view.png.plots import WIDTH
from cnnlab.view.png.theme import Theme
from cnnlab.view.scatter import Scatter

_SHAPES = "os^DvPX"
_CROWD = 1500
"""Points beyond which each is drawn smaller and fainter."""


def scatter(figure: Figure, drawing: Scatter, theme: Theme) -> None:
    """Every point, both axes to the same scale; the clouds' middles are marked so that crowds can be read."""
    figure.set_size_inches(WIDTH, 6.0)
    axes = figure.add_subplot()
    crowded = sum(len(cloud.x) for cloud in drawing.clouds) > _CROWD
    area, alpha = (10, 0.45) if crowded else (20, 0.65)
    handles, names = [], []
    for number, cloud in enumerate(drawing.clouds):
        turn, place = divmod(number, len(theme.lines))
        colour = theme.lines[place]
        shape = _SHAPES[(place + turn) % len(_SHAPES)]
        axes.scatter(cloud.x, cloud.y, s=area, c=colour, marker=shape, alpha=alpha, linewidths=0, zorder=2)
        handles.append(axes.scatter([], [], s=34, c=colour, marker=shape, linewidths=0))
        names.append(shortened(printable(cloud.name), 30))
        if cloud.x:
            middle = np.median(cloud.x), np.median(cloud.y)
            axes.scatter(*middle, s=90, c=colour, marker=shape, edgecolors=theme.ink, linewidths=1.3, zorder=3)
    handles.append(axes.scatter([], [], s=60, facecolors="none", edgecolors=theme.ink, linewidths=1.3))
    names.append("median of a group")
    axes.set_xlabel(printable(drawing.x_label))
    axes.set_ylabel(printable(drawing.y_label))
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid()
    axes.legend(handles, names, loc="center left", bbox_to_anchor=(1.01, 0.5), borderaxespad=0, handletextpad=0.3)
