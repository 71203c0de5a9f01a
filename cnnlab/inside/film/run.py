"""`cnnlab visualize training`: filters and the evidence for one image over the epochs of a run."""

from collections.abc import Iterator
from pathlib import Path

import torch

from cnnlab.attribution.attribution import attribute
from cnnlab.attribution.catalog import methods_for_head
from cnnlab.attribution.layers import choose_layer
from cnnlab.core.advance import Advance
from cnnlab.core.arithmetic import evenly
from cnnlab.core.errors import RequestError
from cnnlab.data.batches import ChannelStatistics, normalise
from cnnlab.fit.checkpoints import load_weights_file
from cnnlab.fit.device import evaluating
from cnnlab.fit.state import load_weights
from cnnlab.inside.film.frames import film
from cnnlab.inside.film.report import Evidence, FilmFacts, evidence_frame, filter_frame
from cnnlab.inside.filters.families import SMALLEST
from cnnlab.inside.filters.layer import colour_patterns
from cnnlab.models.data_dependent import begin_as
from cnnlab.models.filters import convolution_filters
from cnnlab.network.fresh import new_network
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run
from cnnlab.runs.images import evaluation_images
from cnnlab.stats.probabilities import class_probabilities
from cnnlab.view import gif
from cnnlab.view.drawings import tile

SECONDS = 0.6
"""Seconds of an epoch in the animations."""
MOST_FRAMES = 60


def filmed(run: Run, session: Session, *, layer: str | None = None, picture: int = 0) -> Iterator[Advance | FilmFacts]:
    """Follow filters, and the evidence for one image, over the epochs of a run whose weights were kept.

    Epoch 0 is before the first step: the weights follow from the config's seed. The evidence is for the image's true
    class, by the method that fits the network's head.

    Arguments:
        run: trained with `logging.snapshots_every_epochs`.
        session: the device, where data lies, and whether plugins may be run.
        layer: a convolution; by default the first.
        picture: the image's number in the validation part, or in the training part where none was kept.

    Yields:
        How far the epochs are; at last the facts.

    Raises:
        RequestError: for a run without snapshots, with the way to get them, and for an image or a layer that is not
            there.

    Example:
        *_, facts = filmed(session.run("quickstart"), session, picture=3)
        animations(facts, Path("film"))
    """
    kept = run.snapshots()
    if not kept:
        raise RequestError(
            f"the run {run.name} kept no weights of its epochs; train with logging.snapshots_every_epochs=1 to film it"
        )
    config, data = run.config(allow_plugins=session.allow_plugins), run.record.data
    model = new_network(config, data.shape, len(data.classes))
    begin_as(model, load_weights_file(next(iter(kept.values())))[0])
    name, _ = convolution_filters(model, layer, smallest=SMALLEST)
    part = "validation" if data.validation else "train"
    dataset = evaluation_images(run, config, part, session.place)
    if not 0 <= picture < len(dataset):
        raise RequestError(f"`picture` is {picture}; there are images 0 to {len(dataset) - 1}")
    image, label = dataset.images[picture], int(dataset.labels[picture])
    inputs = normalise(image[None].to(session.device), ChannelStatistics(data.mean, data.std))
    model = model.to(session.device).eval()
    choice = choose_layer(model, data.shape)
    method = methods_for_head(choice.head.kind)[0]
    evidence: list[Evidence] = []
    filters: list[tuple[int, dict[str, torch.Tensor]]] = []
    epochs = [0, *evenly(list(kept), MOST_FRAMES)]
    for done, epoch in enumerate(epochs, 1):
        if epoch:
            weights, _ = load_weights_file(kept[epoch])
            try:
                load_weights(model, weights)
            except RequestError as error:
                raise RequestError(f"{kept[epoch]}: {error}") from None
        filters.append((epoch, {f"{name}.weight": convolution_filters(model, name)[1]}))
        (found,) = attribute(
            model, inputs, torch.tensor([label], device=session.device), methods=(method,), layers=choice
        )
        with evaluating(model):
            probability = float(class_probabilities(model(inputs).float())[0, label])
        evidence.append(Evidence(epoch, found.maps[0].float().cpu().numpy(), float(found.scores[0]), probability))
        yield Advance("epochs", done, len(epochs))
    made = film(filters, f"{name}.weight")
    final = colour_patterns(made.frames[-1].filters).colours.float()
    accuracies = {int(point["epoch"]): point.get("validation/accuracy") for point in run.epochs()}
    yield FilmFacts(
        run=run.name,
        film=made,
        # along the final colours, so that a pattern keeps its sign from epoch to epoch
        patterns=tuple(torch.einsum("nc,nchw->nhw", final, frame.filters) for frame in made.frames),
        accuracies=tuple(accuracies.get(epoch) for epoch in epochs),
        image=tile(image),
        number=picture,
        part=part,
        truth=data.classes[label],
        method=method,
        layer=choice.name,
        evidence=tuple(evidence),
    )


def animations(facts: FilmFacts, folder: Path) -> list[Path]:
    """Write the film as two GIFs, an epoch a frame."""
    made = []
    for stem, frame in (("filters", filter_frame), ("evidence", evidence_frame)):
        path = folder / f"{stem}.gif"
        gif.save([frame(facts, place) for place in range(len(facts.evidence))], path, seconds=SECONDS)
        made.append(path)
    return made
