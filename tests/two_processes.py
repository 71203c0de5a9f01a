"""What two processes do together in test_two_processes.py, started by torchrun with the folder for what they find.

The second process is killed in the middle of a training, so that torchrun starts both again.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from cnnlab.core.registry import component
from cnnlab.data.batches import ChannelStatistics, EvaluationBatches, TrainingBatches
from cnnlab.fit import catalog  # noqa: F401
from cnnlab.fit.distributed import step
from cnnlab.fit.distributed.ranks import Ranks, ShareDoneError
from cnnlab.fit.fit import EpochDone, StepDone, fit
from cnnlab.fit.parameter_groups import learning_parameters
from cnnlab.fit.predict import Predictions, predict
from cnnlab.fit.state import TrainingState
from cnnlab.fit.views import AveragedViews
from cnnlab.network.session import Session

STATISTICS = ChannelStatistics((0.4,), (0.25,))
CONFIG = Path(__file__).with_name("two_processes.yaml")
KILLED_AFTER = 9
"""Steps, of 7 an epoch."""


class Own(nn.Module):
    """A network in float64, with a parameter that nothing uses and a first layer that `begins` may leave out."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.begins: Callable[[], bool] = lambda: False
        self.layers = nn.Sequential(nn.Conv2d(1, 4, 3), norm, nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)).double()
        self.unused = nn.Parameter(torch.ones(2, dtype=torch.float64))
        self.first = nn.Conv2d(1, 1, 1).double()

    def forward(self, images: Tensor) -> Tensor:
        inputs = images.double()
        answers: Tensor = self.layers(self.first(inputs) if self.begins() else inputs)
        return answers


def own(norm: str) -> Own:
    return Own(nn.GroupNorm(2, 4) if norm == "group" else nn.BatchNorm2d(4))


