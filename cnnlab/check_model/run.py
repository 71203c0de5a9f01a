"""A network is looked at from all sides, and each command's own computation is tried on two images of noise."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from cnnlab.attribution.attribution import attribute
from cnnlab.attribution.layers import LayerChoice, choose_layer
from cnnlab.core.errors import CnnlabError
from cnnlab.models.failure import LAYER_FAILURES, failure_of
from cnnlab.models.undisturbed import undisturbed
from cnnlab.network.image_input import check_takes_files
from cnnlab.network.network import Network
from cnnlab.network.penultimate import penultimate_features
from cnnlab.network.runnable import check_runs
from cnnlab.network.steadiness import Steadiness, steadiness
from cnnlab.receptive_field.fields import receptive_fields
from cnnlab.stats.probabilities import class_names

Answer = Literal["yes", "no", "with --data"]

ON_FILES = ("gradcam", "saliency", "visualize features", "visualize dream", "predict")
"""Commands that take or draw single images."""

ON_IMAGES = ("eval", "sanity", "audit", "report", "report-card", "visualize patches", "visualize embedding")
"""Commands that need labelled images beyond those that are named one by one."""


@dataclass(frozen=True)
class CommandCheck:
    """Whether a command will work with the network."""

    command: str
    works: Answer
    reason: str = ""
    """Why it will not, or what it takes."""


@dataclass(frozen=True, eq=False)
class ModelCheck:
    """What was understood of a network."""

    network: Network
    kind: str
    """The name of its class."""
    parameters: int
    trainable: int
    logits: int
    classes: tuple[str, ...]
    """Their names, or numbers where those are not known."""
    layer: LayerChoice | None
    """Where maps are taken by default; None where there is no such layer."""
    no_layer: str
    """Why there is none."""
    steadiness: Steadiness
    differs_in_training: bool
    """Whether the answer in training mode is another one, as with dropout and batch normalisation."""
    commands: tuple[CommandCheck, ...]

    @property
    def works(self) -> bool:
        """Whether every command will work, where it is given images."""
        return all(check.works != "no" for check in self.commands)


def check_model(network: Network) -> ModelCheck:
    """Find out what a network is and what can be asked of it; it is as it was afterwards.

    Arguments:
        network: opened for images.

    Returns:
        Its input, output, layers and manners, and for each command whether it will work, with the reason.

    Raises:
        RequestError: where it does not run on images of its shape at all.

    Example:
        >>> from cnnlab.network.open import open_network
        >>> from cnnlab.network.session import Session
        >>> session = Session(device_name="cpu")
        >>> found = check_model(open_network("torchvision:squeezenet1_1", session, size="64", for_images=True))
        >>> found.logits, found.layer.name, found.works
        (1000, 'features', True)
    """
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, *network.shape, generator=generator).to(network.device)
    logits = _answer(network, images, training=False)
    if logits is None:
        check_runs(network)
    assert logits is not None
    layer, no_layer = None, ""
    try:
        layer = choose_layer(network.model, network.shape)
    except CnnlabError as error:
        no_layer = str(error)
    in_training = _answer(network, images, training=True)
    parameters = list(network.model.parameters())
    return ModelCheck(
        network=network,
        kind=type(network.model).__name__,
        parameters=sum(one.numel() for one in parameters),
        trainable=sum(one.numel() for one in parameters if one.requires_grad),
        logits=logits.shape[1],
        classes=class_names(logits, network.classes),
        layer=layer,
        no_layer=no_layer,
        steadiness=steadiness(network.model, images),
        differs_in_training=in_training is None or not torch.allclose(logits, in_training, rtol=1e-3, atol=1e-5),
        commands=tuple(_commands(network, images, logits, no_layer)),
    )


def _answer(network: Network, images: Tensor, *, training: bool) -> Tensor | None:
    """The logits of the images; None where it does not run so."""
    try:
        with undisturbed(network.model, training=training), torch.no_grad():
            found = network.model(images)
    except LAYER_FAILURES:
        return None
    return found if isinstance(found, Tensor) else None


def _commands(network: Network, images: Tensor, logits: Tensor, no_layer: str) -> Iterator[CommandCheck]:
    model, shape = network.model, network.shape
    yield _tried("summary", lambda: receptive_fields(model, shape))
    yield _tried("receptive-field", lambda: receptive_fields(model, shape))
    convolves = any(isinstance(module, nn.Conv2d) for module in model.modules())
    no_filters = "" if convolves else "it has no convolution of images"
    yield CommandCheck("visualize filters", "no" if no_filters else "yes", no_filters)
    try:
        check_takes_files(network)
    except CnnlabError as error:
        yield from (CommandCheck(command, "no", str(error)) for command in (*ON_FILES, *ON_IMAGES))
        return
    targets = logits[:1].argmax(1) if logits.shape[1] > 1 else torch.ones(1, dtype=torch.int64)
    if no_layer:
        yield CommandCheck("gradcam", "no", no_layer)
    else:
        yield _tried("gradcam", lambda: attribute(model, images[:1], targets.cpu(), methods="gradcam"))
    saliency = _tried("saliency", lambda: attribute(model, images[:1], targets.cpu(), methods="gradient"))
    yield saliency
    yield CommandCheck("visualize features", "no", no_layer) if no_layer else CommandCheck("visualize features", "yes")
    yield CommandCheck("visualize dream", saliency.works, saliency.reason)
    finite = bool(logits.isfinite().all())
    yield CommandCheck("predict", "yes") if finite else CommandCheck("predict", "no", "its answers are NaN or infinite")
    each = network.activation == "sigmoid" and logits.shape[1] > 1
    no_class = "each class is a question of its own to it, and an image has one; `activation=softmax`" if each else ""
    labels = torch.zeros(len(images), dtype=torch.int64)
    headless = _tried("visualize embedding", lambda: list(penultimate_features(model, [(images, labels, 0)]))).reason
    against = dict(
        zip(
            ON_IMAGES,
            (
                *(no_class, saliency.reason, saliency.reason, no_class or saliency.reason),
                *(no_layer or no_filters or saliency.reason, no_layer, headless),
            ),
            strict=True,
        )
    )
    for command, reason in against.items():
        fault = reason if finite else "its answers are NaN or infinite"
        ready: Answer = "yes" if network.has_images else "with --data"
        yield CommandCheck(command, "no" if fault else ready, fault)


def _tried(command: str, work: Callable[[], object]) -> CommandCheck:
    try:
        work()
    except CnnlabError as error:
        return CommandCheck(command, "no", str(error))
    except LAYER_FAILURES as error:
        failure = failure_of(error)
        if failure is None:
            raise
        return CommandCheck(command, "no", str(failure))
    return CommandCheck(command, "yes")
