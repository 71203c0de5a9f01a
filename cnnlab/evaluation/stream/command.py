"""What `cnnlab predict` prints of a stream: a line for each image, and at the end how fast it was."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cnnlab.cli.options import err_console, out_console
from cnnlab.cli.results import print_document, result_stream
from cnnlab.cli.streams import name_unreadable
from cnnlab.core.errors import RequestError

if TYPE_CHECKING:
    from cnnlab.evaluation.stream.answers import StreamAnswer, StreamOptions
    from cnnlab.evaluation.stream.arrival import Arrival
    from cnnlab.network.image_files import ReadsBytes
    from cnnlab.network.network import Network


@dataclass(frozen=True)
class AskedStream:
    """What the options of `cnnlab predict` say of a stream."""

    watch: Path | None
    existing: bool
    frames: str | None
    every: bool
    smooth: int
    least_sure: float

    @property
    def is_one(self) -> bool:
        """Whether a stream is asked for.

        Raises: RequestError for options that say something of a stream where there is none, or of the other kind.
        """
        if self.watch is not None and self.frames is not None:
            raise RequestError("`watch` and `frames` are two streams; ask for one")
        if self.existing and self.watch is None:
            raise RequestError("`existing` goes with `watch`")
        if self.every and self.frames is None:
            raise RequestError("`every_frame` goes with `frames`; in a watched folder each image is answered")
        if self.smooth > 1 and self.watch is None and self.frames is None:
            raise RequestError("`smooth` goes with `watch` or `frames`")
        found = self.watch is not None or self.frames is not None
        if found and self.least_sure < 1:
            raise RequestError("`least_sure` ranks images, and those of a stream are answered one by one; leave it out")
        return found

    def arrivals(self, paths: list[str], standard_input: "ReadsBytes") -> "Iterable[Arrival]":
        """The images as they come.

        Raises: RequestError where images are named besides, or for what is no kind of frames.
        """
        from cnnlab.evaluation.stream.folder import WatchedFolder
        from cnnlab.evaluation.stream.frames import frames_of
        from cnnlab.evaluation.stream.latest import arrivals
        from cnnlab.network.image_files import STANDARD_INPUT

        if self.watch is not None:
            if paths:
                raise RequestError(f"'{paths[0]}': with `watch` no images are named; `existing` answers those in DIR")
            folder = WatchedFolder(self.watch, self.existing)
            folder.check()
            return folder.arrivals()
        if paths not in ([], [STANDARD_INPUT]):
            raise RequestError(f"'{paths[0]}': with `frames` images come on standard input alone")
        return arrivals(frames_of(str(self.frames)).read(standard_input), every=self.every)


def print_stream(
    network: "Network", arrivals: "Iterable[Arrival]", options: "StreamOptions", *, as_json: bool, probabilities: bool
) -> None:
    """Print a line for each image until the stream ends or Ctrl-C is pressed, then how fast it was on stderr.

    Raises: typer.Exit with code 1 at the end where an image could not be read.
    """
    from cnnlab.evaluation.stream.answers import StreamSpeed, answered

    speed = StreamSpeed()
    print_one = _printed_json if as_json else _printed
    try:
        for answer in answered(network, arrivals, options):
            print_one(network, answer, probabilities)
            speed.note(answer)
    except KeyboardInterrupt:  # the usual end
        pass
    err_console().print(speed.sentence, style="dim", soft_wrap=True)
    if speed.unreadable:
        raise typer.Exit(1)


def _printed_json(network: "Network", answer: "StreamAnswer", probabilities: bool) -> None:
    from cnnlab.view import json

    line = answer.as_json()
    if probabilities:
        known = getattr(answer.result, "probabilities", None)
        names = network.classes if known is None or len(network.classes) == len(known) else map(str, range(len(known)))
        line["probabilities"] = None if known is None else dict(zip(names, known, strict=True))
    unicode = (result_stream().encoding or "utf-8").lower().startswith("utf")
    print_document(json.text(line, indent=None, ascii_only=not unicode) + "\n")


def _printed(network: "Network", answer: "StreamAnswer", probabilities: bool) -> None:
    from cnnlab.network.image_files import Unreadable
    from cnnlab.view.terminal import said

    result = answer.result
    if isinstance(result, Unreadable):
        name_unreadable([result])
        return
    label = result.answer or "rejected"
    line = said("{}  [bold]{}[/]  {}", result.path, label, f"{result.probability:.1%}")
    if answer.dropped:
        line.append(f"  ({answer.dropped:,} dropped before it)", style="dim")
    out_console().print(line, soft_wrap=True)
