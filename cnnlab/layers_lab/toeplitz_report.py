"""A convolution as the dense layer that it is, drawn: its zeros blank, each of its weights in a colour of its own."""

from typing import Any

import numpy as np

from cnnlab.layers_lab.toeplitz import ConvolutionMatrix
from cnnlab.view.blocks import Column, Figure, Section, Table, Text, shown
from cnnlab.view.drawings import Lattice
from cnnlab.view.layer_rows import size_text


def matrix_document(made: ConvolutionMatrix, error: float) -> dict[str, Any]:
    """What `--json` prints of it: numbers that are free in a dense, a locally connected and a convolutional layer."""
    return {"entries": made.entries, "connections": made.connections, "weights": made.weights, "error": error}


def matrix_section(made: ConvolutionMatrix, error: float) -> Section:
    """Arrange the matrix, what it holds, and whether it does what the convolution does.

    Arguments:
        made: the matrix.
        error: the largest difference between its product with an image and the convolution of it.

    Returns: the section `matrix`.
    """
    values = np.where(made.which.numpy() < 0, np.nan, made.which.numpy() + 1.0)
    words = (
        f"{len(values):,} rows, one for each of the {size_text(made.output)} outputs, and {values.shape[1]:,} columns, "
        f"one for each of the {size_text(made.input)} inputs. Blank: zeros, whatever the weights are (local). The same "
        "colour: the same weight (shared)."
    )
    figure = Figure("matrix", "A convolution as a dense layer", Lattice(values, label="weight", coloured=True), words)
    columns = (Column("layer"), Column("weights", "", "right", ",d"), Column("× the convolution", "", "right", ",.0f"))
    rows = tuple(
        (name, count, count / made.weights)
        for name, count in (
            ("dense: every entry free", made.entries),
            ("locally connected: the entries that are read", made.connections),
            ("convolution: one number for each colour", made.weights),
        )
    )
    note = f"{shown(made.zero_share, '.1%')} of the entries are 0. Entries that padding would read are not counted."
    same = Text(
        f"The matrix times the flattened image is the convolution of the image: the largest difference is {error:.1g}."
    )
    table = Table("What is free in it", columns, rows, note, "matrix-weights")
    return Section("The convolution as a dense layer", (same, figure, table), "matrix")
