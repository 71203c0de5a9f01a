"""Joining the processes that `torchrun` has started beside this one, as its variables in the environment tell."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import count

from cnnlab.core.errors import RequestError, WorkError, first_line
from cnnlab.fit.distributed.ranks import ALONE, Ranks

NUMBERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_PORT")
"""What `torchrun` sets, beside MASTER_ADDR and its own TORCHELASTIC_…; all of them, or this process is alone."""

PATIENCE = timedelta(minutes=30)
"""How long a process waits for another, which may be loading its images or writing its report."""


_joined = count()
"""How often this process has joined the others: as often as they."""


def is_launched() -> bool:
    """Whether this process is one of a job's."""
    return all(name in os.environ for name in (*NUMBERS, "MASTER_ADDR"))


@contextmanager
def joined() -> Iterator[Ranks]:
    """The processes of the job that this one is part of, connected while inside; `ALONE` outside of any job.

    Raises: RequestError for a variable that is no number; WorkError where the others cannot be reached.

    Example:
        >>> with joined() as ranks:  # started without torchrun
        ...     ranks.world
        1
    """
    if not is_launched():
        yield ALONE
        return
    rank, world, local, here, port = (_number(name) for name in NUMBERS)
    restarts = _number("TORCHELASTIC_RESTART_COUNT") if "TORCHELASTIC_RESTART_COUNT" in os.environ else 0
    import torch
    import torch.distributed as dist
    from torch._C._distributed_c10d import PrefixStore, TCPStore

    address = os.environ["MASTER_ADDR"]
    kept = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    if world == 1 and not kept:
        yield ALONE
        return
    try:
        # torchrun's own store outlives the processes; elsewhere the first of them keeps one
        store = TCPStore(address, port, world, is_master=not kept and rank == 0, timeout=PATIENCE)
        # what a process that has died, or a command before this one, has left there is not read
        attempt = PrefixStore(f"cnnlab/{restarts}/{next(_joined)}", store)
        if world > 1:
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
            dist.init_process_group(backend, store=attempt, rank=rank, world_size=world, timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise WorkError(f"the processes do not find each other at {address}:{port}: {first_line(error)}") from error
    try:
        yield Ranks(rank, world, local, max(1, world // max(1, here)), restarts, store if kept else None, attempt)
    finally:
        with suppress(RuntimeError):  # of a connection that has broken
            if world > 1:
                dist.destroy_process_group()


def _number(name: str) -> int:
    text = os.environ[name]
    if not text.isdecimal():
        raise RequestError(
            f"the variable {name} of the environment is '{text}', expected a number, as torchrun sets it"
        )
    return int(text)
