"""Which images a network answers rightly, one by one, so that two networks can be compared over the same images."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cnnlab.data.batches import normalise
from cnnlab.data.dataset import Dataset
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.training.trials import Trained


def right_answers(
    model: nn.Module, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, "n"], *, max_batch: int
) -> Float[Tensor, "n"]:
    """Which images a network answers rightly: 1 or 0, on the CPU.

    Arguments:
        model: in evaluation mode.
        images: prepared, on the device.
        labels: their classes.
        max_batch: images that pass at a time.
    """
    with torch.no_grad():
        logits = torch.cat([model(some).float().cpu() for some in images.split(max_batch)])
    answers = (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(1)
    return (answers == labels.cpu()).float()


def last_answers(trained: Trained, session: Session, images: Dataset) -> Float[Tensor, "n"] | None:
    """Which images the last weights of a training answer rightly: 1 or 0; None where it has diverged.

    Arguments:
        trained: the training.
        session: the device, and how many images pass at a time.
        images: of its config, in their own size.
    """
    if trained.status == "diverged":
        return None
    network = open_run(trained.run, session, "last")
    inputs = normalise(images.images.to(session.device), network.preparation.statistics)
    return right_answers(network.model, inputs, images.labels, max_batch=session.max_batch)
