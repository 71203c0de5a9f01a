"""`cnnlab doctor`: is this machine ready, and if not, what mends it?

Nothing here imports torch: a broken installation must not break the doctor, so torch and torchvision are imported in
processes of their own.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import platformdirs

from cnnlab.cli.together import SEVERAL
from cnnlab.fit.compilation import missing_for_compiling
from cnnlab.network.session import Session

TRY_TORCH = """
import json, torch
gpus = []
if torch.cuda.is_available():
    for i in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(i)
        gpus.append([properties.name, properties.total_memory])
print(json.dumps(dict(version=torch.__version__, cuda=torch.version.cuda, gpus=gpus,
    mps=torch.backends.mps.is_available(), threads=torch.get_num_threads(),
    backends=[name for name in ("gloo", "nccl") if torch.distributed.is_available()
              and getattr(torch.distributed, f"is_{name}_available")()])))
"""
TRY_TORCHVISION = """
import json, torch, torchvision
torch.ops.torchvision.nms
print(json.dumps(dict(version=torchvision.__version__)))
"""
IMPORT_SECONDS = 120
"""Seconds for an import: on a slow disk the first one of torch takes most of a minute."""


@dataclass(frozen=True)
class ImportTrial:
    """What a process that imported a package printed; `facts` is None where it failed, for the reason `error`."""

    facts: dict[str, Any] | None
    error: str = ""


def try_import(code: str, seconds: float = IMPORT_SECONDS) -> ImportTrial:
    """Run Python code that prints one JSON mapping in a fresh interpreter; a crash there is an answer here."""
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return ImportTrial(None, f"did not end within {seconds:g} s")
    if done.returncode == 0:
        facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return ImportTrial(facts)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    if done.returncode < 0:
        return ImportTrial(None, f"the process was killed by signal {-done.returncode}")
    return ImportTrial(None, lines[-1].strip() if lines else f"exit code {done.returncode}")


@dataclass(frozen=True)
class Minimum:
    """A package that cnnlab asks for, the least version that it accepts, and what is installed (None: nothing)."""

    package: str
    least: str
    installed: str | None

    @property
    def met(self) -> bool:
        """Whether the installed version will do."""
        return self.installed is not None and _padded(self.installed) >= _padded(self.least)


def minimums(distribution: str = "cnnlab") -> tuple[Minimum, ...]:
    """What `distribution` needs at run time, from its metadata; empty where it is not installed itself."""
    try:
        requirements = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        return ()
    found = []
    for requirement in requirements:
        match = re.fullmatch(r"([\w.-]+?)\s*>=\s*([\d.]+)", requirement)  # an extra's has a marker behind it
        if match:
            found.append(Minimum(match[1], match[2], installed_version(match[1])))
    return tuple(found)


def installed_version(package: str) -> str | None:
    """The version in the package's metadata, such as 2.14.1+cpu; None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def release(version: str) -> tuple[int, ...]:
    """The numbers at the start of a version: 2.14.1+cpu → (2, 14, 1)."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else (0,)


def _padded(version: str) -> tuple[int, ...]:
    """So that 13 and 13.0 are equal."""
    return (*release(version), 0, 0, 0)[:4]


State = Literal["ok", "warn", "fail"]

ARCHIVES = {
    "cifar10": "cifar-10-batches-py",
    "cifar100": "cifar-100-python",
    "mnist": "MNIST/raw",
    "fashion_mnist": "FashionMNIST/raw",
    "svhn": "train_32x32.mat",
    "stl10": "stl10_binary",
}
"""What each data set leaves in the data folder; the names are torchvision's."""

GIGABYTE = 1e9
ENOUGH_DISK = 5.0
"""Gigabytes: every data set but STL-10 and a hundred runs."""
LEAST_DISK = 0.5
"""Gigabytes: below this, checkpoints of a long run may not fit."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what was found, and the way out where that is not ok."""

    name: str
    state: State
    found: str
    remedy: str = ""


def examine(session: Session) -> tuple[Check, ...]:
    """Look at Python, the packages, the device and the folders, and change nothing.

    Arguments:
        session: of which the folder of the runs is looked at.

    Returns:
        What was found, with what mends it where that is not ok. It takes as long as importing torch.

    Example:
        [check.remedy for check in examine(Session()) if check.state != "ok"]
    """
    runs = session.runs
    with ThreadPoolExecutor(2) as pool:
        torch, torchvision = pool.map(try_import, (TRY_TORCH, TRY_TORCHVISION))
    data = data_root()
    return (
        check_python(sys.version_info[:3]),
        check_torch(torch),
        check_torchvision(torch, torchvision, installed_version("torch"), installed_version("torchvision")),
        check_packages(minimums()),
        check_compiling(torch),
        check_device(torch, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1),
        check_processes(torch),
        check_data(data, set_by="CNNLAB_DATA" if os.environ.get("CNNLAB_DATA") else ""),
        check_runs(runs),
        check_disk(shutil.disk_usage(_existing(runs)).free / GIGABYTE, _existing(runs)),
    )


