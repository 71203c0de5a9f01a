"""`cnnlab sanity`: the randomisation test: whether a method's maps depend on what the network has learned."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import Tensor, nn

from cnnlab.attribution.attribution import Attribution, attribute
from cnnlab.attribution.catalog import METHODS, Asked, chosen_methods, methods_for_head, unasked, used
from cnnlab.attribution.layers import LayerChoice, choose_layer
from cnnlab.attribution.run import pixel_range
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.core.files import write_whole
from cnnlab.core.registry import Component
from cnnlab.data.dataset import Dataset
from cnnlab.network.network import Network, RunNetwork
from cnnlab.network.session import Session
from cnnlab.trust.sample import Sample, sample_of
from cnnlab.trust.sanity.facts import LabelTest, SanityFacts, ShownStage, sanity_document
from cnnlab.trust.sanity.labels import compare_label_training, train_on_random_labels
from cnnlab.trust.sanity.report import sanity_report
from cnnlab.trust.sanity.weights import Explain, LayerRandomized, Mode, WeightRandomization, randomize_weights
from cnnlab.view import files, json
from cnnlab.view.blocks import Report
from cnnlab.view.drawings import tile


@dataclass(frozen=True)
class SanityOptions:
    """Which methods are tested, on how many images, and how thoroughly."""

    split: Literal["train", "validation"] | None = None
    """None for validation, or train where no validation part was kept."""
    count: int = 32
    """Images at most."""
    methods: Sequence[Asked] = ()
    """None for the map that fits the head, and three of pixels, one of which is known to fail."""
    depths: int = 16
    """Depths at which maps are made, at most."""
    labels: bool = False
    """Whether to train a second network on random labels."""
    epochs: int | None = None
    """Epochs of that training."""


@dataclass(frozen=True, eq=False)
class SanityCheck:
    """The facts, the report on them, and the folder it was written to."""

    facts: SanityFacts
    report: Report
    folder: Path

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return sanity_document(self.facts) | {"report": str(self.folder)}


def sanity(
    network: Network, session: Session, options: SanityOptions | None = None, *, out: Path | None = None
) -> Iterator[Advance | SanityCheck]:
    """Check whether maps depend on what a network has learned, by randomising its weights.

    Arguments:
        network: opened for images; of a run for the test with random labels, which repeats its training.
        session: the seed, and how many images pass at a time.
        options: which methods are tested, on how many images, and how thoroughly.
        out: the folder, in place of the usual one.

    Yields:
        How far the work is, and at last the check, written to `RUN/reports/sanity`, or to `RUNS/sanity/NAME`
        of a network that has no run.

    Raises:
        RequestError: for what cannot be asked.
        WorkError: for maps or answers that are NaN or infinite.

    Example:
        network = open_run("quickstart", session)
        *_, check = sanity(network, session, SanityOptions(methods=["gradcam", "guided_backprop"]))
        print([one.sentence for one in check.facts.verdicts])
    """
    for step in sanity_facts(network, session, options or SanityOptions()):
        if isinstance(step, Advance):
            yield step
            continue
        report = sanity_report(step)
        folder = session.folder("sanity", network.run, out=out, without_run=f"sanity/{network.file_name}")
        files.save(report, folder)
        made = SanityCheck(step, report, folder)
        write_whole(folder / "sanity.json", json.text(made.as_json()) + "\n")
        yield made


def sanity_facts(
    network: Network, session: Session, options: SanityOptions, *, part: Dataset | None = None
) -> Iterator[Advance | SanityFacts]:
    """The facts of `sanity`; nothing is written.

    Arguments:
        network, session, options: as `sanity`.
        part: all images of `options.split`, where a caller has them already.

    Yields:
        How far the work is, and at last the facts.

    Raises:
        RequestError: for what cannot be asked.
        WorkError: for maps or answers that are NaN or infinite.
    """
    if options.methods:
        chosen_methods(options.methods)
    trained = network if isinstance(network, RunNetwork) else None
    if options.labels and trained is None:
        raise RequestError(f"`labels` repeats the training of a run with random labels, and {network.name} is no run")
    sample = sample_of(network, session, split=options.split, count=options.count, purpose="sanity", part=part)
    methods, choice, notes = _methods(sample, session, options)
    at = () if choice is None else (choice.name,)
    explains = {one.name: _explain(one, choice, sample, session) for one in methods}
    outcomes: dict[Mode, WeightRandomization] = {}
    stages: list[ShownStage] = []
    modes: tuple[Mode, ...] = ("cascading", "independent")
    for mode in modes:
        for fact in randomize_weights(
            sample.network.model,
            sample.inputs,
            sample.answers.to(session.device),
            explains,
            seed=session.seed,
            mode=mode,
            depths=options.depths,
            max_batch=session.max_batch,
        ):
            if isinstance(fact, WeightRandomization):
                outcomes[mode] = fact
                continue
            if mode == "cascading":
                stages.append(_stage(fact))
            yield Advance(mode, fact.done, fact.total)
    labels: LabelTest | None = None
    if options.labels and trained is not None:
        for step in _label_test(trained, sample, session, explains, options):
            if isinstance(step, Advance):
                yield step
            else:
                labels = step
    yield SanityFacts(
        run=network.name,
        split=sample.split,
        n=len(sample.numbers),
        seed=session.seed,
        trained=network.trained,
        at=at,
        options={one.name: used(one) for one in methods},
        cascading=outcomes["cascading"],
        independent=outcomes["independent"],
        labels=labels,
        image=tile(sample.images.images[0]),
        shown=sample.names[0],
        stages=tuple(stages),
        notes=notes,
    )


def _methods(
    sample: Sample, session: Session, options: SanityOptions
) -> tuple[tuple[Component, ...], LayerChoice | None, tuple[str, ...]]:
    """The methods that the network is made for, the layer that they look at, and what to know; tried on one image.

    Raises: RequestError where none is left.
    """
    chosen = chosen_methods(options.methods) if options.methods else ()
    choice: LayerChoice | None = None
    if not chosen or any(METHODS[one.name].uses_layer for one in chosen):
        try:
            choice = choose_layer(sample.network.model, sample.network.shape)
        except RequestError:
            if chosen:
                raise
            chosen = chosen_methods(unasked("sanity"))  # such as a network of dense layers
        else:
            chosen = chosen or chosen_methods([methods_for_head(choice.head.kind)[0], *unasked("sanity")])
    found = _attribution(choice, sample, session)(
        sample.network.model, sample.inputs[:1], sample.answers[:1], methods=chosen
    )
    # of the other notes on this one map, most are about it alone
    notes = [note for one in found for note in one.notes if "was left out" in note]
    warnings = [] if choice is None else [METHODS[one.method].warning(choice.head) for one in found]
    fitting = {one.method for one in found}
    return (
        tuple(one for one in chosen if one.name in fitting),
        choice,
        tuple(dict.fromkeys([*notes, *filter(None, warnings)])),
    )


def _attribution(choice: LayerChoice | None, sample: Sample, session: Session) -> partial[tuple[Attribution, ...]]:
    """`attribute` as it is asked each time: at the same layer, with the same seed."""
    return partial(
        attribute,
        # by its name: the head of a network that forgets is another than the one that was looked at
        layers=(choice.name,) if choice else "auto",
        layouts=choice.layouts if choice else None,
        max_batch=session.max_batch,
        seed=session.seed,
        pixels=pixel_range(sample.network.preparation.statistics),
        activation=sample.network.activation,
    )


def _explain(method: Component, choice: LayerChoice | None, sample: Sample, session: Session) -> Explain:
    maps_of = _attribution(choice, sample, session)

    def explain(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        (found,) = maps_of(model, images, targets, methods=(method,))
        return found.maps

    return explain


def _stage(fact: LayerRandomized) -> ShownStage:
    layer = None if fact.layer is None else fact.layer.name
    return ShownStage(fact.method, fact.depth, layer, fact.maps[0].numpy().astype(np.float32))


def _label_test(
    trained: RunNetwork, sample: Sample, session: Session, explains: Mapping[str, Explain], options: SanityOptions
) -> Iterator[Advance | LabelTest]:
    """Train the second network, and compare its maps."""
    network, training = None, None
    for step in train_on_random_labels(trained, session, epochs=options.epochs):
        if isinstance(step, Advance):
            yield step
        else:
            network, training = step
    assert network is not None
    assert training is not None
    comparing = compare_label_training(
        sample.network.model,
        network,
        sample.inputs,
        sample.answers.to(session.device),
        explains,
        seed=session.seed,
        max_batch=session.max_batch,
    )
    verdicts = []
    for done, verdict in enumerate(comparing, 1):
        verdicts.append(verdict)
        yield Advance("maps of random labels", done, len(explains))
    yield LabelTest(training, tuple(verdicts))
