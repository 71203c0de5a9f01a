"""Shapes in signatures are checked while tests run; one thread, so that two cores are enough for everybody.

Floats of two algorithms are compared in float64, or as far apart as their type and depth allow: the tests pass on any
processor, under ATEN_CPU_CAPABILITY=default or avx2, ONEDNN_MAX_CPU_ISA=AVX2, and with OMP_NUM_THREADS=2.
"""

import gc
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")

from jaxtyping import install_import_hook

PACKAGE = Path(__file__).parent.parent / "cnnlab"


def modules_with_shapes() -> list[str]:
    """Those whose signatures have shapes. Elsewhere the check finds nothing, and costs a walk six times its time."""
    paths = [path for path in PACKAGE.rglob("*.py") if "from jaxtyping import" in path.read_text(encoding="utf-8")]
    parts = [path.relative_to(PACKAGE.parent).with_suffix("").parts for path in paths]
    return [".".join(one) for one in parts]


install_import_hook(modules_with_shapes(), "beartype.beartype")

import pytest
import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))

# the same examples at every run: what fails, fails for everybody; HYPOTHESIS_PROFILE=search looks for new ones
# how fast examples are drawn is the machine's, which others may use
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", max_examples=300)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# a test makes little that only the collector of garbage can let go: it would look through torch over and over
gc.disable()
RARELY = (50_000, 20, 50)

os.fsync = lambda handle: None  # no power fails between two tests, and a disk takes its time to be sure

pytest_plugins = ["command_line"]


def pytest_collection_finish() -> None:
    """What is there now stays."""
    gc.freeze()
    gc.set_threshold(*RARELY)
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, then those with many: so that no process waits for the other's last long file."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    counts = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path not in slow, -counts[item.path], str(item.path)))


CIFAR_FOLDER = "cifar-10-batches-py"


@pytest.fixture(scope="session")
def cifar_root() -> Path:
    """The folder that holds the real CIFAR-10; the test is skipped where it is absent."""
    root = Path(os.environ.get("CNNLAB_DATA", ""))
    if not os.environ.get("CNNLAB_DATA") or not (root / CIFAR_FOLDER).is_dir():
        pytest.skip(f"needs the real CIFAR-10: set CNNLAB_DATA to the folder that holds {CIFAR_FOLDER}/")
    return root


@pytest.fixture(autouse=True)
def no_plugin_outlives_its_test() -> Iterator[None]:
    """The registries are the process's: a layer that one test's plugin registers must not meet the next test."""
    yield
    plugins = sys.modules.get("cnnlab.models.plugins")
    if plugins:
        plugins.forget_plugins()
