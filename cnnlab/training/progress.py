"""What a person sees while a network is trained: a bar, and a line per epoch."""

import shlex
import time
from datetime import timedelta
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from cnnlab.core.advance import Advance
from cnnlab.fit.fit import StepDone
from cnnlab.training.events import Finished, ProxyDone, Started, TrainingEvent
from cnnlab.training.repeat import Repeated
from cnnlab.training.report import EpochRow
from cnnlab.view.bars import Bars
from cnnlab.view.terminal import fitting, said

REFRESH_SECONDS = 0.25
"""Between two looks at the loss: each makes a GPU wait."""

LABEL = len("validation accuracy")

COLUMNS = {
    "epoch": 7, "loss": 6, "train %": 7, "clean %": 7, "val loss": 8, "val %": 7, "lr": 8, "s": 6, "img/s": 7,
}  # fmt: skip
"""Columns of the epochs' table, and how wide they are: 79 letters in all, so that nothing wraps in a terminal of 80."""

LEAST_FIRST = ("img/s", "s", "lr", "clean %", "train %", "val loss")

HEADER = "  ".join(f"{name:>{width}}" for name, width in COLUMNS.items())


class TrainingProgress:
    """Draws training events on a console; keeps the last ones for the conclusion."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bar = Bars(
            console,
            BarColumn(bar_width=None),  # what the words leave of the terminal's width
            TextColumn("{task.completed}/{task.total}  {task.fields[facts]}"),
            expand=True,
        )
        self.task: TaskID | None = None
        self.started: Started | None = None
        self.finished: list[Finished] = []
        self.repeated: Repeated | None = None
        self._shown = 0.0
        self._images = 0
        self._behind = 0.0
        """How much of the training is, 0 … 1."""
        self._began = self._since = 0.0

    def __enter__(self) -> "TrainingProgress":
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def show(self, event: TrainingEvent | Repeated) -> None:
        """Draw one event."""
        if isinstance(event, StepDone):
            self._step(event)
        elif isinstance(event, EpochRow):
            epochs = self.started.epochs if self.started else event.epoch
            self.console.print(epoch_line(event, epochs, self.console.width), soft_wrap=True)
            self._since, self._images = time.perf_counter(), 0  # validation is no training speed
            if self.task is not None and (event.epoch == epochs or self._behind >= 1):
                total = next(task.total for task in self.bar.tasks if task.id == self.task)
                self.bar.update(self.task, completed=total, facts="writing the report")
        elif isinstance(event, Started):
            self._start(event)
        elif isinstance(event, Advance):
            self._proxy(event)
        elif isinstance(event, ProxyDone):
            self.console.print(said("[yellow]note:[/] {}", event.sentence), soft_wrap=True)
            self.console.print(header(self.console.width), style="bold", soft_wrap=True)
            self._began = self._since = time.perf_counter()
        elif isinstance(event, Repeated):
            self.repeated = event
        else:
            self.finished.append(event)

    def _start(self, event: Started) -> None:
        self.started = event
        self.console.print(
            said(
                "[bold]{}[/]: {} parameters, {} training and {} validation images, {}",
                event.run,
                f"{event.parameters:,}",
                f"{event.train:,}",
                f"{event.validation:,}",
                event.device,
            )
        )
        resumed = f", resumed after epoch {event.resumed_from}" if event.resumed_from else ""
        self.console.print(said("in {}{}", event.path, resumed), soft_wrap=True)
        for part, place in event.origins.items():
            self.console.print(said("{}: {}", part, place), soft_wrap=True)
        for sentence in event.remarks:
            self.console.print(said("[yellow]note:[/] {}", sentence), soft_wrap=True)
        for sentence in event.skipped:
            self.console.print(said("[yellow]skipped:[/] {}", sentence), soft_wrap=True)
        if not event.chooses:
            self.console.print(header(self.console.width), style="bold", soft_wrap=True)
        total = event.steps_per_epoch * event.epochs
        if self.task is not None:
            self.bar.remove_task(self.task)
        self.task = self.bar.add_task(
            "training", total=total, completed=event.steps_per_epoch * event.resumed_from, facts=""
        )
        self._began = self._since = time.perf_counter()
        self._images = 0

    def _proxy(self, event: Advance) -> None:
        now = time.perf_counter()
        if self.task is None or self.bar.disable or (now - self._shown < REFRESH_SECONDS and event.done < event.total):
            return
        facts = "" if event.done == event.total else f"{event.what}: step {event.done:,} of {event.total:,}"
        self.bar.update(self.task, facts=facts)
        self._shown = now

    def _step(self, event: StepDone) -> None:
        now = time.perf_counter()
        self._images += event.images
        self._behind = event.done
        if now - self._shown < REFRESH_SECONDS or self.task is None or self.bar.disable:
            return
        rate = self._images / (now - self._since) if now > self._since else 0.0
        facts = f"loss {float(event.loss):.3f}  lr {event.lr:.2g}  {rate:,.0f} img/s  {self._left(now)} left"
        total = max(event.step, round(event.step / event.done))  # by the clock's speed, where a time budget ends it
        self.bar.update(self.task, completed=event.step, total=total, facts=facts)
        self._shown, self._since, self._images = now, now, 0

    def _left(self, now: float) -> str:
        """The time left as h:mm:ss, from the speed of the last half minute and the time budget."""
        by_steps = next(task.time_remaining for task in self.bar.tasks if task.id == self.task)
        budget = self.started.seconds_left if self.started else None
        by_clock = None if budget is None else budget - (now - self._began)
        known = [seconds for seconds in (by_steps, by_clock) if seconds is not None]
        return str(timedelta(seconds=max(0, round(min(known))))) if known else "-:--:--"

    def conclude(self, console: Console, *, dry_run: bool, in_full: bool = False) -> None:
        """The verdict, the times and where everything lies; `in_full` where the reports are what `report` writes."""
        if dry_run:
            if any(finished.status == "interrupted" for finished in self.finished):
                console.print("dry run: stopped")
                return
            console.print(
                said("[green]dry run: everything works[/]: two batches, validation, checkpoint written and read back")
            )
            for sentence in self.started.groups if self.started else ():
                console.print(f"  parameters: {sentence}")
            return
        for finished in self.finished:
            conclude_run(finished, console, in_full=in_full)
        if self.repeated:
            console.print(said("[bold]{}[/]", self.repeated.sentence))

    def as_json(self, *, dry_run: bool) -> dict[str, Any]:
        """The document of `--json`; a dry run leaves no run and no report to name."""
        if self.repeated:
            return self.repeated.as_json()
        document = self.finished[-1].as_json()
        return document | {"run": None, "report": None} if dry_run else document


def conclude_run(finished: Finished, console: Console, *, in_full: bool) -> None:
    """The last lines of one run."""
    rows: list[tuple[str, str | Text]] = []
    if finished.status == "interrupted":
        rows.append(("stopped", f"in epoch {finished.epochs + 1}; to go on:"))
    elif finished.status == "paused":
        rows.append(("paused", f"after epoch {finished.epochs}; to go on:"))
    elif finished.status != "finished":
        rows.append((finished.status.replace("-", " "), f"after epoch {finished.epochs}"))
    if finished.status in ("interrupted", "paused"):
        rows.append(("", said("[bold]{}[/]", finished.resume_command)))
    if finished.val_accuracy is not None:
        rows.append(
            (
                "validation accuracy",
                said("[bold]{}[/] (epoch {}, the best)", f"{finished.val_accuracy:.2%}", finished.best_epoch),
            )
        )
    if finished.diagnosis:
        rows.append(("verdict", finished.diagnosis.sentence))
    proxy = "" if finished.proxy_seconds is None else f" ({finished.proxy_seconds:.1f} s of it the proxy's)"
    rows.append(("time", f"{finished.train_seconds:.1f} s training{proxy}, {finished.wall_seconds:.1f} s in all"))
    if finished.report:
        rows.append(("report", str(finished.report)))
    if not in_full and finished.status != "interrupted":
        rows.append(("report in full", f"cnnlab report {shlex.quote(str(finished.path))}"))
    for name, text in rows:
        if name == "verdict":
            table = Table.grid(padding=(0, 2))
            table.add_row(f"{name:<{LABEL}}", text)
            console.print(table)
        else:  # lines are left to the terminal, so that commands and paths can be copied whole
            console.print(Text(f"{name:<{LABEL}}  ").append(text), soft_wrap=True)


def epoch_line(row: EpochRow, epochs: int, width: int = len(HEADER)) -> str:
    """One line of the epoch table, under `header(width)`; a dash where there is no number."""

    def percent(value: float | None) -> str:
        return "–" if value is None else f"{100 * value:.2f}"

    cells = {
        "epoch": f"{row.epoch}/{epochs}",
        "loss": f"{row.train_loss:.4f}",
        "train %": percent(row.train_accuracy),
        "clean %": percent(row.clean_train_accuracy),
        "val loss": "–" if row.val_loss is None else f"{row.val_loss:.4f}",
        "val %": percent(row.val_accuracy),
        "lr": f"{row.lr:.3g}",
        "s": f"{row.seconds:.1f}",
        "img/s": f"{row.images_per_second:,.0f}",
    }
    return "  ".join(f"{cells[name]:>{COLUMNS[name]}}" for name in fitting(COLUMNS, LEAST_FIRST, width))


def header(width: int) -> str:
    """The names above the epochs' numbers."""
    return "  ".join(f"{name:>{COLUMNS[name]}}" for name in fitting(COLUMNS, LEAST_FIRST, width))
