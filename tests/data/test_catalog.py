import subprocess
import sys

from cnnlab.data import catalog
from cnnlab.data.registry import AUGMENTATIONS, DATASETS


def test_the_catalog_registers_everything() -> None:
    assert catalog.__all__
    names = {entry.name for entry in DATASETS}
    assert names >= {"shapes", "cifar10", "cifar100", "mnist", "fashion_mnist", "svhn", "stl10", "folder"}
    assert len(list(AUGMENTATIONS)) > 0
    assert all(entry.summary.endswith(".") for entry in DATASETS), "what `cnnlab list datasets` shows"


def test_the_catalog_does_not_import_torchvision() -> None:
    code = "import sys, cnnlab.data.catalog; sys.exit('torchvision' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
