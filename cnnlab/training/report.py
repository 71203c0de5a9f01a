"""What a training did, epoch by epoch, and what its curves say; and the learning-rate range test."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from math import isfinite

from cnnlab.runs.record import RunRecord
from cnnlab.training.lr_find import RatePoint, smoothed_losses
from cnnlab.training.overfitting import Diagnosis, LearningCurves
from cnnlab.view.blocks import (
    Block,
    Column,
    Figure,
    Number,
    Numbers,
    Report,
    Section,
    SummaryLine,
    Table,
    Text,
    Tone,
    shown,
)
from cnnlab.view.contribution import Contribution, Question
from cnnlab.view.drawings import Curves, Mark, Panels, Series


@dataclass(frozen=True)
class EpochRow:
    """One finished epoch, as a row of the table. Losses in nats, accuracies 0 … 1; None where it was not measured."""

    epoch: int
    """Counted from 1."""
    train_loss: float
    """Mean over the epoch's batches, on augmented images, while the weights change."""
    train_accuracy: float | None
    """Likewise; None where targets are mixed."""
    clean_train_accuracy: float | None
    """Accuracy on images as they are, in eval mode, after the epoch."""
    val_loss: float | None
    val_accuracy: float | None
    lr: float
    """Learning rate at the end of the epoch."""
    seconds: float
    """Spent on training steps."""
    images_per_second: float
    share: float = 1.0
    """Of the epoch: below 1 where the time budget ended in it."""

    @property
    def place(self) -> float:
        """Epochs that were done after it, such as 4.3, on the axis of curves."""
        return self.epoch - 1 + self.share


@dataclass(frozen=True)
class StepRow:
    """A recorded step, for curves of trainings that are too short for curves of epochs."""

    place: float
    """Epochs done after it, such as 0.25."""
    loss: float
    """Of its images alone, in nats."""
    lr: float


FEW_EPOCHS = 10
"""Up to here single steps are drawn as well."""

_TONES: dict[str, Tone] = {"good": "good", "under-fitted": "caution", "over-fitted": "bad", "unclear": "caution"}


def learning_curves(rows: Sequence[EpochRow], *, validation_images: int) -> LearningCurves:
    """The curves that `cnnlab.training.overfitting.diagnose` reads."""
    return LearningCurves(
        epochs=[row.epoch for row in rows],
        train_accuracy=[row.clean_train_accuracy for row in rows],
        validation_accuracy=[row.val_accuracy for row in rows],
        validation_loss=[row.val_loss for row in rows],
        validation_images=validation_images,
    )


def training_contribution(
    rows: Sequence[EpochRow],
    diagnosis: Diagnosis | None,
    *,
    train_seconds: float,
    wall_seconds: float,
    config: str,
    record: RunRecord | None = None,
    steps: Sequence[StepRow] = (),
) -> Contribution:
    """What a training says on the page of its run: headline, verdict with remedies, curves, the table of epochs.

    Arguments:
        rows: of the finished epochs, in their order.
        diagnosis: of their curves; None where no validation part was kept.
        train_seconds, wall_seconds: spent on training steps, and in all.
        config: the file that repeats the training, as a shell takes it.
        record: of the run, for how many parameters there are, how many of them learned, and what they began with.
        steps: those that were recorded, which are drawn where the epochs are few.
    """
    best = max((r for r in rows if r.val_accuracy is not None), key=lambda r: r.val_accuracy or 0.0, default=None)
    numbers = [
        Number(
            "best validation accuracy",
            best.val_accuracy if best else None,
            ".2%",
            detail=f"epoch {best.epoch} of {len(rows)}" if best else "no validation part",
        ),
        Number("last training loss", rows[-1].train_loss if rows else None, ".3f", "nats"),
        Number("training", train_seconds, ".1f", "s", f"{wall_seconds:.1f} s in all"),
    ]
    if record is not None:
        numbers.append(Number("parameters", record.parameters, ",d", detail=record.learned))
    blocks: list[Block] = [Numbers(tuple(numbers))]
    if record is not None and record.inherited is not None:
        blocks.append(Text(record.inherited.sentence, label="begun"))
    if record is not None and record.shown_at:
        blocks.append(Text(f"{record.shown_at}.", label="trained with"))
    if diagnosis is not None:
        blocks.append(Section("Diagnosis", diagnosis_blocks(diagnosis), _DIAGNOSIS))
    if rows:
        blocks.append(Section("Curves", (curves_figure(rows, diagnosis, steps),)))
        blocks.append(Section("Epochs", (epoch_table(rows),)))
    return Contribution(tuple(blocks), (_overfitting_line(diagnosis, config),))


_DIAGNOSIS = "diagnosis"


def _overfitting_line(diagnosis: Diagnosis | None, config: str) -> SummaryLine:
    question = Question.OVERFITTED
    if diagnosis is None:
        text = "Not known without a validation part; one is kept with"
        return SummaryLine(question, text, command=f"cnnlab train {config} data.validation=0.1")
    meaning = {
        "good": "no sign of over-fitting",
        "over-fitted": f"over-fitted since epoch {diagnosis.since_epoch}",
        "under-fitted": "under-fitted rather than over-fitted",
        "unclear": "the validation part is too small to tell",
    }[diagnosis.verdict]
    if diagnosis.gap is None:
        figure, between = shown(diagnosis.fall, ".1%"), "validation accuracy lost since its best epoch"
    else:
        figure = f"{100 * abs(diagnosis.gap):.1f} points"
        between = f"from clean training accuracy {'down' if diagnosis.gap >= 0 else 'up'} to validation accuracy"
    return SummaryLine(question, f"{between}: {meaning}.", figure, _DIAGNOSIS, tone=_TONES[diagnosis.verdict])


