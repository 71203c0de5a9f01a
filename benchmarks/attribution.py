"""cnnlab's attributions against pytorch-grad-cam, captum, torchcam and plain code: equal maps first, then the times.

    OMP_NUM_THREADS=1 python benchmarks/attribution.py [--rounds 7] [--threads 1] [--device cpu]

Each line compares two ways to the same maps on one network with random weights: ResNet-18, or `flat`, a small network
with two dense layers on its flattened maps. Equality is asserted first (as far as both sides go before drawing); then
the sides alternate in one process, so that a machine whose speed drifts treats both alike, and the ratio of the medians
is printed. On cnnlab's side the layer is named, as on the others'; choosing one, looking at the head and finding the
order of dimensions in which layers put out their maps (once for a network, 40 ms for ResNet-18) is not timed.
"""

import argparse
import contextlib
import io
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import pytorch_grad_cam as theirs
import torch
import torch.nn.functional as F
import torchcam.methods
import torchvision
from captum.attr import LayerGradCam
from pytorch_grad_cam.ablation_layer import AblationLayer
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from cnnlab.attribution.attribution import attribute
from cnnlab.attribution.cam_pieces import weighted_map
from cnnlab.attribution.capture import SCORE, capture
from cnnlab.attribution.layers import choose_layer
from cnnlab.attribution.maps import principal_map
from cnnlab.attribution.method import finished
from cnnlab.attribution.methods.gradient_cams import grad_cam_plus_plus
from cnnlab.attribution.methods.perturbation_cams import score_cam
from cnnlab.attribution.target import target_of
from cnnlab.walk.layouts import layouts_of

