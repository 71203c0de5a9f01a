"""Links from the page to the files of a run, and to the tables beside it."""

import os
from collections.abc import Collection
from pathlib import Path

from cnnlab.runs.folder import Run
from cnnlab.view.blocks import Link, Links, Section
from cnnlab.view.contribution import Contribution

OF_THE_RUN = {
    "config.yaml": "every option of the training",
    "run.json": "versions, seed, device, outcome",
    "metrics.jsonl": "every point of the curves",
    "checkpoints/best.safetensors": "the weights",
}
BESIDE = {
    "per_class.csv": "precision, recall and F1 of each class",
    "receptive_fields.csv": "receptive fields",
    "layers.csv": "shapes and costs",
}


def raw_data(run: Run | None, folder: Path, tables: Collection[str]) -> Contribution:
    """The section of a page in `folder`.

    Arguments:
        run: of the network, if any.
        folder: where the page is to lie.
        tables: names of those that lie beside it.

    Returns: links to those files of the run that are there, and to the tables that hold most.
    """
    links = [
        Link(name, os.path.relpath(run.path / name, folder), detail)
        for name, detail in OF_THE_RUN.items()
        if run is not None and (run.path / name).exists()
    ]
    inside = "reports/" if run is not None and folder == run.path / "reports" else ""
    links += [
        Link(f"{inside}{name}", name, detail) for name, detail in BESIDE.items() if name.removesuffix(".csv") in tables
    ]
    return Contribution((Section("Raw data", (Links(tuple(links)),), "raw-data"),))
