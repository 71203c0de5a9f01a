"""One step of several processes: what each found on its images becomes what all found.

Written out in place of torch's DistributedDataParallel, which takes the mean of the processes whatever number of images
each had, needs every process to have some, gives parameters without a gradient one, wraps the network, and keeps the
statistics of the first process alone. What it would gain is that its sums begin while the backward pass still runs.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from cnnlab.fit.distributed.ranks import Ranks

BUCKET = 16_000_000
"""Numbers that travel at once."""


@torch.no_grad()
def combine(
    ranks: Ranks, model: nn.Module, parameters: Sequence[nn.Parameter], counted: Sequence[Tensor], share: float
) -> None:
    """Make gradients, buffers and counts those of the whole batch, the same on all processes to the bit.

    Arguments:
        ranks: the processes.
        model: whose buffers, such as running statistics, become the mean over the images; whole numbers the first's.
        parameters: whose gradients, already weighted by the process's images, are summed.
        counted: numbers that are summed.
        share: of the batch's images that this process has had, 0 … 1.
    """
    learning = [parameter for parameter in parameters if parameter.requires_grad]
    buffers = list(model.buffers())
    weights = [share if buffer.is_floating_point() else float(ranks.leads) for buffer in buffers]
    device = learning[0].device if learning else torch.device("cpu")
    there = torch.tensor([float(p.grad is not None) for p in learning], dtype=torch.float64, device=device)
    # float64: equal float32 buffers stay what they are, as do whole numbers below 2**53
    parts = [b.double().mul(w).flatten() for b, w in zip(buffers, weights, strict=True)]
    parts += [one.double().flatten() for one in counted]
    whole = torch.cat([there, *(part.to(device) for part in parts)])
    ranks.add([whole])
    sizes = [len(learning), *(one.numel() for one in (*buffers, *counted))]
    found, *sums = whole.split(sizes)
    for tensor, total in zip((*buffers, *counted), sums, strict=True):
        tensor.copy_(total.view(tensor.shape))
    if any(parameter.grad is None for parameter in learning):
        # none on any process: it stays without, so that the optimizer leaves it alone
        learning = [p for p, some in zip(learning, found.tolist(), strict=True) if some]
        for parameter in learning:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
    for bucket in _buckets([parameter.grad for parameter in learning if parameter.grad is not None]):
        flat = torch.cat([gradient.flatten() for gradient in bucket])
        ranks.add([flat])
        for gradient, total in zip(bucket, flat.split([one.numel() for one in bucket]), strict=True):
            gradient.copy_(total.view(gradient.shape))


def _buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """The gradients in pieces of one type and device, of `BUCKET` numbers each or a single tensor."""
    bucket: list[Tensor] = []
    for gradient in gradients:
        size = sum(one.numel() for one in bucket)
        if bucket and (
            size + gradient.numel() > BUCKET or (gradient.dtype, gradient.device) != (bucket[0].dtype, bucket[0].device)
        ):
            yield bucket
            bucket = []
        bucket.append(gradient)
    if bucket:
        yield bucket
