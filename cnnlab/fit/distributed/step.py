"""One step of several processes: what each found on its images becomes what all found.

Written out in place of torch's DistributedDataParallel, which takes the mean of the processes whatever number of images
each had, needs every process to have some, gives parameters without a gradient one, wraps the network, and keeps the
statistics of the first process alone. As there, sums of gradients begin while the backward pass still runs.
"""

from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor, nn

from cnnlab.fit.distributed.ranks import Ranks

BUCKET = 6_500_000
"""Numbers that travel at once: 25 MiB of float32."""


class Exchange:
    """The sums over the processes of what their steps find, the same on all to the bit.

    Gradients travel in buckets, those of the last layers first. A bucket sets off during the backward pass as soon as
    it has every gradient that it had in the step before; what is still missing after the pass sets off then. All
    processes send the same buckets in the same order; one without images sends zeros.
    """

    def __init__(self, ranks: Ranks, model: nn.Module, parameters: Sequence[nn.Parameter]) -> None:
        """Nothing is sent yet.

        Arguments:
            ranks: the processes.
            model: whose buffers, such as running statistics, become the mean over the images; whole numbers the first
                process's.
            parameters: whose gradients, already weighted by the process's images, are summed.
        """
        self._ranks = ranks
        self._model = model
        self._parameters = parameters
        self._usual: set[nn.Parameter] | None = None
        """Those with a gradient after the last backward pass; None before the first."""
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []
        self._clear()

    def _clear(self) -> None:
        """Forget the step that is over."""
        learning = [parameter for parameter in self._parameters if parameter.requires_grad]
        self._buckets = _buckets(learning[::-1])
        self._place = {one: number for number, bucket in enumerate(self._buckets) for one in bucket}
        self._missing = [{one for one in bucket if one in (self._usual or ())} for bucket in self._buckets]
        self._sent: list[tuple[Tensor, Callable[[], None]]] = []
        self._late = False

    def begin(self) -> None:
        """Send what is ready during the backward pass that follows, the last one before `end`."""
        self._clear()
        if self._usual is not None:
            self._hooks = [one.register_post_accumulate_grad_hook(self._came) for one in self._place]

    def _came(self, parameter: Tensor) -> None:
        """A parameter has its gradient, or more of it."""
        assert isinstance(parameter, nn.Parameter)
        place = self._place[parameter]
        self._late |= place < len(self._sent)
        self._missing[place].discard(parameter)
        while len(self._sent) < len(self._buckets) and not self._missing[len(self._sent)]:
            self._send()

    @torch.no_grad()
    def _send(self) -> None:
        """Let the next bucket set off."""
        bucket = self._buckets[len(self._sent)]
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in bucket])
        self._sent.append((flat, self._ranks.adding(flat)))

    @torch.no_grad()
    def end(self, counted: Sequence[Tensor], share: float) -> None:
        """Make gradients, buffers and counts those of the whole batch.

        Arguments:
            counted: numbers that are summed.
            share: of the batch's images that this process has had, 0 … 1.
        """
        if self._hooks:
            for hook in self._hooks:
                hook.remove()
            self._hooks.clear()
        else:
            self._clear()
        while len(self._sent) < len(self._buckets):
            self._send()
        somewhere = self._sum_counts(counted, share)
        if self._ranks.any(self._late):  # a gradient came when its bucket was on its way: all once more
            for _, wait in self._sent:
                wait()
            self._sent = []
            for _ in self._buckets:
                self._send()
        if share:
            self._usual = {parameter for parameter in self._place if parameter.grad is not None}
        for bucket, (flat, wait) in zip(self._buckets, self._sent, strict=True):
            wait()
            for parameter, total in zip(bucket, flat.split([one.numel() for one in bucket]), strict=True):
                if parameter.grad is None:
                    if parameter not in somewhere():
                        continue  # none on any process: it stays without, so that the optimizer leaves it alone
                    parameter.grad = torch.zeros_like(parameter)
                parameter.grad.copy_(total.view(parameter.shape))
        self._sent = []

    def _sum_counts(self, counted: Sequence[Tensor], share: float) -> Callable[[], set[nn.Parameter]]:
        """Sum the counts and the buffers; returns what tells the parameters that have a gradient on some process."""
        learning, buffers = list(self._place), list(self._model.buffers())
        weights = [share if buffer.is_floating_point() else float(self._ranks.leads) for buffer in buffers]
        device = learning[0].device if learning else torch.device("cpu")
        there = torch.tensor([float(p.grad is not None) for p in learning], dtype=torch.float64, device=device)
        # float64: equal float32 buffers stay what they are, as do whole numbers below 2**53
        parts = [b.double().mul(w).flatten() for b, w in zip(buffers, weights, strict=True)]
        parts += [one.double().flatten() for one in counted]
        whole = torch.cat([there, *(part.to(device) for part in parts)])
        self._ranks.add([whole])
        sizes = [len(learning), *(one.numel() for one in (*buffers, *counted))]
        found, *sums = whole.split(sizes)
        for tensor, total in zip((*buffers, *counted), sums, strict=True):
            tensor.copy_(total.view(tensor.shape))
        return cache(lambda: {one for one, some in zip(learning, found.tolist(), strict=True) if some})


def _buckets(parameters: Sequence[nn.Parameter]) -> list[list[nn.Parameter]]:
    """The parameters in pieces of one type and device, of `BUCKET` numbers each or a single tensor."""
    buckets: list[list[nn.Parameter]] = []
    for parameter in parameters:
        last = buckets[-1] if buckets else []
        alike = bool(last) and (parameter.dtype, parameter.device) == (last[0].dtype, last[0].device)
        if alike and sum(one.numel() for one in last) + parameter.numel() <= BUCKET:
            last.append(parameter)
        else:
            buckets.append([parameter])
    return buckets
