"""All that a config names, built: images on the device, network, optimizer, batches."""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from torch import Tensor, nn

from cnnlab.config.config import Config
from cnnlab.config.learning import parameters_of
from cnnlab.config.least_memory import check_memory_suffices, least_memory
from cnnlab.config.proxy import in_the_proxy, proxy_config
from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.core.share import WHOLE, Share
from cnnlab.data.batches import ChannelStatistics, EvaluationBatches, TrainingBatches
from cnnlab.data.dataset import Dataset
from cnnlab.fit.clipping import Clipping
from cnnlab.fit.compilation import check_compiler, compile_remark, compiled
from cnnlab.fit.distributed.ranks import Ranks
from cnnlab.fit.fit import EpochDone, StepDone, fit
from cnnlab.fit.freezing import Freezing
from cnnlab.fit.hardest import Choices, HardestBatches, HardestLoss, kept
from cnnlab.fit.lookahead import Lookahead
from cnnlab.fit.losses import Loss
from cnnlab.fit.precision import Precision, chosen_precision, precision_remark
from cnnlab.fit.predict import Predictions, predict
from cnnlab.fit.resolution import Resolution
from cnnlab.fit.saved_state import EpochPlan
from cnnlab.fit.schedules import Schedule
from cnnlab.fit.state import Ema, TrainingState
from cnnlab.fit.terms import terms_of
from cnnlab.models.data_dependent import begin_from_images
from cnnlab.models.own import said_to
from cnnlab.network.fresh import new_built
from cnnlab.network.inheritance import Inherited, inherit
from cnnlab.network.session import Session
from cnnlab.runs.images import TrainingImages, fixed_sample, training_images


@dataclass(frozen=True)
class TrainingSetup:
    """All that `fit` needs, and the images that are watched on the way."""

    config: Config
    images: TrainingImages
    network: nn.Module
    forward: nn.Module
    """The network, or its compiled twin."""
    state: TrainingState
    batches: TrainingBatches
    loss: Loss
    schedule: Schedule
    clip: Clipping | None
    clean: Dataset
    """Training images, unaugmented: the near side of the overfitting gap."""
    freezing: Freezing
    resolution: Resolution | None = None
    """The sizes of the training's images; None where they are always their own."""
    proxy: "TrainingSetup | None" = None
    """Of the network that chooses the images to learn from, where the config asks for the hardest."""
    choices: Choices | None = None
    """Those images, once they are chosen."""
    inherited: Inherited | None = None
    """What the network took over; None of one that begins at random, or goes on."""
    remarks: tuple[str, ...] = ()
    """A sentence for each thing that a person should know of the network."""

    @property
    def plan(self) -> EpochPlan:
        """How its epochs are divided."""
        seen = [end - begin for begin, end in self.batches.bounds]
        if self.config.hardest is not None:
            seen = [kept(images, self.config.hardest.keep) for images in seen]
        return EpochPlan(list(accumulate(seen)), self.config.training.accumulate)

    @property
    def learned(self) -> TrainingBatches | HardestBatches:
        """What the network learns from: all images of each batch, or those that were chosen."""
        return self.batches if self.choices is None else HardestBatches(self.batches, self.choices)

    @property
    def precision(self) -> Precision:
        """Of convolutions and products."""
        return chosen_precision(self.config.training.precision, self.state.device)

    def fitted(
        self,
        batches: TrainingBatches | HardestBatches,
        *,
        epochs: int,
        loss: Loss | None = None,
        time_budget: float | None = None,
        resolution: Resolution | None = None,
    ) -> Iterator[StepDone | EpochDone]:
        """Train from where the state stands; `loss` in place of the config's, no budget and full size by default.

        Raises: as `fit`.
        """
        return fit(
            self.state,
            batches,
            loss=self.loss if loss is None else loss,
            schedule=self.schedule,
            epochs=epochs,
            clip=self.clip,
            accumulate=self.config.training.accumulate,
            precision=self.precision,
            time_budget=time_budget,
            resolution=resolution,
            forward=self.forward,
        )

    def evaluate(self, dataset: Dataset, model: nn.Module | None = None) -> Predictions:
        """Predictions of `model`; by default of the weights that count: the averages, where there are some."""
        return predict(
            self.state.evaluated_model if model is None else model,
            self.batches_of(dataset),
            precision=self.precision,
        )

    def evaluate_together(self, dataset: Dataset) -> Predictions:
        """The same of the weights that count, by all processes of the training, each its share; they wait for all."""
        ranks = self.state.ranks
        batches = self.batches_of(dataset, ranks.share)
        return predict(self.state.evaluated_model, batches, precision=self.precision, ranks=ranks)

    def batches_of(self, dataset: Dataset, share: Share = WHOLE) -> EvaluationBatches:
        """The images as they are evaluated: on the device, in order, not augmented; the batches of one's `share`."""
        return replace(_as_evaluated(dataset, self.config, self.images.statistics, self.state.device), share=share)


