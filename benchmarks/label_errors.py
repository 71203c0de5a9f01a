"""Label errors by cnnlab and by cleanlab on the same probabilities, against labels that were swapped on purpose.

    python benchmarks/label_errors.py runs/label-errors/cifar/probabilities.safetensors configs/cifar.yaml \
        "data.label_noise={swap: 0.03, seed: 0}"

The first is what `cnnlab data label-errors` has written with this config. Each line has what is named, precision and
recall with Wilson's 95 % intervals, the average precision of the order with a bootstrap interval, and the seconds. It
is asserted that cleanlab's `confident_learning` names the same labels in the same order.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.config.config import read_config
from cnnlab.data.dataset import DataPlace
from cnnlab.evaluation.label_errors.probabilities import read_probabilities
from cnnlab.runs.images import images_of
from cnnlab.stats.confident_learning import label_errors, label_quality
from cnnlab.stats.finding import search

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

FILTERS = ("confident_learning", "prune_by_noise_rate", "low_self_confidence")
"""Of cleanlab; the second is its default."""


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("probabilities", type=Path)
    parser.add_argument("config", type=Path)
    parser.add_argument("overrides", nargs="*")
    asked = parser.parse_args()
    config = read_config(asked.config, asked.overrides)
    images = images_of(config, DataPlace.default(), "train")
    clean = read_config(asked.config, [*asked.overrides, "data.label_noise=null"])
    wrong = images_of(clean, DataPlace.default(), "train").labels != images.labels
    probabilities = read_probabilities(asked.probabilities, images)
    labels, shares = images.labels.numpy(), probabilities.double().numpy()

    ours = label_errors(images.labels, probabilities)
    order = find_label_issues(
        labels, shares, filter_by=FILTERS[0], n_jobs=1, return_indices_ranked_by="self_confidence"
    )
    assert set(order.tolist()) == set(ours.indices.tolist()), "cleanlab names other labels"
    quality = get_label_quality_scores(labels, shares, method="self_confidence")
    np.testing.assert_allclose(quality[order], ours.quality[ours.indices].numpy(), atol=1e-12)

    answered = float((probabilities.argmax(1) == images.labels).double().mean())
    print(f"{len(labels):,} labels, {int(wrong.sum()):,} of them swapped; {answered:.2%} are the networks' answers")
    for ranking in ("self_confidence", "normalized_margin"):
        scores = -label_quality(images.labels, probabilities, ranking)
        _line(f"cnnlab, {ranking}", wrong, scores, lambda: label_errors(images.labels, probabilities).indices)
        for kind in FILTERS:
            _line(
                f"cleanlab {kind}, {ranking}",
                wrong,
                -torch.from_numpy(get_label_quality_scores(labels, shares, method=ranking)),
                partial(_cleanlabs, labels, shares, kind),
            )


def _cleanlabs(labels: NDArray[np.int64], shares: NDArray[np.float64], kind: str) -> Tensor:
    found: Tensor = torch.from_numpy(find_label_issues(labels, shares, filter_by=kind, n_jobs=1)).nonzero()[:, 0]
    return found


def _line(name: str, wrong: Tensor, scores: Tensor, choose: Callable[[], Tensor]) -> None:
    began = time.perf_counter()
    chosen = choose()
    seconds = time.perf_counter() - began
    found = search(wrong, chosen, scores)
    parts = [f"{name:48} {found.chosen:7,d}"]
    for value, interval in (
        (found.precision, found.precision_interval),
        (found.recall, found.recall_interval),
        (found.average_precision, found.average_precision_interval),
    ):
        assert value is not None
        assert interval is not None
        parts.append(f"{value:7.1%} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]")
    print("  ".join([*parts, f"{seconds:.2f} s"]), flush=True)


if __name__ == "__main__":
    main()
