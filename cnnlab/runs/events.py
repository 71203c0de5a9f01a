"""A run's TensorBoard events."""

import io
import itertools
import os
import socket
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter
from torch import Tensor, nn
from torch.jit._trace import TracingCheckError
from torch.utils.tensorboard.summary import hparams
from torch.utils.tensorboard.writer import FileWriter, SummaryWriter

from cnnlab.core.characters import markdown_escaped
from cnnlab.core.errors import WriteError
from cnnlab.core.files import failures_named, make_folder
from cnnlab.models.undisturbed import undisturbed

FILE_NAME = "events.out.tfevents."

SECONDS_UNSEEN = 30.0
"""So long may an event wait in memory before a TensorBoard that is looking can see it."""

_numbers = itertools.count()

BINS_END = 1e20
"""Beyond it TensorBoard has no bin for a value, whatever its sign."""

TRACING_FAILURES = (RuntimeError, TypeError, ValueError, AttributeError, TracingCheckError)
"""What a user's layer may make of being traced; the network itself has been built and tried before."""


class EventLog:
    """The SummaryWriter of a run; after a resume, events past `step` are purged so that curves do not double."""

    def __init__(self, folder: Path, *, step: int | None = None) -> None:
        if step is not None:
            _wait_for_a_later_name(folder)
        self.writer = _Writer(str(folder), purge_step=None if step is None else step + 1)

    def __enter__(self) -> "EventLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.writer.close()
        except WriteError:
            if error is None:  # otherwise the first error is the one to tell
                raise

    def png(self, tag: str, content: bytes, step: int | None) -> None:
        """An image that is a PNG already, as it is; `add_image` would encode its pixels once more."""
        with Image.open(io.BytesIO(content)) as opened:
            width, height = opened.size
        image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=content)
        self.writer._get_file_writer().add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)

    def text(self, tag: str, markdown: str, step: int | None) -> None:
        """A text in Markdown."""
        self.writer.add_text(tag, markdown, step)

    def scalars(self, values: Mapping[str, float | None], step: int | None) -> None:
        """One point of each curve; None is left out."""
        for name, value in values.items():
            if value is not None:
                self.writer.add_scalar(name, value, step)

    def histogram(self, name: str, values: Tensor, step: int | None) -> None:
        """Write a histogram of the values that TensorBoard has bins for; with none at all its writer would fail."""
        shown = values.cpu().float()
        inside = shown.abs() < BINS_END
        if bool(inside.any()):
            self.writer.add_histogram(name, shown if bool(inside.all()) else shown[inside], step)

    def flush(self) -> None:
        """Everything so far on the disk: what a checkpoint has behind it must not be lost with the process."""
        self.writer.flush()

    def graph(self, model: nn.Module, images: Tensor) -> None:
        """The network as a graph, traced on `images` [n, c, h, w]; where tracing fails, a text says why."""
        # torch prints its failures on stdout, which is for results
        with redirect_stdout(io.StringIO()), warnings.catch_warnings(), undisturbed(model), torch.no_grad():
            # TensorBoard's graph is made by torch.jit.trace, which announces its end at every call
            warnings.simplefilter("ignore")
            try:
                self.writer.add_graph(model, images)
            except TRACING_FAILURES as error:
                self.writer.add_text("graph", f"the network cannot be traced: {markdown_escaped(str(error))}")

    def layout(self, charts: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        """Charts of several curves each, under Custom Scalars: by the name of a group, the chart's, and its curves'."""
        self.writer.add_custom_scalars(
            {
                group: {name: ("Multiline", list(tags)) for name, tags in inside.items()}
                for group, inside in charts.items()
            }
        )

    def hyperparameters(
        self, values: Mapping[str, str | float | bool], metrics: Mapping[str, float], *, step: int | None = None
    ) -> None:
        """The hparams table with the final metrics, in this same run (`add_hparams` would make a second one).

        Neither what options there are nor which differ is written: TensorBoard believes the first run that says so, and
        finds it out from all of them where none does.
        """
        _, *of_this_run = hparams(dict(values), dict(metrics))
        for part in of_this_run:
            self.writer._get_file_writer().add_summary(part)
        for name, value in metrics.items():
            self.writer.add_scalar(name, value, step)


class EventFile:
    """What TensorBoard's own writer does, without its thread: what the disk refuses is raised where it was written.

    The file is a new one: what lies there under its name, or a link, is not written to.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        name = f"{FILE_NAME}{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}"
        self.path = folder / name
        self.flushed = time.monotonic()
        with failures_named(self.path):
            self.file = self.path.open("xb")
        self.records = RecordWriter(self.file)
        self.add_event(Event(wall_time=time.time(), file_version="brain.Event:2"))
        self.flush()

    def get_logdir(self) -> str:
        """The folder of the file."""
        return str(self.path.parent)

    def add_event(self, event: Event) -> None:
        """Append one event; it is on the disk after `flush`, or half a minute later."""
        with failures_named(self.path):
            self.records.write(event.SerializeToString())
        if time.monotonic() - self.flushed > SECONDS_UNSEEN:
            self.flush()

    def flush(self) -> None:
        """Everything so far on the disk."""
        self.flushed = time.monotonic()
        with failures_named(self.path):
            self.file.flush()

    def close(self) -> None:
        """The last ones, too."""
        with failures_named(self.path):
            self.file.close()


class _FileWriter(FileWriter):
    def __init__(self, folder: str) -> None:
        self.event_writer = EventFile(Path(folder))


class _Writer(SummaryWriter):
    """torch's writer, with our file."""

    def _get_file_writer(self) -> FileWriter:
        attributes: dict[str, Any] = self.__dict__  # torch's annotations know only the None that they begin with
        if attributes["file_writer"] is None:
            made = _FileWriter(self.log_dir)
            attributes |= {"file_writer": made, "all_writers": {made.get_logdir(): made}}
            if self.purge_step is not None:
                step, self.purge_step = self.purge_step, None
                made.add_event(Event(step=step, file_version="brain.Event:2"))
                made.add_event(Event(step=step, session_log=SessionLog(status=SessionLog.START)))
        writer: FileWriter = attributes["file_writer"]
        return writer


def _wait_for_a_later_name(folder: Path) -> None:
    """TensorBoard reads a run's files in the order of their names, which begin with the second they were opened in.

    Two of the same second would be read in the order of their process numbers, and the wrong events purged.
    """
    seconds = {path.name.removeprefix(FILE_NAME).split(".")[0] for path in folder.glob(f"{FILE_NAME}*")}
    now = int(time.time())
    while f"{now:010d}" in seconds and int(time.time()) == now:
        time.sleep(0.02)