def _as_evaluated(
    dataset: Dataset, config: Config, statistics: ChannelStatistics, device: torch.device
) -> EvaluationBatches:
    return EvaluationBatches(
        dataset.images_for(device),
        dataset.labels.to(device),
        batch_size=config.training.evaluation_batch_size,
        statistics=statistics,
        device=device,
    )


def _normalised_by(
    statistics: ChannelStatistics, config: Config, images: TrainingImages
) -> tuple[Config, TrainingImages]:
    """The config that names these statistics, and the images with them."""
    data = config.data.model_copy(update={"mean": list(statistics.mean), "std": list(statistics.std)})
    return config.model_copy(update={"data": data}), replace(images, statistics=statistics)


def _on_device(config: Config, device: torch.device, ranks: Ranks) -> tuple[Config, list[str]]:
    """The config with the precision that `auto` is on `device`, which a run keeps, and what is to be said of it.

    All processes take what the first one has measured.

    Raises: RequestError for what `device` cannot do.
    """
    training = config.training
    if training.precision == "fp16" and device.type == "cpu":
        raise RequestError("training.precision is fp16, which trains on a GPU only; use bf16 or fp32 on the cpu")
    if training.compile:
        check_compiler(device)
    remarks = (precision_remark(training.precision, device), compile_remark(training.compile, device))
    precision = ranks.gathered(chosen_precision(training.precision, device))[0]
    chosen = training.model_copy(update={"precision": precision})
    return config.model_copy(update={"training": chosen}), [remark for remark in remarks if remark]


def check_shares(config: Config, ranks: Ranks) -> None:
    """Raises: RequestError where what the config asks for cannot be shared among the processes."""
    training = config.training
    if not ranks.alone and training.batch_size < 2 * ranks.world:
        raise RequestError(
            f"training.batch_size is {training.batch_size}, less than two images for each of {ranks.world} processes; "
            f"make it {2 * ranks.world} or more, or start fewer"
        )
    if not ranks.alone and config.hardest is not None:
        with config.told_by_place():
            raise RequestError(
                f"hardest: a proxy chooses among the images of whole batches, and {ranks.world} processes share each; "
                "start one process, or leave it out"
            )
    if not ranks.alone and training.synchronized_norm and training.compile:
        raise RequestError(
            "training.synchronized_norm and training.compile do not go together: a compiled network normalises by "
            "itself; set one of them to false"
        )


def _proxy_of(config: Config, session: Session, images: TrainingImages) -> TrainingSetup | None:
    """The training of the proxy that the config asks for.

    Raises: RequestError, ShapeError where it cannot be made.
    """
    proxy = proxy_config(config)
    if proxy is None or config.hardest is None:
        return None
    with in_the_proxy():
        setup = set_up_training(proxy, session, images=images)
    with config.told_by_place():
        HardestLoss(setup.loss, keep=config.hardest.keep)  # a loss that tells no image's own is refused here
    return setup


def _twin(config: Config, network: nn.Module, train: Dataset) -> nn.Module:
    """A copy of the network as it stands."""
    try:
        twin = deepcopy(network)
    except RuntimeError:  # of weights that a hook works out: old weight normalisation, pruning
        twin = None
    if twin is None or not all(parameter.is_leaf for parameter in twin.parameters()):  # the latter of torch.jit's
        like = next(network.parameters())
        twin = new_built(config, train.shape, len(train.classes)).model.to(like.device)
        twin.load_state_dict(network.state_dict())
    return twin


def _ema(config: Config, network: nn.Module, train: Dataset) -> Ema | None:
    """The averages that the config asks for."""
    if config.ema is None:
        return None
    return Ema(network, decay=config.ema.decay, every=config.ema.every, twin=_twin(config, network, train))


def _lookahead(config: Config, network: nn.Module, train: Dataset) -> Lookahead | None:
    """The slow weights that the config asks for."""
    asked = config.lookahead
    if asked is None:
        return None
    twin = _twin(config, network, train)
    return Lookahead(network, every=asked.every, decay=asked.decay, power=asked.power, twin=twin)


def resolution_of(config: Config, network: nn.Module, shape: Shape) -> Resolution | None:
    """The sizes that the config asks for, for images of `shape` (channels, height, width), each tried on the network.

    Raises: RequestError, with the place in the config, for a size that the images or the network do not have.
    """
    if not config.training.sizes:
        return None
    channels, *full = shape
    with config.told_by_place():
        resolution = Resolution(config.training.sizes, (full[0], full[1]))
        resolution.check(network, channels)
    return resolution


