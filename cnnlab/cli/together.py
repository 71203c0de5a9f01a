"""A command in several processes: the first prints, the others do their share in silence, errors are told once."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout

import typer

from cnnlab.cli.options import err_console
from cnnlab.core.errors import CnnlabError, RequestError, first_line
from cnnlab.fit.distributed.join import is_launched, joined
from cnnlab.fit.distributed.ranks import ALONE, PeerLostError, Ranks, ShareDoneError

SEVERAL = "train, eval, audit, sweep and visualize patches"
"""The commands that work in several processes."""

GRACE = 5.0
"""Seconds in which the first process is to tell an error that another one has met, too."""


BEFORE = 20.0
"""Seconds in which the first process is to tell what each of them has met before they were connected."""


def first_tells() -> bool:
    """Whether this is another process than the first of several; then only after that one has had time to speak.

    torchrun ends the first as soon as another has failed, and all others as soon as the first has.
    """
    follows = is_launched() and os.environ["RANK"] != "0"
    if follows:
        time.sleep(BEFORE)
    return follows


def refuse_several(command: str) -> None:
    """End a command that is for one process where it is started in several.

    Raises: RequestError in the first of them; typer.Exit in the others.
    """
    if not is_launched() or os.environ["WORLD_SIZE"] == "1":
        return
    if first_tells():
        raise typer.Exit(RequestError.exit_code)
    raise RequestError(
        f"`cnnlab {command}` is for one process, and torchrun has started {os.environ['WORLD_SIZE']}; start it "
        f"without torchrun (cnnlab {SEVERAL} work in several)"
    )


@contextmanager
def together() -> Iterator[Ranks]:
    """The processes that this command is started in, connected while inside.

    Raises: what is raised inside, in one of the processes; the others end with the exit code alone.
    """
    ranks = ALONE
    try:
        with joined() as ranks, _quiet(ranks):
            try:
                yield ranks
            except ShareDoneError:
                raise typer.Exit(0) from None
            except (Exception, KeyboardInterrupt) as error:
                if not isinstance(error, typer.Exit):
                    ranks.say_last(first_line(error))
                raise
    except Exception as error:
        if ranks.leads or isinstance(error, typer.Exit):
            raise
        told, own = ranks.last_words(0, patience=GRACE), first_line(error)
        # the first process has met the same, or tells of this one; what is a mistake of the program shows its traceback
        if told is not None and (isinstance(error, PeerLostError) or told == own or _is_retold(error, told)):
            raise typer.Exit(getattr(error, "exit_code", 1)) from None
        if not isinstance(error, CnnlabError):
            raise
        from cnnlab.view.terminal import said

        # words alone: with --json the document is the first process's
        place = f"process {ranks.rank + 1} of {ranks.world}"
        err_console().print(said("[bold red]error:[/] {}: {}", place, str(error)), soft_wrap=True)
        raise typer.Exit(error.exit_code) from None


def _is_retold(error: Exception, told: str) -> bool:
    return isinstance(error, CnnlabError) and first_line(error) in told


@contextmanager
def _quiet(ranks: Ranks) -> Iterator[None]:
    """While inside, nothing of a process but the first is printed."""
    if ranks.leads:
        yield
        return
    with ExitStack() as stack:
        null = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
        stack.enter_context(redirect_stdout(null))
        stack.enter_context(redirect_stderr(null))
        yield
        sys.stdout.flush()
