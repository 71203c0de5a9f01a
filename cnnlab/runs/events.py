"""A run's TensorBoard events."""

import io
import time
import warnings
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from types import TracebackType

import torch
from torch import Tensor, nn
from torch.jit._trace import TracingCheckError
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from cnnlab.training.device import evaluation_mode

FILE_NAME = "events.out.tfevents."

TRACING_FAILURES = (RuntimeError, TypeError, ValueError, AttributeError, TracingCheckError)
"""What a user's layer may make of being traced; the network itself has been built and tried before."""


class EventLog:
    """The SummaryWriter of a run; after a resume, events past `step` are purged so that curves do not double."""

    def __init__(self, folder: Path, *, step: int | None = None) -> None:
        if step is not None:
            _wait_for_a_later_name(folder)
        self.writer = SummaryWriter(str(folder), purge_step=None if step is None else step + 1)

    def __enter__(self) -> "EventLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()

    def scalars(self, values: Mapping[str, float | None], step: int) -> None:
        """One point of each curve; None is left out."""
        for name, value in values.items():
            if value is not None:
                self.writer.add_scalar(name, value, step)

    def flush(self) -> None:
        """Everything so far on the disk: what a checkpoint has behind it must not be lost with the process."""
        self.writer.flush()

    def graph(self, model: nn.Module, images: Tensor) -> None:
        """The network as a graph, traced on `images` [n, c, h, w]; where tracing fails, a text says why."""
        # torch prints its failures on stdout, which is for results
        with redirect_stdout(io.StringIO()), warnings.catch_warnings(), evaluation_mode(model), torch.no_grad():
            # TensorBoard's graph is made by torch.jit.trace, which announces its end at every call
            warnings.simplefilter("ignore")
            try:
                self.writer.add_graph(model, images)
            except TRACING_FAILURES as error:
                self.writer.add_text("graph", f"the network cannot be traced: {error}")

    def hyperparameters(
        self, values: Mapping[str, str | float | bool], metrics: Mapping[str, float], *, step: int | None = None
    ) -> None:
        """The hparams table with the final metrics, in this same run (`add_hparams` would make a second one)."""
        for summary in hparams(dict(values), dict(metrics)):
            self.writer._get_file_writer().add_summary(summary)
        for name, value in metrics.items():
            self.writer.add_scalar(name, value, step)


def _wait_for_a_later_name(folder: Path) -> None:
    """TensorBoard reads a run's files in the order of their names, which begin with the second they were opened in.

    Two of the same second would be read in the order of their process numbers, and the wrong events purged.
    """
    seconds = {path.name.removeprefix(FILE_NAME).split(".")[0] for path in folder.glob(f"{FILE_NAME}*")}
    now = int(time.time())
    while f"{now:010d}" in seconds and int(time.time()) == now:
        time.sleep(0.02)