def data_root() -> Path:
    """The folder of data sets, as `DataPlace.default()` has it (which would import torch)."""
    return Path(os.environ.get("CNNLAB_DATA") or platformdirs.user_cache_dir("cnnlab")).expanduser()


def check_python(version: tuple[int, ...]) -> Check:
    """Check that Python is at least 3.11."""
    found = ".".join(map(str, version))
    if version < (3, 11):
        return Check("Python", "fail", found, "cnnlab needs 3.11 or newer; make the environment with such a Python")
    return Check("Python", "ok", f"{found}, {sys.executable}")


def check_torch(torch: ImportTrial) -> Check:
    """Whether torch can be imported."""
    if torch.facts is None:
        remedy = "install it anew: python -m pip install --force-reinstall torch torchvision"
        return Check("torch", "fail", f"cannot be imported: {torch.error}", remedy)
    cuda = torch.facts.get("cuda")
    return Check("torch", "ok", f"{torch.facts['version']}, built {f'for CUDA {cuda}' if cuda else 'without CUDA'}")


def check_torchvision(
    torch: ImportTrial, torchvision: ImportTrial, torch_version: str | None, own_version: str | None
) -> Check:
    """Whether torchvision can be imported, and belongs to this torch: torch 2.x goes with torchvision 0.(x + 15).

    The commonest break: a CPU-only wheel of torch from pytorch.org beside the registry's torchvision, whose compiled
    part does not load then; its import ends with "operator torchvision::nms does not exist".
    """
    if own_version is None or torch_version is None:
        missing = "torchvision" if own_version is None else "torch"
        return Check("torchvision", "fail", f"{missing} is not installed", f"python -m pip install {missing}")
    wanted = partner(torch_version)
    label = torch_version.partition("+")[2]
    series = f"=={wanted}.*" if wanted else ""
    install = f"python -m pip install --force-reinstall --no-deps 'torchvision{series}'"
    if label:
        install += f" --index-url https://download.pytorch.org/whl/{label}"
    pair = f"torch {torch_version} and torchvision {own_version}"
    if wanted and not own_version.startswith(f"{wanted}."):
        remedy = f"torch {torch_version} goes with torchvision {wanted}: {install}"
        return Check("torchvision", "fail", f"{pair} do not belong together", remedy)
    if torch.facts is None:
        return Check("torchvision", "fail", f"{own_version}, unknown without torch", "mend torch first")
    if torchvision.facts is None:
        if "torchvision::nms" in torchvision.error:
            remedy = f"both must come from the same place: {install}"
            return Check("torchvision", "fail", f"its compiled part does not fit: {pair}, from two places", remedy)
        return Check("torchvision", "fail", f"cannot be imported: {torchvision.error}", f"install it anew: {install}")
    return Check("torchvision", "ok", f"{torchvision.facts['version']}, belongs to this torch")


def partner(torch_version: str) -> str | None:
    """The series of torchvision that goes with a version of torch, 2.14.1 → 0.29; None where that is not known."""
    major, minor, *_ = (*release(torch_version), 0)
    return f"0.{minor + 15}" if major == 2 else None


def check_packages(packages: tuple[Minimum, ...]) -> Check:
    """Every package that cnnlab asks for, in at least the version that it asks for."""
    if not packages:
        return Check("packages", "warn", "cnnlab itself is not installed", "python -m pip install -e . in its folder")
    wrong = [package for package in packages if not package.met]
    if not wrong:
        return Check("packages", "ok", f"all {len(packages)} that cnnlab needs")
    found = ", ".join(f"{p.package} {p.installed or 'is missing'}" for p in wrong)
    wanted = " ".join(f"'{p.package}>={p.least}'" for p in wrong)
    return Check("packages", "fail", found, f"python -m pip install {wanted}")


