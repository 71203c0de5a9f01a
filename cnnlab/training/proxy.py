"""Training the proxy of `hardest`, which chooses the images that the network will learn from."""

import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

import torch
from torch import Tensor

from cnnlab.config.hardest import Hardest
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.fit.checkpoints import load_state
from cnnlab.fit.fit import DivergenceError, StepDone
from cnnlab.fit.hardest import Choices, HardestLoss
from cnnlab.models.build import parameter_count
from cnnlab.runs.folder import Run
from cnnlab.runs.writer import RunWriter
from cnnlab.training.events import ProxyDone, StopWish
from cnnlab.training.setup import TrainingSetup


def choices_of(proxy: TrainingSetup, hardest: Hardest, *, epochs: int) -> Generator[Advance | Choices, None, None]:
    """Train the proxy to its end, and note which images of each batch it finds hardest.

    Arguments:
        proxy: its set-up, which is used up.
        hardest: the share of the images, and which batches it does not learn from.
        epochs: of the training.

    Yields:
        How many of its steps are done, and at last the choices. The random generators are then as they were.

    Raises:
        DivergenceError: where its loss is no longer finite.
    """
    began = time.perf_counter()
    loss = HardestLoss(proxy.loss, keep=hardest.keep, skip=hardest.skip)
    total = epochs * proxy.plan.steps(proxy.batches.steps)
    chosen: list[list[Tensor]] = []
    device = proxy.state.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(derive_seed(proxy.config.seed, "proxy"))
        try:
            for fact in proxy.fitted(proxy.batches, epochs=epochs, loss=loss, resolution=proxy.resolution):
                if isinstance(fact, StepDone):
                    yield Advance("the proxy chooses images", fact.step, total)
                else:
                    new = loss.chosen[len(chosen) * proxy.batches.steps :]
                    chosen.append([one.cpu() for one in new])
        except DivergenceError as error:
            raise DivergenceError(f"the proxy of hardest: {error}") from error
    yield Choices.packed(chosen, time.perf_counter() - began)


def with_choices(
    setup: TrainingSetup, writer: RunWriter, stop: StopWish | bool
) -> Generator[Advance | ProxyDone, None, TrainingSetup | None]:
    """Let the proxy of a training choose the images to learn from, where it has one and they are not chosen yet.

    Its choices, and the training before its first step, are kept in the run.

    Arguments:
        setup: of the training, with the choices where it goes on.
        writer: of the run.
        stop: true as soon as it should end.

    Yields:
        How far the proxy is.

    Returns:
        The set-up with the choices; None where the proxy was stopped.
    """
    hardest, choices = setup.config.hardest, setup.choices
    if hardest is None or setup.proxy is None:
        return setup
    if choices is None:
        with closing(choices_of(setup.proxy, hardest, epochs=setup.config.training.epochs)) as steps:
            for step in steps:
                if isinstance(step, Choices):
                    choices = step
                    break
                yield step
                if stop:
                    break
        # after the proxy has given back the random generators, whose state is saved
        if choices is None:
            writer.save_state(setup.state.state_dict())
            return None
        setup.state.progress.seconds += choices.seconds
        writer.save_choices(choices)
        writer.save_state(setup.state.state_dict())
        yield ProxyDone(parameter_count(setup.proxy.network), hardest.keep, choices.seconds)
    return replace(setup, choices=choices)


def kept_choices(run: Run, setup: TrainingSetup) -> Choices | None:
    """What the proxy of a run has chosen, where it has one and it came to its end.

    Raises: RequestError where that is missing, damaged, or of fewer epochs than the run is to have.
    """
    hardest, epochs = setup.config.hardest, setup.config.training.epochs
    if hardest is None:
        return None
    path = run.choices
    if not path.exists():
        if setup.state.progress.step:
            raise RequestError(f"{path}: is missing, and the run {run.name} cannot go on without it")
        return None
    saved = load_state(path, torch.device("cpu"))
    try:
        choices = Choices.loaded(saved, setup.batches, hardest.keep)
    except RequestError as error:
        raise RequestError(f"{path}: {error}") from None
    if choices.epochs < epochs:
        raise RequestError(
            f"training.epochs is {epochs}, and the proxy of hardest has chosen images for {choices.epochs} epochs; "
            "a training of more is a new run"
        )
    return choices
