"""Networks inside something: a wrapper, a compiler, another type of numbers, another layout in memory."""

import torch
from strangers.forwards import CLASSES, Plain
from torch import Tensor, nn


class Layered(nn.Sequential):
    """conv 3×3, batch norm, ReLU, conv 3×3 with stride 2, ReLU (r = 3, then 5), average, linear."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__(
            nn.Conv2d(channels, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 12, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(12, CLASSES),
        )


def frozen_backbone() -> nn.Module:
    """As for fine-tuning: everything but the last layer needs no gradient, and its batch norm is in evaluation mode."""
    model = Layered()
    model.requires_grad_(False)
    model[1].eval()
    model[-1].requires_grad_(True)
    model(torch.zeros(2, 3, 16, 16)).sum().backward()
    return model


class Lightning(nn.Module):
    """The network is a member, and the loss another."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Layered()
        self.criterion = nn.CrossEntropyLoss(weight=torch.ones(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class Ensemble(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.members = nn.ModuleList([Layered(), Layered()])

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([member(x) for member in self.members]).mean(0)


class LeNet(nn.Module):
    """28 × 28, one channel, flattened."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = torch.max_pool2d(torch.relu(self.conv2(x)), 2)
        x = x.view(-1, 16 * 5 * 5)
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x)))))


class MadeFor32(nn.Sequential):
    """Its linear layer fits 32 × 32 images alone."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(8 * 8 * 8, CLASSES)
        )


class MadeForLarge(nn.Sequential):
    """So many strides that 16 × 16 images are used up."""

    def __init__(self) -> None:
        super().__init__(
            *(layer for n in (3, 8, 8) for layer in (nn.Conv2d(n, 8, 5, stride=2), nn.ReLU())),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, CLASSES),
        )


def data_parallel() -> nn.Module:
    return nn.DataParallel(Layered())


def compiled() -> nn.Module:
    return torch.compile(Layered())  # type: ignore[return-value]


def compiled_in_place() -> nn.Module:
    model = Layered()
    model.compile()
    return model


def scripted() -> nn.Module:
    return torch.jit.script(Layered().eval())


def traced() -> nn.Module:
    return torch.jit.trace(Layered().eval(), torch.zeros(1, 3, 16, 16))


def symbolic() -> nn.Module:
    return torch.fx.symbolic_trace(Layered())


def exported() -> nn.Module:
    program = torch.export.export(Layered().eval(), (torch.zeros(2, 3, 16, 16),))
    return program.module()


def quantised() -> nn.Module:
    return torch.ao.quantization.quantize_dynamic(Layered().eval(), {nn.Linear}, dtype=torch.qint8)


def half() -> nn.Module:
    return Layered().half()


def bfloat16() -> nn.Module:
    return Layered().bfloat16()


def double() -> nn.Module:
    return Layered().double()


def channels_last() -> nn.Module:
    return Layered().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def on_meta() -> nn.Module:
    with torch.device("meta"):
        return Layered()


def made_in_inference_mode() -> nn.Module:
    with torch.inference_mode():
        return Layered()


def hooked() -> nn.Module:
    """Its user keeps the maps by a hook, for another tool."""
    model = Layered()
    kept: list[Tensor] = []
    model[4].register_forward_hook(lambda module, inputs, output: kept.append(output))
    model[4].register_full_backward_hook(lambda module, inputs, outputs: kept.extend(outputs))
    return model


def multispectral() -> nn.Module:
    return Plain(channels=7)
