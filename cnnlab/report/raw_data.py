"""What the page of a run was made from: links to the files that lie beside it in the run's folder."""

from collections.abc import Iterator

from cnnlab.network.studied import Studied
from cnnlab.view.blocks import Link, Links, Section
from cnnlab.view.contribution import Contribution


def raw_data(studied: Studied) -> Iterator[Contribution]:
    """Links to the run's files, and to the tables beside the page."""
    run = studied.run
    known = {
        "config.yaml": "every option of the training",
        "run.json": "versions, seed, device, outcome",
        "metrics.jsonl": "every point of the curves",
        "checkpoints/best.safetensors": "the weights",
        "reports/per_class.csv": "precision, recall and F1 of each class",
        "reports/receptive_fields.csv": "receptive fields",
        "reports/layers.csv": "shapes and costs",
    }
    links = [
        Link(name, f"../{name}" if not name.startswith("reports/") else name.removeprefix("reports/"), detail)
        for name, detail in known.items()
        if (run.path / name).exists() or name.startswith("reports/")
    ]
    yield Contribution((Section("Raw data", (Links(tuple(links)),), "raw-data"),))
