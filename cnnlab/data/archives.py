"""The public data sets that torchvision knows, as bytes in memory: CIFAR, MNIST, Fashion-MNIST, SVHN and STL-10.

torchvision is imported where it is used: its data sets take a second to import, and a config may need none of them.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from cnnlab.data.dataset import DataPlace, Dataset, Part
from cnnlab.data.distribution import Distribution, Download, Member, open_distribution
from cnnlab.data.registry import DATASETS, DatasetFacts

DIGITS = tuple("0123456789")
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
STL10_CLASSES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
MNIST_COUNTS = {"train": 60_000, "t10k": 10_000}
"""Images in the two parts of MNIST and of Fashion-MNIST."""


def _known(*shape: int, classes: int = 10, names: tuple[str, ...] = ()) -> DatasetFacts:
    """Of a data set that is always the same: (channels, height, width) of its images, and the classes."""
    return DatasetFacts(lambda options: shape, classes, names=names)


@DATASETS.register("cifar10", facts=_known(3, 32, 32, names=CIFAR10_CLASSES))
def cifar10(place: DataPlace, part: Part) -> Dataset:
    """CIFAR-10: 50,000 + 10,000 colour photographs of 32 × 32 pixels in 10 classes; a download of 170 MB.

    Source: Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html
    """
    from torchvision.datasets import CIFAR10

    return read_cifar("cifar10", CIFAR10, place, part)


@DATASETS.register("cifar100", facts=_known(3, 32, 32, classes=100))
def cifar100(place: DataPlace, part: Part) -> Dataset:
    """CIFAR-100: 50,000 + 10,000 colour photographs of 32 × 32 pixels in 100 classes; a download of 169 MB.

    Source: Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html
    """
    from torchvision.datasets import CIFAR100

    return read_cifar("cifar100", CIFAR100, place, part)


@DATASETS.register("mnist", facts=_known(1, 28, 28, names=DIGITS))
def mnist(place: DataPlace, part: Part) -> Dataset:
    """MNIST: 60,000 + 10,000 grey handwritten digits of 28 × 28 pixels; a download of 12 MB.

    Source: LeCun, Bottou, Bengio, Haffner 1998, Proceedings of the IEEE 86(11), 2278-2324.
    """
    from torchvision.datasets import MNIST

    return read_mnist("mnist", MNIST, DIGITS, place, part)


@DATASETS.register("fashion_mnist", facts=_known(1, 28, 28))
def fashion_mnist(place: DataPlace, part: Part) -> Dataset:
    """Fashion-MNIST: 60,000 + 10,000 grey images of clothes, 28 × 28 pixels, in 10 classes; a download of 31 MB.

    Source: Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747.
    """
    from torchvision.datasets import FashionMNIST

    return read_mnist("fashion_mnist", FashionMNIST, tuple(FashionMNIST.classes), place, part)


@DATASETS.register("svhn", facts=_known(3, 32, 32, names=DIGITS))
def svhn(place: DataPlace, part: Part) -> Dataset:
    """Street View House Numbers: 73,257 + 26,032 colour digits of 32 × 32 pixels; a download of 182 + 64 MB.

    Source: Netzer et al. 2011, http://ufldl.stanford.edu/housenumbers/. Needs scipy to read its files.
    """
    from torchvision.datasets import SVHN

    url, path, md5 = SVHN.split_list[part]
    distribution = Distribution("svhn", (Download(url, path, md5),), (Member(path, md5),))
    source = open_distribution(distribution, place, lambda fetch: SVHN(place.root, part, download=fetch))
    return _dataset("svhn", part, source.data, source.labels, DIGITS)


@DATASETS.register("stl10", facts=_known(3, 96, 96, names=STL10_CLASSES))
def stl10(place: DataPlace, part: Part) -> Dataset:
    """STL-10: 5,000 + 8,000 colour photographs of 96 × 96 pixels in 10 classes; a download of 2.6 GB.

    Its 100,000 images without labels are not read, but their checksum is.
    Source: Coates, Lee, Ng 2011, https://cs.stanford.edu/~acoates/stl10/
    """
    from torchvision.datasets import STL10

    members = tuple(Member(f"{STL10.base_folder}/{name}", md5) for name, md5 in STL10.train_list + STL10.test_list)
    distribution = Distribution("stl10", (Download(STL10.url, STL10.filename, STL10.tgz_md5),), members)
    source = open_distribution(distribution, place, lambda fetch: STL10(place.root, part, download=fetch))
    return _dataset("stl10", part, source.data, source.labels, STL10_CLASSES)


def read_cifar(name: str, kind: Any, place: DataPlace, part: Part) -> Dataset:
    """Read one of the CIFARs, fetched where it is absent; `kind` is torchvision's class, which knows its files."""
    files = [*kind.train_list, *kind.test_list, (kind.meta["filename"], kind.meta["md5"])]
    members = tuple(Member(f"{kind.base_folder}/{file}", md5) for file, md5 in files)
    distribution = Distribution(name, (Download(kind.url, kind.filename, kind.tgz_md5),), members)
    source = open_distribution(
        distribution, place, lambda fetch: kind(place.root, train=part == "train", download=fetch)
    )
    # torchvision turns the channels to the back as a view; turned to the front again, the bytes lie as in the file
    return _dataset(name, part, source.data.transpose(0, 3, 1, 2), source.targets, tuple(source.classes))


def read_mnist(
    name: str,
    kind: Any,
    classes: tuple[str, ...],
    place: DataPlace,
    part: Part,
    counts: Mapping[str, int] = MNIST_COUNTS,
) -> Dataset:
    """Read an MNIST, fetched where it is absent; `kind` is torchvision's class, which knows its files.

    It compares checksums of what it downloads, but not of what it unpacks: of that the size is known, by the `counts`
    of images.
    """
    downloads, members = [], []
    for file, md5 in kind.resources:
        download = Download(kind.mirrors[0] + file, f"{kind.__name__}/raw/{file}", md5)
        count = counts[file.split("-")[0]]
        size = 16 + count * 28 * 28 if "images" in file else 8 + count  # the header of the IDX format comes first
        downloads.append(download)
        members.append(Member(str(PurePosixPath(download.path).with_suffix("")), size=size, packed=download))
    distribution = Distribution(name, tuple(downloads), tuple(members), checked=False)
    source = open_distribution(
        distribution, place, lambda fetch: kind(place.root, train=part == "train", download=fetch)
    )
    return _dataset(name, part, source.data[:, None].numpy(), source.targets, classes)


def _dataset(
    name: str, part: Part, pixels: UInt8[np.ndarray, "n c h w"], labels: Any, classes: tuple[str, ...]
) -> Dataset:
    images: UInt8[Tensor, "n c h w"] = torch.from_numpy(np.ascontiguousarray(pixels))
    return Dataset(name, part, images, torch.as_tensor(labels, dtype=torch.int64), classes)
