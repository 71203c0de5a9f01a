"""The processes that do one piece of work together: what each knows of the others, and how they agree.

Importing this is cheap: torch is imported by what needs it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.core.share import Share

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch._C._distributed_c10d import Store

T = TypeVar("T")


class PeerLostError(WorkError):
    """Another process of the job has ended, or cannot be reached."""


class ShareDoneError(Exception):
    """This process has done its share of the work; the first one goes on alone."""


@dataclass(frozen=True)
class Ranks:
    """A process among the `world` of them that work together; by itself where `world` is 1.

    Every process of a job calls the methods in the same order: each call waits for all.

    Example:
        >>> ALONE.leads, ALONE.any(True), ALONE.gathered("images")
        (True, True, ['images'])
    """

    rank: int = 0
    world: int = 1
    local: int = 0
    """The number of the process on its machine."""
    machines: int = 1
    restarts: int = 0
    """How often the job has been started again after one of its processes had died."""
    job: "Store | None" = None
    """What the job remembers, from one restart to the next; None without `torchrun`."""
    attempt: "Store | None" = None
    """What its processes tell each other since the last start."""

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there is no other."""
        return self.world == 1

    @property
    def share(self) -> Share:
        """Its own part of whatever is divided."""
        return Share(self.rank, self.world)

    @property
    def words(self) -> str:
        """How many there are, after the device: `, 2 processes`; nothing for one."""
        return "" if self.alone else f", {self.world} processes"

    @cached_property
    def launcher(self) -> tuple[str, ...]:
        """The words before `cnnlab` of a command that starts as many processes."""
        if self.alone:
            return ()
        nodes = () if self.machines == 1 else (f"--nnodes={self.machines}",)
        return ("torchrun", *nodes, f"--nproc-per-node={self.world // self.machines}", "-m")

    def device(self, chosen: "torch.device") -> "torch.device":
        """The device of this process, where `chosen` is the kind: of several GPUs the one with its number.

        Raises: RequestError where the machine has fewer GPUs than processes, or none of the kind can be shared.
        """
        import torch

        if self.alone or chosen.type == "cpu":
            return chosen
        if chosen.type != "cuda":
            raise RequestError(f"several processes train on cpu or cuda, not on {chosen}; `device` cpu works here")
        if chosen.index is not None:
            raise RequestError(f"`device` is {chosen}, and each of {self.world} processes takes its own: `device` cuda")
        if self.local >= torch.cuda.device_count():
            raise RequestError(
                f"process {self.local + 1} of this machine finds no GPU of its own: there are "
                f"{torch.cuda.device_count()}; start as many processes (torchrun --nproc-per-node)"
            )
        device = torch.device("cuda", self.local)
        torch.cuda.set_device(device)
        return device

    def add(self, tensors: "Sequence[Tensor]") -> None:
        """Replace each tensor by its sum over the processes, the same on all to the bit."""
        if self.alone:
            return
        import torch.distributed as dist

        with self._meeting():
            for tensor in tensors:
                dist.all_reduce(tensor)

    def adding(self, tensor: "Tensor") -> Callable[[], None]:
        """Begin to replace a tensor by its sum over the processes; the result waits until it is there."""
        if self.alone:
            return lambda: None
        import torch.distributed as dist

        with self._meeting():
            work = dist.all_reduce(tensor, async_op=True)
        assert work is not None

        def wait() -> None:
            with self._meeting():
                work.wait()

        return wait

    def copy(self, tensors: "Sequence[Tensor]") -> None:
        """Replace each tensor by the first process's."""
        if self.alone:
            return
        import torch.distributed as dist

        with self._meeting():
            for tensor in tensors:
                row = tensor.detach().contiguous()
                dist.broadcast(row, 0)
                tensor.detach().copy_(row)

    def any(self, wish: bool) -> bool:
        """Whether one of them wishes it."""
        if self.alone:
            return wish
        import torch

        wishes = torch.tensor(float(wish))
        self.add([wishes])
        return bool(wishes)

    def first(self, value: float) -> float:
        """The first process's number, on all of them."""
        if self.alone:
            return value
        import torch

        its = torch.tensor(value, dtype=torch.float64)
        self.copy([its])
        return float(its)

    def gathered(self, value: T) -> list[T]:
        """The values of all, in their order; any that can be pickled, on every process."""
        if self.alone:
            return [value]
        import torch.distributed as dist

        values: list[Any] = [None] * self.world
        with self._meeting():
            dist.all_gather_object(values, value)
        return values

    def joined(self, own: "Sequence[Tensor]") -> "tuple[Tensor, int]":
        """The rows of all processes in their order, on every one, and where this one's begin; it may have none."""
        import torch

        if self.alone:
            return torch.cat(list(own)), 0
        parts = self.gathered(torch.cat(list(own)).cpu() if own else None)
        rows = torch.cat([part for part in parts if part is not None])
        begin = sum(len(part) for part in parts[: self.rank] if part is not None)
        return rows.to(own[0].device) if own else rows, begin

    def leave_to_first(self) -> None:
        """Let the first process go on with what needs no other.

        Raises: ShareDoneError in the others.
        """
        if self.leads:
            return
        if self.attempt is not None:
            self.attempt.set(f"done/{self.rank}", "")
        raise ShareDoneError

    def wait_for_shares(self) -> None:
        """Wait in the first process until each of the others has left to it, however long that takes.

        Raises: PeerLostError where one has ended instead.
        """
        import time

        left = set(range(1, self.world))
        while left and self.attempt is not None:
            left -= {rank for rank in left if self.attempt.check([f"done/{rank}"])}
            if any(self.last_words(rank) is not None for rank in left):
                raise PeerLostError(self._loss())
            time.sleep(0.1 if left else 0)

    def wait(self) -> None:
        """Wait until all have come here."""
        self.any(False)

    @contextmanager
    def _meeting(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise PeerLostError(self._loss()) from error

    def _loss(self) -> str:
        for rank in range(self.world):
            if rank != self.rank and (last := self.last_words(rank)) is not None:
                return f"process {rank + 1} of {self.world} has ended: {last}"
        return (
            f"another of the {self.world} processes has ended without a word, or cannot be reached; torchrun tells its "
            "exit code (-9: killed, as a machine does whose memory is full)"
        )

    def say_last(self, words: str) -> None:
        """Leave for the others why this process ends."""
        if self.attempt is not None:
            _safely(lambda store: store.set(f"ended/{self.rank}", words), self.attempt)

    def last_words(self, rank: int, *, patience: float = 0.0) -> str | None:
        """Why process `rank` has ended, as soon as it says so; None where it has not within `patience` seconds."""
        import time

        deadline = time.monotonic() + patience
        while self.attempt is not None:
            found: str | None = _safely(lambda store: _known(store, f"ended/{rank}"), self.attempt)
            if found is not None or time.monotonic() >= deadline:
                return found
            time.sleep(0.05)
        return None

    def remember(self, what: str, value: str) -> None:
        """Keep a word for the processes of this job that are started in place of these."""
        if self.job is not None:
            self.job.set(f"cnnlab/{what}", value)

    def remembered(self, what: str) -> str | None:
        """The word that those before these have kept; None in a job that has just begun."""
        return None if self.job is None or not self.restarts else _known(self.job, f"cnnlab/{what}")


ALONE = Ranks()
"""One process, as nearly always."""


def _known(store: "Store", key: str) -> str | None:
    return store.get(key).decode() if store.check([key]) else None


def _safely(ask: Any, store: "Store") -> Any:
    """What `ask` gets of `store`, which may have died with the process that kept it: then None."""
    try:
        return ask(store)
    except RuntimeError:
        return None