def diagnosis_blocks(diagnosis: Diagnosis) -> tuple[Block, ...]:
    """The verdict in a sentence, and what to try."""
    verdict, _, reason = diagnosis.sentence.partition(": ")
    text = Text(reason, _TONES[diagnosis.verdict], verdict)
    if not diagnosis.remedies:
        return (text,)
    remedies = Table(
        "What to try",
        (Column("where"), Column("change"), Column("effect")),
        tuple((r.area, r.change, r.effect) for r in diagnosis.remedies),
        "One change at a time, else none of them can be given the credit.",
    )
    return text, remedies


def curves_figure(
    rows: Sequence[EpochRow], diagnosis: Diagnosis | None = None, steps: Sequence[StepRow] = ()
) -> Figure:
    """Accuracy, loss and learning rate over the epochs, one above the other; of few epochs with single `steps`."""
    x = tuple(row.place for row in rows)
    marks: tuple[Mark, ...] = ()
    if diagnosis is not None and len(rows) > 1:
        since = diagnosis.since_epoch
        label = f"over-fitted since {since}" if since is not None else f"best: epoch {diagnosis.best_epoch}"
        marked = since if since is not None else diagnosis.best_epoch
        marks = (Mark(next((row.place for row in rows if row.epoch == marked), float(marked)), label),)
    accuracies = (
        Series("validation", x, tuple(r.val_accuracy for r in rows), colour=1),
        Series("training, clean", x, tuple(r.clean_train_accuracy for r in rows), colour=0),
        Series("training, augmented", x, tuple(r.train_accuracy for r in rows), "dashed", colour=0),
    )
    losses: tuple[Series, ...] = (
        Series("validation", x, tuple(r.val_loss for r in rows), colour=1),
        Series("training, augmented", x, tuple(r.train_loss for r in rows), "dashed", colour=0),
    )
    rates = (Series("learning rate", x, tuple(r.lr for r in rows), colour=2),)
    if steps and len(rows) <= FEW_EPOCHS:
        places = tuple(step.place for step in steps)
        losses = (Series("training, single steps", places, tuple(s.loss for s in steps), "faint", colour=0), *losses)
        points = sorted({(s.place, s.lr) for s in steps} | {(r.place, r.lr) for r in rows})
        rates = (Series("learning rate", tuple(p[0] for p in points), tuple(p[1] for p in points), colour=2),)
    panels = (
        Curves(_measured(accuracies), "epoch", "accuracy (%)", percent=True, marks=marks, y_range=(None, 1.0)),
        Curves(_measured(losses), "epoch", "loss (nats)", marks=tuple(Mark(m.x, "") for m in marks)),
        Curves(rates, "epoch", "learning rate", y_range=(0.0, None)),
    )
    return Figure(
        "curves",
        "Learning curves",
        Panels(tuple(panel for panel in panels if panel.series)),
        "Clean: images as they are, in eval mode. Augmented: as the network sees them while it learns.",
    )


def _measured(series: tuple[Series, ...]) -> tuple[Series, ...]:
    return tuple(one for one in series if any(y is not None for y in one.y))


def epoch_table(rows: Sequence[EpochRow]) -> Table:
    """A line per epoch."""
    share = ".2%"
    return Table(
        "Each epoch",
        (
            Column("epoch", align="right", form="d"),
            Column("train loss", "nats", "right", ".4f"),
            Column("train accuracy", "", "right", share),
            Column("clean train accuracy", "", "right", share),
            Column("validation loss", "nats", "right", ".4f"),
            Column("validation accuracy", "", "right", share),
            Column("learning rate", "", "right", ".3g"),
            Column("time", "s", "right", ".1f"),
            Column("images/s", "", "right", ",.0f"),
        ),
        tuple(astuple(row)[:-1] for row in rows),  # all but their share
        name="epochs",
    )


def learning_rate_report(
    points: Sequence[RatePoint], *, suggestion: float | None, changes: Sequence[str], name: str
) -> Report:
    """The curve with the rate to use.

    suggestion: None where the curve shows none. changes: of the config, that set it.
    """
    x, smoothed = tuple(point.lr for point in points), smoothed_losses(points)
    figure = Figure(
        "lr_find",
        "Loss while the learning rate grows",
        Curves(
            (
                Series("loss of one batch", x, tuple(point.loss for point in points), "faint", colour=0),
                Series("smoothed", x, tuple(smoothed), colour=0),
            ),
            "learning rate",
            "loss (nats)",
            x_scale="log",
            marks=() if suggestion is None else (Mark(suggestion, f"suggestion {suggestion:.2g}"),),
            y_range=_readable(smoothed),
        ),
        "Left: too small to learn. The steepest fall: learns fastest. Right: diverges.",
    )
    if suggestion is None:
        text = Text(
            "The loss never fell clearly, so no rate can be suggested: try a wider range, or more steps.",
            "caution",
            "no suggestion",
        )
        return Report(f"Learning rate of {name}", (text, figure))
    number = Number("learning rate", suggestion, ".2g", detail=" ".join(changes))
    reason = Text("The rate of the steepest fall, at most a third of the rate where the loss is least.")
    return Report(f"Learning rate of {name}", (Numbers((number,)), reason, figure))


def _readable(smoothed: Sequence[float]) -> tuple[float | None, float | None]:
    """The loss explodes at the end: what is far above its start would press the part that matters flat."""
    finite = [value for value in smoothed if isfinite(value)]
    if not finite:
        return None, None
    low, start = min(finite), max(finite[: max(1, len(finite) // 10)])
    span = max(start - low, 1e-6)
    return low - 0.15 * span, start + 0.6 * span
