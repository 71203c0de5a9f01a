"""From a module of one's own and its file of weights to a Grad-CAM figure with measures of trust, three ways.

    OMP_NUM_THREADS=1 python benchmarks/own_module.py [--rounds 3]

The scripts in `own_module/` are what a user of each tool writes: cnnlab's is one command, pytorch-grad-cam's and
captum's are programs of their own. Each runs as a whole process, in turn, on the same weights and the same image, whose
raw map is asserted to be the same on cnnlab's side and pytorch-grad-cam's. Printed are the lines that a person writes
(without empty ones) and the seconds of the process. What each tells of the map differs: pytorch-grad-cam two ROAD
scores, captum its infidelity, cnnlab deletion, insertion and ROAD beside three controls, with intervals, as PNG,
numbers and a page, for which it passes some 600 changed images through the network.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import torch
from PIL import Image

HERE = Path(__file__).parent / "own_module"
WAYS = {
    "cnnlab": "with_cnnlab.sh",
    "cnnlab, map only": "with_cnnlab_map.sh",
    "pytorch-grad-cam": "with_gradcam.py",
    "captum": "with_captum.py",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        prepare(place)
        seconds: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for _ in range(arguments.rounds):
            for way in WAYS:
                seconds[way].append(timed(place, WAYS[way]))
        check_same(place)
    print(
        f"torch {torch.__version__}; medians of {arguments.rounds} whole processes; × is to the first line's processor"
    )
    ours = median(used for _, used in seconds["cnnlab"])
    for way, script in WAYS.items():
        took, used = (median(column) for column in zip(*seconds[way], strict=True))
        written = lines(HERE / script)
        print(f"{way:18} {written:3} lines   {took:5.1f} s   {used:5.1f} s of a processor   {used / ours:4.2f} ×")


def prepare(place: Path) -> None:
    """The module, weights as a training on several devices saves them, and a photo's worth of noise."""
    for path in HERE.iterdir():
        if path.is_file():
            shutil.copy(path, place)
    sys.path.insert(0, str(place))
    from net import Net  # type: ignore[import-not-found]

    torch.manual_seed(0)
    torch.save({"epoch": 3, "state_dict": torch.nn.DataParallel(Net(classes=10)).state_dict()}, place / "w.pt")
    waves = np.sin(np.linspace(0, 12, 320))[None, :, None] * np.cos(np.linspace(0, 9, 240))[:, None, None]
    noise = np.random.default_rng(0).normal(0, 20, (240, 320, 3))
    Image.fromarray((127 + 90 * waves + noise).clip(0, 255).astype(np.uint8)).save(place / "image.png")


def timed(place: Path, script: str) -> tuple[float, float]:
    """Seconds of one process, and of the processor in it."""
    line = (place / script).read_text(encoding="utf-8") if script.endswith(".sh") else f"{sys.executable} {script}"
    # `cnnlab` of this checkout, whether it is installed or not
    line = line.replace("cnnlab gradcam", f"{sys.executable} -m cnnlab gradcam", 1)
    search = os.pathsep.join([str(HERE.parent.parent), os.environ.get("PYTHONPATH", "")])
    began, used = time.perf_counter(), os.times()
    done = subprocess.run(
        line, shell=True, cwd=place, env={**os.environ, "PYTHONPATH": search}, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{script} failed:\n{done.stdout}\n{done.stderr}")
    now = os.times()
    return (
        time.perf_counter() - began,
        now.children_user + now.children_system - used.children_user - used.children_system,
    )


def check_same(place: Path) -> None:
    """See that cnnlab's map is pytorch-grad-cam's: the same network, weights, pixels and layer."""
    from net import Net  # type: ignore[import-not-found]
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    from cnnlab.data.batches import ChannelStatistics, normalise
    from cnnlab.data.decoding import read_image
    from cnnlab.data.fitting import Fitting

    [saved] = (place / "cnnlab" / "maps").glob("*.npy")
    ours = np.load(saved).clip(0)
    model = Net(classes=10)
    state = torch.load(place / "w.pt", weights_only=True)["state_dict"]
    model.load_state_dict({name.removeprefix("module."): value for name, value in state.items()})
    pixels = Fitting((224, 224))(read_image(place / "image.png"))[None]
    inputs = normalise(pixels, ChannelStatistics((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    answer = int(model.eval()(inputs).argmax())
    with GradCAM(model=model, target_layers=[model.blocks[-1]]) as cam:
        theirs = cam(input_tensor=inputs, targets=[ClassifierOutputTarget(answer)])[0]
    ours = cv2.resize((ours / (1e-7 + ours.max())).astype(np.float32), (224, 224))
    # theirs is divided by its maximum once more after it was enlarged
    assert np.abs(ours - theirs).max() < 1e-2, "the two maps are not the same"
    assert (place / "gradcam.png").is_file()
    assert (place / "captum.png").is_file()


def lines(path: Path) -> int:
    """Lines that are not empty."""
    return sum(bool(line.strip()) for line in path.read_text(encoding="utf-8").splitlines())


if __name__ == "__main__":
    main()
