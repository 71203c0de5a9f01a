"""Labels that a config makes of its own, and folds: what training, evaluation and pages then see."""

import torch

from cnnlab.config import QUICKSTART
from cnnlab.config.config import Config, read_config
from cnnlab.data.dataset import DataPlace
from cnnlab.runs.images import TrainingImages, images_of, training_images

DATA = "data.dataset={shapes: {train_count: 200, size: 16}}"
NOISE = "data.label_noise={swap: 0.1, seed: 3}"


def config(*overrides: str) -> Config:
    return read_config(QUICKSTART, [DATA, *overrides])


def halves(*overrides: str) -> TrainingImages:
    return training_images(config(*overrides), DataPlace.default())


def test_labels_are_swapped_as_asked_and_told() -> None:
    clean, noisy = (images_of(config(*more), DataPlace.default(), "train") for more in ((), (NOISE,)))
    wrong = noisy.labels != clean.labels
    assert int(wrong.sum()) == 20
    assert len(noisy.labels[wrong].unique()) > 5
    assert torch.equal(noisy.labels, images_of(config(NOISE, "seed=9"), DataPlace.default(), "train").labels)
    assert noisy.name == "shapes with 10 % of its labels swapped"
    assert "wrong on purpose (data.label_noise, seed 3)" in " ".join(halves(NOISE).remarks)
    tests = [images_of(config(*more), DataPlace.default(), "test").labels for more in ((), (NOISE,))]
    assert torch.equal(*tests)


def test_the_folds_are_the_validation_parts_and_no_image_is_in_two() -> None:
    parts = [halves(f"data.fold={{number: {number}, of: 3}}") for number in (1, 2, 3)]
    seen: list[tuple[int, ...]] = []
    for one in parts:
        assert one.validation is not None
        assert len(one.train) + len(one.validation) == 200
        seen += [tuple(image.flatten().tolist()) for image in one.validation.images]
    whole = images_of(config(), DataPlace.default(), "train")
    assert sorted(seen) == sorted(tuple(image.flatten().tolist()) for image in whole.images)
