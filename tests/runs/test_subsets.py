"""The part of a config's training part that it takes, and a split that stays whatever the seed is."""

import torch

from cnnlab.config import QUICKSTART
from cnnlab.config.config import read_config
from cnnlab.data.dataset import DataPlace
from cnnlab.network.session import Session
from cnnlab.runs.images import TrainingImages, training_images
from cnnlab.training.setup import set_up_training

DATA = "data.dataset={shapes: {train_count: 100, size: 16}}"


def halves(*overrides: str) -> TrainingImages:
    return training_images(read_config(QUICKSTART, [DATA, "data.validation=0.2", *overrides]), DataPlace.default())


def test_what_is_taken_is_of_the_training_part_and_leaves_validation_as_it_is() -> None:
    whole, few = halves(), halves("data.take=20")
    assert (len(whole.train), len(few.train)) == (80, 20)
    assert few.train.counts().tolist() == [2] * 10
    assert whole.validation is not None
    assert few.validation is not None
    assert torch.equal(few.validation.images, whole.validation.images)
    there = {tuple(image.flatten().tolist()) for image in whole.train.images}
    assert all(tuple(image.flatten().tolist()) in there for image in few.train.images)
    assert few.statistics != whole.statistics, "those of what is trained on"


def test_with_a_seed_of_its_own_the_split_is_the_same_for_every_seed_of_the_run() -> None:
    own = [halves("data.take=20", "data.split_seed=7", f"seed={seed}") for seed in (0, 1)]
    assert torch.equal(own[0].train.images, own[1].train.images)
    assert torch.equal(own[0].train.images, halves("data.take=20", "seed=7").train.images)
    assert not torch.equal(own[0].train.images, halves("data.take=20").train.images)


def test_epochs_of_few_images_have_as_many_steps_as_those_of_many() -> None:
    small = ["training.batch_size=16", "model=[global_avg_pool, linear]", DATA, "training.epoch_images=80"]
    setups = [
        set_up_training(read_config(QUICKSTART, [*small, f"data.take={count}"]), Session(device_name="cpu"))
        for count in (10, 80)
    ]
    assert [one.batches.steps for one in setups] == [5, 5]
    assert [one.plan for one in setups] == [setups[0].plan] * 2
    assert setups[0].images.facts().train == 10
