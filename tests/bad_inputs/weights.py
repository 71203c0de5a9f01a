"""Files given for weights that are none, or another network's."""

from pathlib import Path

from bad_inputs.case import MODEL, TINY, Case, Make, both, file
from bad_inputs.explanations import PHOTO

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 46830571\n"
PAGE = "<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head></html>"


def whole_module(folder: Path) -> None:
    """What `torch.save(model, …)` writes."""
    import torch

    torch.save(torch.nn.Linear(2, 2), folder / "w.pt")


def cut_off(folder: Path) -> None:
    """Half of a file of weights."""
    import torch

    torch.save({"weight": torch.ones(100)}, folder / "w.pt")
    content = (folder / "w.pt").read_bytes()
    (folder / "w.pt").write_bytes(content[:500])


def of_another(folder: Path) -> None:
    """Weights under names that the network does not have."""
    import torch

    torch.save({"features.0.weight": torch.ones(1), "features.0.bias": torch.ones(1)}, folder / "w.pt")


def whole_numbers(folder: Path) -> None:
    """Weights of whole numbers, as after a quantisation."""
    import torch
    from torchvision import models

    state = models.squeezenet1_1().state_dict()
    state["features.0.weight"] = state["features.0.weight"].to(torch.int8)
    torch.save(state, folder / "w.pt")


def of_ten_classes(folder: Path) -> None:
    """Weights of the same network for ten classes, as a training program keeps them."""
    import torch
    from torchvision import models

    state = models.squeezenet1_1(num_classes=10).state_dict()
    torch.save({"epoch": 3, "state_dict": {f"module.{name}": one for name, one in state.items()}}, folder / "w.pt")


def with_averages(folder: Path) -> None:
    """Weights, and beside them their averages."""
    import torch
    from torchvision import models

    state, averages = models.squeezenet1_1().state_dict(), models.squeezenet1_1().state_dict()
    torch.save({"model": state, "ema": {"module": averages}}, folder / "w.pt")


def of_an_adapter(folder: Path) -> None:
    """What a program for LoRA writes."""
    import torch

    torch.save({f"conv.lora_{one}.weight": torch.ones(2, 2) for one in "AB"}, folder / "w.pt")


def weights(what: str, message: str, make: Make, model: str = "tiny.yaml", options: str = "") -> Case:
    """A file `w.pt` that is given for the weights of `model`."""
    return Case(
        what,
        f"cnnlab gradcam {model} a.png --weights w.pt{options}",
        f"error: w.pt: {message}",
        make=both(both(file("tiny.yaml", TINY), PHOTO), make),
    )


WEIGHTS = (
    weights(
        "weights that Git LFS has not fetched",
        "is a pointer of Git LFS in place of the file of 46,830,571 bytes; fetch it with: git lfs pull",
        file("w.pt", LFS),
    ),
    weights(
        "a web page that was saved as weights",
        "is a web page ('Google Drive - Virus scan warning') saved under this name, not the file; download it from "
        "the link of the file itself",
        file("w.pt", PAGE),
    ),
    weights(
        "weights that are cut off",
        "is cut off or damaged (500 bytes, of which the end is wrong); download or copy it again",
        cut_off,
    ),
    weights(
        "a whole module in place of its weights",
        "holds a whole object of the class torch.nn.modules.linear.Linear, not its weights, and reading it would run "
        "code; in the program that made it, save the weights alone: torch.save(model.state_dict(), 'weights.pt')",
        whole_module,
    ),
    weights(
        "weights of another network",
        "is of another network: of its 2 tensors (features.0.weight, features.0.bias) none has a name of the network's "
        "8 (conv_bn_act1.conv.weight, conv_bn_act1.norm.weight, conv_bn_act1.norm.bias, …)",
        of_another,
    ),
    weights(
        "weights of the same network for other classes",
        "is for 10 classes, and the network has 12 (classifier.1.weight is [10, 512, 1, 1] in the file, "
        "[12, 512, 1, 1] in the network); all else fits. Open the network with as many: --classes 10, or, for a "
        "module of your own, by its argument, such as net.py:build(num_classes=10)",
        of_ten_classes,
        model="torchvision:squeezenet1_1",
        options=" --classes 12",
    ),
    weights(
        "a file with the weights and their averages",
        "holds the network's weights 2 times: model (52 tensors), ema.module (52 tensors); choose by --weights-key",
        with_averages,
        model="torchvision:squeezenet1_1",
    ),
    weights(
        "a part of a file of weights that is not there, the nearest named",
        "--weights-key 'emma' is no part of the file; it has model (52 tensors), ema (52 tensors), ema.module (52 "
        "tensors). Did you mean 'ema'?",
        with_averages,
        model="torchvision:squeezenet1_1",
        options=" --weights-key emma",
    ),
    weights(
        "weights of whole numbers",
        "holds other numbers than the network's: features.0.weight is int8, expected float32",
        whole_numbers,
        model="torchvision:squeezenet1_1",
    ),
    weights(
        "an adapter's changes in place of weights",
        "holds an adapter's changes to another network's weights (conv.lora_A.weight, as LoRA has them), not the "
        "weights; merge it into its network in the program that made it, and save that",
        of_an_adapter,
    ),
    Case(
        "weights that a zoo does not have, the nearest named",
        "cnnlab summary torchvision:squeezenet1_1 --weights IMAGENET1K_V2",
        "error: no weights of torchvision:squeezenet1_1 'IMAGENET1K_V2'; known: IMAGENET1K_V1, DEFAULT. Did you mean "
        "'IMAGENET1K_V1'?",
    ),
    Case(
        "weights by name for a network that is no zoo's",
        "cnnlab summary tiny.yaml --weights IMAGENET1K_V2",
        "error: --weights is 'IMAGENET1K_V2', no file, and tiny.yaml names no counterpart that has weights by name; "
        "give a file, or add such as counterpart: torchvision:resnet50",
        make=file("tiny.yaml", TINY),
    ),
    Case(
        "a counterpart in no zoo",
        "cnnlab config check bad.yaml",
        "error: bad.yaml:1:1: 'counterpart' is 'keras:resnet50', expected text that matches "
        "^(torchvision|timm):[A-Za-z0-9][A-Za-z0-9._]*$",
        make=file("bad.yaml", f"counterpart: keras:resnet50\n{MODEL}"),
    ),
    Case(
        "weights to begin with that the counterpart does not have",
        "cnnlab config check bad.yaml",
        "error: bad.yaml:2:1: weights: no weights of torchvision:squeezenet1_1 'IMAGENET1K_V2'; known: IMAGENET1K_V1, "
        "DEFAULT. Did you mean 'IMAGENET1K_V1'?",
        make=file("bad.yaml", f"counterpart: torchvision:squeezenet1_1\nweights: IMAGENET1K_V2\n{MODEL}"),
    ),
    Case(
        "two things to begin with",
        "cnnlab config check bad.yaml",
        "error: bad.yaml:1:1: weights: init_from says as well what the network begins with; leave one of them out",
        make=file("bad.yaml", f"weights: w.pt\ninit_from: first\n{MODEL}"),
    ),
)