def images(count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(3, (count,), generator=generator)
    return torch.randint(256, (count, 1, 4, 4), generator=generator, dtype=torch.uint8), labels


@dataclass(frozen=True)
class Trained:
    weights: dict[str, Tensor]
    losses: list[float]
    norms: list[float]
    accuracy: float
    seen: int


def trained(
    ranks: Ranks, norm: str, *, synchronized: bool = False, accumulate: int = 1, changing: bool = False
) -> Trained:
    """Two epochs of 26 images in batches of 6: the last one has two, of which the second process gets none.

    changing: the first layer is there in every third step, when its gradient comes after all others.
    """
    torch.manual_seed(1)
    model = own(norm)
    state = TrainingState(
        model,
        component("optimizer", "sgd", lr=0.1, momentum=0.9, weight_decay=0.1).build(
            parameters=learning_parameters(model)
        ),
        torch.device("cpu"),
        ranks=ranks,
        synchronized_norm=synchronized,
    )
    if changing:
        model.begins = lambda: state.progress.step % 3 == 2
    batches = TrainingBatches(
        *images(26),
        batch_size=6,
        seed=3,
        augmentations=[component("augmentation", "flip").build(classes=3)],
        statistics=STATISTICS,
        classes=3,
        share=ranks.share,
    )
    with patch.object(step, "BUCKET", 40):  # so that there are several
        events = list(
            fit(
                state,
                batches,
                loss=nn.CrossEntropyLoss(),
                schedule=lambda done: 1 - done / 2,
                epochs=2,
                clip=component("clipping", "norm", maximum=0.5).build(model=model),
                accumulate=accumulate,
            )
        )
    steps = [event for event in events if isinstance(event, StepDone)]
    last = events[-1]
    assert isinstance(last, EpochDone)
    assert last.accuracy is not None
    return Trained(
        model.state_dict(),
        [float(one.loss) for one in steps] + [last.loss],
        [float(one.gradient_norm) for one in steps],
        last.accuracy,
        sum(one.images for one in steps),
    )


TRAININGS: dict[str, dict[str, Any]] = {
    "by image": {"norm": "group"},
    "accumulated": {"norm": "group", "accumulate": 2},
    "changing": {"norm": "group", "changing": True},
    "changing, accumulated": {"norm": "group", "changing": True, "accumulate": 2},
    "synchronized": {"norm": "batch", "synchronized": True},
}
"""What comes to the same in one process."""


def predicted(ranks: Ranks, count: int) -> Predictions:
    """Of so many images in batches of 2, the least sure third of them with its mirror image."""
    torch.manual_seed(2)
    data, labels = images(count)
    batches = EvaluationBatches(data, labels, batch_size=2, statistics=STATISTICS, share=ranks.share)
    return predict(own("group").eval(), batches, tta=AveragedViews("flip", 0.3), ranks=ranks)


def audited(session: Session) -> Any:
    """Where the evidence lies in each of 20 images, by a method that draws: 3 batches for the processes."""
    from cnnlab.network.open import open_run
    from cnnlab.trust.audit.run import AuditOptions, audit_facts

    *_, facts = audit_facts(open_run("killed", session), session, AuditOptions(method=["rise:masks=40"]))
    return [(one.number, one.evidence.border, one.evidence.corner) for one in facts.images]


def patches(session: Session) -> Any:
    from cnnlab.inside.patches.run import found_patches
    from cnnlab.network.open import open_run

    network = open_run("killed", session)
    images = network.part("validation", session.place)
    *_, facts = found_patches(network, images, session, split="validation", layer="conv1", top=3)
    return [[(one.number, one.value, one.box) for one in channel.patches] for channel in facts.channels]


def measured(session: Session) -> Any:
    from cnnlab.evaluation.run import EvaluateOptions, evaluated
    from cnnlab.network.open import open_run

    facts = evaluated(open_run("killed", session), session, EvaluateOptions(tta=AveragedViews("flip", 0.3))).facts
    return facts.n, facts.accuracy, facts.loss, facts.calibration


SHARED = {"eval": measured, "audit": audited, "patches": patches}
"""What the first process has of both."""


def _killed(original: Any, rank: int) -> Any:
    def fit_and_die(*args: Any, **options: Any) -> Iterator[Any]:
        for number, fact in enumerate(original(*args, **options), 1):
            yield fact
            if number == KILLED_AFTER and rank == 1:
                os.kill(os.getpid(), signal.SIGKILL)

    return fit_and_die


def main(folder: Path) -> None:
    from cnnlab.cli import together
    from cnnlab.fit.distributed.join import joined
    from cnnlab.main import answer
    from cnnlab.training import setup

    together.BEFORE = 0.0  # nobody ends the second process here, so that it need not wait
    rank, attempt = int(os.environ["RANK"]), int(os.environ["TORCHELASTIC_RESTART_COUNT"])
    train = ["train", str(CONFIG), "--runs", str(folder / "runs"), "--device", "cpu", "--no-report", "--name"]
    found: dict[str, Any] = {}
    if not attempt:
        with joined() as ranks:
            found["trained"] = {name: vars(trained(ranks, **options)) for name, options in TRAININGS.items()}
            found["by process"] = vars(trained(ranks, norm="batch"))
            found["predicted"] = [vars(predicted(ranks, count)) for count in (1, 7)]
            found["any"] = [ranks.any(ranks.rank == 1), ranks.any(False)]
        found["codes"] = [
            answer(["train", str(CONFIG), "training.epochs=many"]),
            answer(["gradcam", "whole", "--runs", str(folder / "runs")]),
            answer([*train, "whole"]),
        ]
        torch.save(found, folder / f"found-{rank}.pt")
        setup.fit = _killed(setup.fit, rank)  # type: ignore[attr-defined]
    code = answer([*train, "killed", "--json"])
    with joined() as ranks:
        session = Session(runs=folder / "runs", device_name="cpu", max_batch=8, ranks=ranks)
        shared: dict[str, Any] = {}
        for name, make in SHARED.items():
            with suppress(ShareDoneError):
                shared[name] = make(session)
        with suppress(ShareDoneError):
            ranks.leave_to_first()
            ranks.wait_for_shares()
        torch.save(shared, folder / f"shared-{rank}.pt")
    sys.exit(code)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
