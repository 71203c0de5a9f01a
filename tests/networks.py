"""Small networks that tests of analyses look at, and what a look must not change."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from cnnlab.network.network import Network


def small(*, seed: int = 0, classes: int = 4, channels: int = 3, inplace: bool = True) -> nn.Sequential:
    """conv 3×3 with padding, batch norm, in-place ReLU, max pool, conv 3×3 with stride 2, ReLU, mean, linear."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(channels, 6, 3, padding=1),
                norm1=nn.BatchNorm2d(6),
                relu1=nn.ReLU(inplace=inplace),
                pool1=nn.MaxPool2d(2),
                conv2=nn.Conv2d(6, 8, 3, stride=2, padding=1),
                relu2=nn.ReLU(inplace=inplace),
                pool2=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                linear=nn.Linear(8, classes),
            )
        )
        network.norm1.running_mean = torch.randn(6) / 4  # type: ignore[union-attr]
        network.norm1.running_var = torch.rand(6) + 0.5  # type: ignore[union-attr]
    return network


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Hooks gone, modes, requires_grad, gradients, parameters and buffers as before, whatever happens inside."""
    model.train()
    first = next(module for module in model.modules() if not any(module.children()))
    first.eval()
    parameters = list(model.parameters())
    parameters[-1].requires_grad_(False)
    parameters[0].grad = torch.full_like(parameters[0], 7.0)
    before = _facts(model)
    try:
        yield
    finally:
        after = _facts(model)
        assert after[:3] == before[:3]
        for old, new in zip(before[3], after[3], strict=True):
            torch.testing.assert_close(new, old, rtol=0, atol=0)
        assert all(bool((p.grad == 7).all()) if i == 0 else p.grad is None for i, p in enumerate(parameters))


def _facts(model: nn.Module) -> tuple[list[bool], list[bool], list[int], list[torch.Tensor]]:
    modules = list(model.modules())
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in modules]
    return (
        [m.training for m in modules],
        [p.requires_grad for p in model.parameters()],
        hooks,
        [t.detach().clone() for t in model.state_dict().values()],
    )


def network_of(
    model: nn.Module, shape: tuple[int, ...], *, trained: bool = False, classes: tuple[str, ...] = ()
) -> Network:
    """A network as commands look at it."""
    return Network(
        name="net", origin="module", model=model, shape=shape, trained=trained, weights="its own", classes=classes
    )