def check_device(torch: ImportTrial, cores: int) -> Check:
    """What `--device auto` would choose; warns of a GPU that torch cannot use."""
    if torch.facts is None:
        return Check("device", "fail", "unknown without torch", "mend torch first")
    processor = f"{cores} cores, {torch.facts['threads']} threads"
    gpus = torch.facts["gpus"]
    if gpus:
        names = ", ".join(f"{name} ({memory / GIGABYTE:.0f} GB)" for name, memory in gpus)
        return Check("device", "ok", f"cuda: {names}; {processor}")
    if torch.facts["mps"]:
        return Check("device", "ok", f"mps; {processor}")
    if shutil.which("nvidia-smi") is None:
        return Check("device", "ok", f"cpu: {processor}")
    if torch.facts["cuda"]:
        remedy = f"torch needs a driver for CUDA {torch.facts['cuda']}; nvidia-smi says what yours is for: update it"
    else:
        remedy = "this torch has no CUDA: python -m pip install --force-reinstall torch torchvision"
    return Check("device", "warn", f"cpu: {processor}; there is an NVIDIA GPU that torch cannot use", remedy)


def check_compiling(torch: ImportTrial) -> Check:
    """Whether `training.compile` could be asked for; nothing else needs it."""
    if torch.facts is None:
        return Check("torch.compile", "fail", "unknown without torch", "mend torch first")
    kind = "cuda" if torch.facts["gpus"] else "mps" if torch.facts["mps"] else "cpu"
    missing = missing_for_compiling(kind)
    limit = os.environ.get("ATEN_CPU_CAPABILITY") if kind == "cpu" else None
    if missing:
        return Check("torch.compile", "ok", f"training.compile is not possible; it needs {missing}")
    if limit:
        found = f"training.compile is refused: its gradients are wrong under ATEN_CPU_CAPABILITY={limit}"
        return Check("torch.compile", "ok", found)
    graphs = "" if kind == "cuda" else "; reduce-overhead does the same as true without CUDA"
    return Check("torch.compile", "ok", f"training.compile can be true, reduce-overhead or max-autotune{graphs}")


def check_processes(torch: ImportTrial) -> Check:
    """Whether `torchrun` could start a command in several processes, and what connects them; nothing else needs it."""
    if torch.facts is None:
        return Check("processes", "fail", "unknown without torch", "mend torch first")
    backends, gpus = torch.facts.get("backends", []), len(torch.facts["gpus"])
    if "gloo" not in backends:
        return Check("processes", "ok", "one: this torch is built without gloo, which connects several")
    ways = "gloo on processors" + (f", nccl on GPUs ({gpus} here, one process each)" if "nccl" in backends else "")
    return Check("processes", "ok", f"torchrun starts several for cnnlab {SEVERAL}; {ways}")


def check_data(root: Path, *, set_by: str) -> Check:
    """The data folder: is it there, can it be written, which data sets does it hold?"""
    found = [name for name, trace in ARCHIVES.items() if (root / trace).exists()]
    place = f"{root}" + (f" (${set_by})" if set_by else "")
    holds = f"{place} has {', '.join(found)}" if found else f"{place} has no data set yet"
    if not root.exists():
        if set_by:
            return Check("data", "warn", f"{place} does not exist", f"make it, or point ${set_by} elsewhere")
        if not writable(_existing(root)):
            return Check("data", "fail", f"{place} cannot be made", "point $CNNLAB_DATA to a folder of yours")
        return Check("data", "ok", f"{place} is made with the first download")
    if not root.is_dir():
        return Check("data", "fail", f"{place} is a file", "point $CNNLAB_DATA to a folder")
    if not writable(root):
        remedy = "nothing can be downloaded into it; point $CNNLAB_DATA to a folder of yours for other data sets"
        return Check("data", "warn", f"{holds}, and cannot be written", remedy)
    return Check("data", "ok", holds)


def check_runs(runs: Path) -> Check:
    """Whether a run could be written."""
    if runs.exists() and not runs.is_dir():
        return Check("runs", "fail", f"{runs} is a file", "name another folder: --runs FOLDER")
    if not writable(_existing(runs)):
        return Check("runs", "fail", f"{runs} cannot be written", "name another folder: --runs FOLDER")
    count = len(list(runs.glob("*/run.json"))) if runs.exists() else 0
    return Check("runs", "ok", f"{runs.resolve()} has {count} run{'' if count == 1 else 's'}")


def check_disk(free: float, where: Path) -> Check:
    """Free space in gigabytes, where the runs lie."""
    found = f"{free:,.1f} GB free at {where.resolve()}"
    if free < LEAST_DISK:
        return Check("disk", "fail", found, "delete old runs, or name a folder on another disk: --runs FOLDER")
    if free < ENOUGH_DISK:
        return Check("disk", "warn", found, "enough for small runs; delete old ones before large data sets")
    return Check("disk", "ok", found)


def writable(folder: Path) -> bool:
    """Whether a file can be made in `folder`; one is made and removed, since permissions alone do not tell."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _existing(path: Path) -> Path:
    """`path`, or the nearest folder above it that is there."""
    path = path.resolve()
    return next(folder for folder in (path, *path.parents) if folder.is_dir())
