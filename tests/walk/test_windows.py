"""Convolutions, pools, interpolations, paddings and folds, each against rows of NaN."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from walk.zoo import FRONTS, Function, numbers, prove

Code = Callable[[Tensor], Tensor]

CONVOLUTIONS: dict[str, Callable[[], nn.Module]] = {
    "3": lambda: nn.Conv2d(4, 3, 3),
    "3 padded": lambda: nn.Conv2d(4, 3, 3, padding=1),
    "1×5 stride (2, 1) dilation (1, 2)": lambda: nn.Conv2d(4, 3, (1, 5), (2, 1), (0, 2), (1, 2)),
    "2 stride 3": lambda: nn.Conv2d(4, 3, 2, 3),
    "1 padded: units at the border see nothing": lambda: nn.Conv2d(4, 3, 1, padding=1),
    "1 padded, then 3": lambda: nn.Sequential(nn.Conv2d(4, 3, 1, padding=2), nn.Conv2d(3, 3, 3)),
    "groups": lambda: nn.Conv2d(4, 6, 3, groups=2),
    "groups and dilation": lambda: nn.Conv2d(4, 6, 3, padding=2, dilation=2, groups=2),
    "depthwise": lambda: nn.Conv2d(4, 8, 3, padding=1, groups=4),
    "depthwise dilated": lambda: nn.Conv2d(4, 4, (3, 2), dilation=(3, 1), groups=4),
    "same, even": lambda: nn.Conv2d(4, 3, 4, padding="same"),
    "same, even, dilated": lambda: nn.Conv2d(4, 3, (2, 4), padding="same", dilation=(3, 1)),
    "valid": lambda: nn.Conv2d(4, 3, 3, padding="valid"),
    "larger than the image": lambda: nn.Conv2d(4, 3, 13, padding=6),
    **{mode: partial(nn.Conv2d, 4, 3, 3, padding=(2, 1), padding_mode=mode)
       for mode in ("zeros", "reflect", "replicate", "circular")},
    **{f"{mode}, same, even": partial(nn.Conv2d, 4, 3, 4, padding="same", padding_mode=mode)
       for mode in ("reflect", "replicate", "circular")},
    "transposed": lambda: nn.ConvTranspose2d(4, 3, 3),
    "transposed, stride 2": lambda: nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1),
    "transposed, stride 3": lambda: nn.ConvTranspose2d(4, 3, 2, stride=3, output_padding=(2, 1)),
    "transposed, stride (3, 2), kernel 5": lambda: nn.ConvTranspose2d(4, 3, 5, (3, 2), 2, (1, 0)),
    "transposed, groups": lambda: nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1, groups=2),
    "transposed, dilation": lambda: nn.ConvTranspose2d(4, 3, 3, stride=2, padding=2, output_padding=1, dilation=2),
    "transposed, dilation 3, groups": lambda: nn.ConvTranspose2d(4, 4, 2, stride=2, dilation=3, groups=4),
    "transposed with holes": lambda: nn.ConvTranspose2d(4, 3, 1, stride=2, output_padding=1),
    "transposed with holes, then 2": lambda: nn.Sequential(nn.ConvTranspose2d(4, 3, 1, stride=3), nn.Conv2d(3, 2, 2)),
    "own weights": lambda: Function(lambda x: F.conv2d(x, numbers(5, 2, 3, 2), numbers(5), (1, 2), (2, 0), (2, 1), 1)
                                    if x.shape[1] == 2 else F.conv2d(x, numbers(4, 2, 3, 2), None, 2, 1, 1, 2)),
    "own weights, transposed": lambda: Function(lambda x: F.conv_transpose2d(x, numbers(4, 2, 3, 2), None, 2, 1)),
    "without batch": lambda: Function(lambda x: torch.stack([F.conv2d(one, numbers(2, 4, 3, 3)) for one in x])),
}  # fmt: skip

POOLS: dict[str, Callable[[], nn.Module]] = {
    "max 2": lambda: nn.MaxPool2d(2),
    "max 3 stride 2 padded": lambda: nn.MaxPool2d(3, 2, 1),
    "max ceil": lambda: nn.MaxPool2d(3, 2, ceil_mode=True),
    "max ceil, padded, stride larger than kernel": lambda: nn.MaxPool2d(2, 3, 1, ceil_mode=True),
    "max dilated": lambda: nn.MaxPool2d((3, 2), 1, 1, dilation=(2, 3)),
    "max with indices": lambda: Function(lambda x: F.max_pool2d(x, 3, return_indices=True)[0]),
    "avg (3, 2)": lambda: nn.AvgPool2d((3, 2)),
    "avg ceil": lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True),
    "avg without padding": lambda: nn.AvgPool2d(3, (2, 1), 1, ceil_mode=True, count_include_pad=False),
    "lp": lambda: nn.LPPool2d(2, 3, 2),
    "adaptive avg (7, 5)": lambda: nn.AdaptiveAvgPool2d((7, 5)),
    "adaptive max (7, 5)": lambda: nn.AdaptiveMaxPool2d((7, 5)),
    "adaptive avg (5, None)": lambda: nn.AdaptiveAvgPool2d((5, None)),
    "adaptive, larger than the image": lambda: nn.AdaptiveAvgPool2d((17, 13)),
    "adaptive 1": lambda: nn.AdaptiveMaxPool2d(1),
}

PADS: dict[str, Code] = {
    "asymmetric": lambda x: F.pad(x, (1, 3, 2, 0)),
    "negative": lambda x: F.pad(x, (-1, -2, -3, -1)),
    "both signs": lambda x: F.pad(x, (-2, 1, 3, -4), value=1.0),
    "reflect": lambda x: F.pad(x, (3, 2, 1, 4), mode="reflect"),
    "replicate": lambda x: F.pad(x, (3, 2, 13, 4), mode="replicate"),
    "circular": lambda x: F.pad(x, (3, 2, 1, 4), mode="circular"),
    "of channels": lambda x: F.pad(x, (0, 0, 1, 1, 2, 1)),
    "of width alone": lambda x: F.pad(x, (2, 2)),
    "then convolution": lambda x: F.conv2d(F.pad(x, (2, 1, 0, 3), mode="reflect"), numbers(2, 4, 3, 3)),
    "reflect then reflect": lambda x: nn.ReflectionPad2d(2)(nn.ReflectionPad2d((3, 1, 0, 2))(x)),
    "zero pad, crop": lambda x: nn.ZeroPad2d((-1, 2, -2, 3))(x),
}

INTERPOLATIONS: dict[str, Code] = {
    **{
        f"{mode} × {factor}": partial(F.interpolate, scale_factor=factor, mode=mode)
        for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", "area")
        for factor in (2, 0.5, 1.5, 0.7, (0.3, 2.6), 3)
    },
    **{
        f"{mode} to {size}": partial(F.interpolate, size=size, mode=mode)
        for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", "area")
        for size in ((17, 7), (6, 5), (1, 1), (12, 23))
    },
    **{
        f"{mode} corners {option}": partial(F.interpolate, mode=mode, align_corners=True, **option)
        for mode in ("bilinear", "bicubic")
        for option in ({"scale_factor": 2}, {"scale_factor": 0.6}, {"size": (5, 21)}, {"size": (1, 3)})
    },
    **{
        f"{mode} antialias {option}": partial(F.interpolate, mode=mode, antialias=True, **option)
        for mode in ("bilinear", "bicubic")
        for option in ({"scale_factor": 0.4}, {"size": (5, 21)}, {"scale_factor": 2}, {"size": (7, 3)})
    },
    "recomputed factor": partial(F.interpolate, scale_factor=1.7, mode="bilinear", recompute_scale_factor=True),
    "upsample": lambda x: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)(x),
    "pixel shuffle": lambda x: F.pixel_shuffle(x, 2),
    "pixel unshuffle": lambda x: F.pixel_unshuffle(x, 2),
    "pixel shuffle after convolution": lambda x: F.pixel_shuffle(F.conv2d(x, numbers(8, 4, 3, 3), None, 2), 2),
}

FOLDS: dict[str, Code] = {
    "unfold": lambda x: F.unfold(x, 3),
    "unfold strided": lambda x: F.unfold(x, (3, 2), dilation=(2, 1), padding=(1, 2), stride=(2, 3)),
    "unfold as convolution": lambda x: (numbers(5, 36) @ F.unfold(x, 3, padding=1)).view(-1, 5, 12, 10),
    "Tensor.unfold": lambda x: x.unfold(2, 4, 2).unfold(3, 3, 3),
    "Tensor.unfold, mean": lambda x: x.unfold(2, 4, 3).unfold(3, 3, 2).mean((-1, -2)),
    "fold": lambda x: F.fold(F.unfold(x, 3, padding=1), (12, 10), 3, padding=1),
    "fold strided": lambda x: F.fold(F.unfold(x, (3, 2), 2, 1, (2, 3)), (12, 10), (3, 2), 2, 1, (2, 3)),
    "fold of patches": lambda x: F.fold(F.unfold(x, 2, stride=2) * 2, (12, 10), 2, stride=2),
    "fold elsewhere": lambda x: F.fold(x.flatten(1).view(-1, 8, 60)[..., :40], (8, 14), (2, 2), stride=2, padding=1),
}


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name: str, front: str) -> None:
    prove(nn.Sequential(FRONTS[front](), CONVOLUTIONS[name]()))


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("name", POOLS)
def test_pools(name: str, front: str) -> None:
    prove(nn.Sequential(FRONTS[front](), POOLS[name]()))


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in (PADS | INTERPOLATIONS).items()])
def test_pads_and_interpolations(code: Code, front: str) -> None:
    prove(nn.Sequential(FRONTS[front](), Function(code)))


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in FOLDS.items()])
def test_folds(code: Code, front: str) -> None:
    prove(nn.Sequential(FRONTS[front](), Function(code)))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_interpolation_in_other_types(mode: str, dtype: torch.dtype) -> None:
    code = Function(lambda x: F.interpolate(x, (29, 31), mode=mode))
    prove(nn.Sequential(nn.Conv2d(4, 2, 1), code).to(dtype))


ONE_AND_THREE: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "1-D": (lambda: nn.Sequential(nn.Conv1d(2, 4, 5, 2, 2), nn.BatchNorm1d(4), nn.ReLU(), nn.MaxPool1d(3, 2, 1),
                                  nn.Conv1d(4, 2, 3, padding=2, dilation=2), nn.AvgPool1d(2)), (2, 61)),
    "1-D transposed": (lambda: nn.Sequential(nn.ConvTranspose1d(2, 3, 4, 3, 1, 1), nn.Upsample(scale_factor=1.5)),
                       (2, 19)),
    "1-D linear": (lambda: nn.Upsample(size=31, mode="linear"), (2, 19)),
    "1-D adaptive": (lambda: nn.Sequential(nn.AdaptiveMaxPool1d(7), nn.ReflectionPad1d(2)), (2, 19)),
    "3-D": (lambda: nn.Sequential(nn.Conv3d(2, 4, (3, 2, 1), (1, 2, 1), 1), nn.BatchNorm3d(4), nn.MaxPool3d(2, 1, 1),
                                  nn.AvgPool3d((2, 1, 3))), (2, 7, 9, 6)),
    "3-D transposed": (lambda: nn.Sequential(nn.ConvTranspose3d(2, 2, 3, (2, 1, 3), 1), nn.AdaptiveAvgPool3d((5, 4, 3)),
                                             nn.ReplicationPad3d((1, 0, 2, 1, 0, 1))), (2, 5, 6, 4)),
    "3-D interpolated": (lambda: nn.Sequential(nn.Upsample(scale_factor=1.5, mode="trilinear"),
                                               nn.Upsample(size=(4, 9, 5))), (2, 5, 6, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE_AND_THREE)
def test_signals_and_volumes(name: str) -> None:
    make, shape = ONE_AND_THREE[name]
    prove(make(), shape)
