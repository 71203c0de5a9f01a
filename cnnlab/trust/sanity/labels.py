"""The label randomisation test: maps of a network that learned, beside those of one that learned random labels.

Adebayo et al. 2018, arXiv:1810.03292, section 3.2. The second network has the same architecture and training, on a few
of the run's images with permuted labels, until it has (nearly) all of them right; one that did not get there is another
untrained network, and says what weight randomisation says. Where a method's maps are alike, they do not show what was
learned.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.data.batches import ChannelStatistics
from cnnlab.fit.fit import StepDone, fit
from cnnlab.models.undisturbed import undisturbed
from cnnlab.network.network import RunNetwork
from cnnlab.network.session import Session
from cnnlab.runs.images import TrainingImages, fixed_sample, training_images
from cnnlab.training.setup import set_up_training
from cnnlab.trust.sanity.facts import LabelTraining
from cnnlab.trust.sanity.similarity import SanityVerdict, map_similarity, summarize_similarity
from cnnlab.trust.sanity.weights import Explain, explained

AGAINST = "a network trained on random labels"

IMAGES = 200
"""So few that a small network has learned them by heart in some hundred steps: of 200, `quickstart` in 60 epochs."""

BATCH = 32
"""Images of a step, at most: few images should still make many steps."""

MOST_EPOCHS = 100
"""Where their number is not asked for."""


def train_on_random_labels(
    network: RunNetwork, session: Session, *, epochs: int | None
) -> Iterator[Advance | tuple[nn.Module, LabelTraining]]:
    """Train a network of the same architecture on a few training images with permuted labels.

    The recipe is the run's, without augmentation, averages and early stopping.

    Arguments:
        network: of the run.
        session: the seed, the device, and where data sets lie.
        epochs: over the few images; without them, as many as make the steps of the run's own epochs, 100 at most.

    Yields:
        Each step, and at last the network in evaluation mode, with the facts of its training.

    Raises: what `set_up_training` and `fit` raise.
    """
    config = network.config
    halves = training_images(config, session.place)
    few = network.fitted(fixed_sample(halves.train, IMAGES, session.seed, "random labels"))
    generator = torch.Generator().manual_seed(derive_seed(session.seed, "permuted labels"))
    few = replace(few, labels=few.labels[torch.randperm(len(few), generator=generator)])
    facts = network.run.record.data
    images = TrainingImages(few, None, ChannelStatistics(facts.mean, facts.std))
    batch = min(config.training.batch_size, BATCH)
    steps = math.ceil(len(few) / batch)
    if epochs is None:
        own = config.training.epochs * math.ceil(facts.train / config.training.batch_size)
        epochs = max(1, min(MOST_EPOCHS, math.ceil(own / steps)))
    if epochs < 1:
        raise RequestError(f"`epochs` is {epochs}; expected 1 or more")
    training = config.training.model_copy(
        update={"epochs": epochs, "batch_size": batch, "evaluation_batch_size": session.max_batch}
        | {"accumulate": 1, "compile": False, "drop_last": False}
    )
    data = config.data.model_copy(update={"augment": []})
    changed: dict[str, Any] = {"training": training, "data": data, "ema": None, "lookahead": None}
    changed |= {"early_stopping": None, "hardest": None}
    changed["seed"] = derive_seed(session.seed, "random labels", config.seed) % 2**31
    setup = set_up_training(config.model_copy(update=changed), session, images=images)
    for fact in fit(
        setup.state,
        setup.batches,
        loss=setup.loss,
        schedule=setup.schedule,
        epochs=epochs,
        clip=setup.clip,
        precision=setup.precision,
    ):
        if isinstance(fact, StepDone):
            yield Advance("random labels", fact.step, epochs * setup.batches.steps)
    predictions = setup.evaluate(few)
    taught = LabelTraining(
        pictures=len(few),
        epochs=epochs,
        steps=setup.state.progress.step,
        accuracy=float((predictions.logits.argmax(1) == predictions.labels).double().mean()),
        chance=float(few.counts().max()) / len(few),
    )
    yield setup.network.eval(), taught


def compare_label_training(
    model: nn.Module,
    random_label_model: nn.Module,
    images: Float[Tensor, "n c h w"],
    targets: Int64[Tensor, "_"],
    methods: Mapping[str, Explain],
    *,
    seed: int,
    max_batch: int = 64,
) -> Iterator[SanityVerdict]:
    """Explain the (normalised) `images` by both networks, for the same `targets`; yields each method's verdict.

    Both are in evaluation mode meanwhile, and their modes come back.

    Raises: RequestError for no image, another number of targets, or a method that gives maps of another number;
    WorkError for maps with values that are NaN or infinite.
    """
    if len(images) == 0 or len(targets) != len(images):
        raise RequestError(f"{len(targets)} targets for {len(images)} images; expected one each, and an image")
    size = (images.shape[2], images.shape[3])
    for name, explain in methods.items():
        with undisturbed(model), undisturbed(random_label_model):
            ours = explained(name, explain, model, images, targets, max_batch=max_batch)
            theirs = explained(name, explain, random_label_model, images, targets, max_batch=max_batch)
        similarity = summarize_similarity(map_similarity(ours, theirs, size=size), seed=seed)
        yield SanityVerdict(name, similarity, AGAINST)