Side = Callable[[], object]
EIGHT = {
    "gradcam": theirs.GradCAM,
    "gradcam++": theirs.GradCAMPlusPlus,
    "hirescam": theirs.HiResCAM,
    "xgradcam": theirs.XGradCAM,
    "layercam": theirs.LayerCAM,
    "eigencam": theirs.EigenCAM,
    "eigengradcam": theirs.EigenGradCAM,
    "finercam": theirs.FinerCAM,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--side", type=int, default=224, help="pixels of ResNet-18's images")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    device = torch.device(arguments.device)
    print(f"torch {torch.__version__}, {device}, {arguments.threads} threads, medians of {arguments.rounds} rounds")
    compare = Comparison(arguments.rounds, device)
    resnet = torchvision.models.resnet18(num_classes=10).eval().to(device)
    images = torch.randn(4, 3, arguments.side, arguments.side, device=device)
    gradient_cams(compare, resnet, images, torch.tensor([0, 3, 7, 1]))
    small_network(compare, device)
    eigen(compare, device)
    ablation_and_score(compare, resnet, device)


class Comparison:
    """Times two sides in turn and prints a line."""

    def __init__(self, rounds: int, device: torch.device) -> None:
        self.rounds, self.device = rounds, device

    def __call__(self, what: str, ours: Side, other_name: str, other: Side, *, rounds: int | None = None) -> None:
        times: tuple[list[float], list[float]] = ([], [])
        for number in range((rounds or self.rounds) + 1):
            for index, side in enumerate((ours, other)):
                started = time.perf_counter()
                with contextlib.redirect_stderr(io.StringIO()):  # the other side's progress bars
                    side()
                if self.device.type == "cuda":
                    torch.cuda.synchronize()
                if number:  # the first round warms up
                    times[index].append(time.perf_counter() - started)
        a, b = (1e3 * median(side) for side in times)
        print(f"{what:44} cnnlab {a:9.2f} ms   {other_name:28} {b:9.2f} ms   ratio {b / a:7.2f}", flush=True)


def gradient_cams(compare: Comparison, model: nn.Module, images: Tensor, classes: Tensor) -> None:
    layer, side = "layer4", images.shape[-1]
    targets = [ClassifierOutputTarget(int(c)) for c in classes]
    layouts = layouts_of(model, images.shape[1:])

    def ours(*names: str) -> list[Tensor]:
        return [one.maps for one in attribute(model, images, classes, methods=names, layers=[layer], layouts=layouts)]

    def grad_cam_theirs() -> Tensor:
        return torch.from_numpy(theirs.GradCAM(model, [model.layer4])(images, targets))

    def captum() -> Tensor:
        return LayerGradCam(model, model.layer4).attribute(images, target=classes.to(images.device))[:, 0]

    def torchcam_() -> Tensor:
        with torchcam.methods.GradCAM(model, model.layer4) as cam:
            (maps,) = cam(classes.tolist(), model(images), normalized=False)
        return maps

    equal(drawn(ours("gradcam")[0], side), grad_cam_theirs())
    equal(ours("gradcam")[0].clamp(min=0), torchcam_(), relative=True)
    equal(ours("gradcam")[0], captum().detach(), relative=True)
    compare(f"Grad-CAM, ResNet-18, 4 x {side} px", lambda: ours("gradcam"), "pytorch-grad-cam", grad_cam_theirs)
    compare(f"Grad-CAM, ResNet-18, 4 x {side} px", lambda: ours("gradcam"), "captum", captum)
    compare(f"Grad-CAM, ResNet-18, 4 x {side} px", lambda: ours("gradcam"), "torchcam", torchcam_)

    def one_by_one() -> dict[str, Tensor]:
        return {
            name: torch.from_numpy(cam(model, [model.layer4])(images, None if name == "finercam" else targets))
            for name, cam in EIGHT.items()
        }

    expected, found = one_by_one(), dict(zip(EIGHT, ours(*EIGHT), strict=True))
    for name in ("gradcam", "hirescam", "xgradcam", "layercam"):
        equal(drawn(found[name], side), expected[name])
    # With their eps and their centring; Finer-CAM has weights of its own there.
    shared = capture(model, images, target_of(classes, 4), layers=[layer], wants=[SCORE]).layers[0]
    a, g = shared.activations, shared.gradients[SCORE][:, 0]
    equal(drawn(weighted_map(a, grad_cam_plus_plus(a, g, eps=1e-6)), side), expected["gradcam++"])
    for name, weighted in (("eigencam", a), ("eigengradcam", g * a)):
        mine = principal_map(weighted, centred=True)
        for i in range(4):
            signs = [drawn(sign * mine[i : i + 1], side)[0] - expected[name][i] for sign in (1, -1)]
            assert min(float(d.abs().max()) for d in signs) < 1e-4

    def plain_pass() -> Tensor:
        with torch.no_grad():
            kept = model.maxpool(model.relu(model.bn1(model.conv1(images))))
            kept = model.layer4(model.layer3(model.layer2(model.layer1(kept))))
        kept.requires_grad_()
        logits = model.fc(model.avgpool(kept).flatten(1))
        return torch.autograd.grad(logits.gather(1, classes[:, None].to(images.device)).sum(), kept)[0]

    equal(plain_pass(), g, relative=True)
    compare("eight gradient CAMs together", lambda: ours(*EIGHT), "forward + head backward", plain_pass)
    compare("eight gradient CAMs together", lambda: ours(*EIGHT), "pytorch-grad-cam, one by one", one_by_one)


def small_network(compare: Comparison, device: torch.device) -> None:
    model = flat_network().eval().to(device)
    images, classes = torch.randn(64, 3, 32, 32, device=device), torch.arange(64) % 10
    targets = [ClassifierOutputTarget(int(c)) for c in classes]
    layouts = layouts_of(model, images.shape[1:])

    def ours() -> Tensor:
        return attribute(model, images, classes, methods=["gradcam"], layers=["relu2"], layouts=layouts)[0].maps

    def other() -> Tensor:
        return torch.from_numpy(theirs.GradCAM(model, [model.relu2])(images, targets))

    def captum() -> Tensor:
        return LayerGradCam(model, model.relu2).attribute(images, target=classes.to(device))[:, 0]

    equal(drawn(ours(), 32), other())
    equal(ours(), captum().detach(), relative=True)
    compare("Grad-CAM, flat, 64 x 32 px", ours, "pytorch-grad-cam", other)
    compare("Grad-CAM, flat, 64 x 32 px", ours, "captum", captum)


def eigen(compare: Comparison, device: torch.device) -> None:
    for shape in ((1, 2048, 7, 7), (1, 64, 56, 56)):
        maps = torch.randn(shape, generator=torch.Generator().manual_seed(1)).relu().to(device)

        def svd(maps: Tensor = maps) -> Tensor:
            rows = maps[0].flatten(1).T.cpu().numpy()
            _, _, vectors = np.linalg.svd(rows, full_matrices=True)
            return torch.from_numpy(np.abs(rows @ vectors[0]).reshape(maps.shape[2:]))

        equal(principal_map(maps)[0].cpu(), svd(), relative=True)
        name = f"Eigen-CAM {shape[1]} x {shape[2]} x {shape[3]}, Gram"
        compare(name, lambda maps=maps: principal_map(maps), "numpy full SVD", svd, rounds=3)


def ablation_and_score(compare: Comparison, resnet: nn.Module, device: torch.device) -> None:
    classes = torch.tensor([1, 2])
    targets = [ClassifierOutputTarget(int(c)) for c in classes]
    images = torch.randn(2, 3, 64, 64, device=device)
    with torch.no_grad():
        resnet.layer4[1].bn2.bias.sub_(6)  # zeros in every channel: theirs ablates to 0 then, and far below it else
    flat = flat_network().eval().to(device)
    small = torch.randn(2, 3, 32, 32, device=device)
    for name, model, x, layer in (
        ("closed form, ResNet-18 2 x 64 px, 512 channels", resnet, images, "layer4"),
        ("batched, flat 2 x 32 px, 64 channels", flat, small, "relu2"),
    ):
        choice = choose_layer(model, tuple(x.shape[1:]))
        assert choice.name == layer

        def ours(model: nn.Module = model, x: Tensor = x, choice=choice) -> Tensor:  # type: ignore[no-untyped-def]
            return attribute(model, x, classes, methods=["ablationcam"], layers=choice)[0].maps

        def other(model: nn.Module = model, x: Tensor = x, layer: str = layer) -> Tensor:
            cam = theirs.AblationCAM(model, [model.get_submodule(layer)], ablation_layer=AblationLayer())
            return torch.from_numpy(cam(x, targets))

        with torch.no_grad(), contextlib.redirect_stderr(io.StringIO()):
            sign = model(x).gather(1, classes[:, None].to(device)).sign()[:, :, None]
            equal(drawn(ours() * sign, x.shape[-1]), other())
        compare(f"Ablation-CAM {name}"[:60], ours, "pytorch-grad-cam", other, rounds=3)

    target = target_of(classes, 2)
    a = capture(flat, small, target, layers=["relu2"]).layers[0].activations

    def score_ours() -> Tensor:
        weights = finished(score_cam(flat, small, target, a, align_corners=True))
        return weighted_map(a, weights[:, 0, :, None, None])

    def score_theirs() -> Tensor:
        return torch.from_numpy(theirs.ScoreCAM(flat, [flat.relu2])(small, targets))

    with contextlib.redirect_stderr(io.StringIO()):
        equal(drawn(score_ours(), 32), score_theirs())
    compare("Score-CAM batched, flat 2 x 32 px, 64 channels", score_ours, "pytorch-grad-cam", score_theirs)


def flat_network() -> nn.Sequential:
    network = nn.Sequential()
    parts = {
        "conv1": nn.Conv2d(3, 32, 3, padding=1),
        "relu1": nn.ReLU(),
        "pool1": nn.MaxPool2d(2),
        "conv2": nn.Conv2d(32, 64, 3, padding=1),
        "relu2": nn.ReLU(),
        "pool2": nn.MaxPool2d(2),
        "flatten": nn.Flatten(),
        "linear1": nn.Linear(64 * 64, 128),
        "relu3": nn.ReLU(),
        "linear2": nn.Linear(128, 10),
    }
    for name, part in parts.items():
        network.add_module(name, part)
    return network


def drawn(raw: Tensor, side: int) -> Tensor:
    """As pytorch-grad-cam draws: to 0 … 1, grown, to 0 … 1."""

    def unit(maps: Tensor) -> Tensor:
        maps = maps - maps.amin((-2, -1), keepdim=True)
        return maps / (1e-7 + maps.amax((-2, -1), keepdim=True))

    grown = F.interpolate(unit(raw.clamp(min=0))[:, None], (side, side), mode="bilinear", align_corners=False)
    return unit(grown[:, 0]).cpu()


def equal(a: Tensor, b: Tensor, *, relative: bool = False) -> None:
    scale = float(b.abs().max()) if relative else 1.0
    difference = float((a.cpu() - b.cpu()).abs().max())
    assert difference <= 1e-4 * scale, f"maps differ by {difference / scale:.1e}"


if __name__ == "__main__":
    main()