def _begun_from_images(network: nn.Module, config: Config, images: TrainingImages, device: torch.device) -> list[str]:
    """Let layers begin from a sample of the training images; a sentence for each."""

    def batches(count: int) -> Iterable[Tensor]:
        some = fixed_sample(images.train, count, config.seed, "beginning")
        return (batch.images for batch in _as_evaluated(some, config, images.statistics, device))

    return begin_from_images(network, batches)


def set_up_training(
    config: Config, session: Session, *, images: TrainingImages | None = None, begun: bool = False
) -> TrainingSetup:
    """Load, split, build; nothing is written.

    Arguments:
        config: of the training.
        session: where data lies, and the device.
        images: in place of those that the config names.
        begun: whether a checkpoint is loaded afterwards, so that `init_from` need not be there any more.

    Raises: RequestError when parts of the config do not fit each other or the data.
    """
    device, ranks = session.device, session.ranks  # first: a wrong one need not wait for the images
    check_shares(config, ranks)
    images = images or training_images(config, session.place)
    train = images.train
    config, remarks = _on_device(config, device, ranks)
    training = config.training
    if config.early_stopping and images.validation is None:
        raise RequestError("early_stopping watches the validation part; set data.validation above 0")
    with said_to(remarks.append):
        built = new_built(config, train.shape, len(train.classes))
    network = built.model
    inherited: Inherited | None = None
    if config.begins_elsewhere and not begun:
        inherited = inherit(network, config, train.shape, train.classes, session)
        remarks += inherited.remarks
        if inherited.statistics is not None and config.data.mean is None:
            config, images = _normalised_by(inherited.statistics, config, images)
        remarks += inherited.differences(images.statistics, train.shape)
    resolution = resolution_of(config, network, train.shape)
    if resolution is not None:
        remarks.append(resolution.sentence)
    evaluated = max(min(training.clean_train_pictures, len(train)), len(images.validation or ()))
    check_memory_suffices(
        least_memory(
            network,
            config,
            largest_layer=built.largest_layer,
            train=training.epoch_images or len(train),
            evaluated=evaluated,
        ),
        device,
    )
    memory = torch.channels_last if training.channels_last else torch.contiguous_format
    network = network.to(device=device, memory_format=memory)  # type: ignore[call-overload]
    if inherited is None and not begun:
        remarks += _begun_from_images(network, config, images, device)
    ranks.copy([*network.state_dict().values()])  # equal already, where the machines compute alike
    with config.told_by_place():
        freezing = Freezing(network, config.freeze, config.unfreeze, statistics=config.frozen_statistics)
    loss = config.loss.build(counts=train.counts())
    parameters = parameters_of(config, network, freezing, loss)
    remarks += parameters.remarks
    freezing.begin(1)
    if config.freeze:
        with config.told_by_place():
            remarks.append(freezing.sentence)
    optimizer = config.optimizer.build(parameters=parameters)
    state = TrainingState(
        model=network,
        optimizer=optimizer,
        device=device,
        ema=_ema(config, network, train),
        lookahead=_lookahead(config, network, train),
        scaler=torch.amp.GradScaler(device.type) if training.precision == "fp16" else None,
        freezing=freezing if freezing.until else None,
        ranks=ranks,
        synchronized_norm=training.synchronized_norm,
        terms=terms_of(optimizer, parameters, epochs=training.epochs),
    )
    batches = TrainingBatches(
        train.images_for(device),
        train.labels.to(device),
        batch_size=training.batch_size,
        seed=config.seed,
        augmentations=[choice.build(classes=len(train.classes)) for choice in config.data.augment],
        statistics=images.statistics,
        classes=len(train.classes),
        drop_last=training.drop_last,
        shown=training.epoch_images,
        device=device,
        share=ranks.share,
    )
    proxy = _proxy_of(config, session, images)
    next(batches.epoch(0))  # an augmentation that cannot work on these images fails here, before anything is written
    torch.manual_seed(derive_seed(config.seed, "dropout", *([] if ranks.leads else [ranks.rank])))
    return TrainingSetup(
        config=config,
        images=images,
        network=network,
        forward=compiled(network, training.compile),
        state=state,
        batches=batches,
        loss=loss.to(device) if isinstance(loss, nn.Module) else loss,
        schedule=config.schedule.build(epochs=training.epochs),
        clip=config.clipping.build(model=network) if config.clipping else None,
        clean=fixed_sample(train, training.clean_train_pictures or 1, config.seed, "clean"),
        freezing=freezing,
        resolution=resolution,
        proxy=proxy,
        inherited=inherited,
        remarks=(*remarks, *built.remarks),
    )
