"""The data sets that torchvision fetches: small copies in the real formats, with their checksums put in place."""

import gzip
import hashlib
import pickle
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.io
import torch
from torchvision import datasets

from cnnlab.core.errors import CnnlabError, RequestError, WorkError
from cnnlab.data import archives
from cnnlab.data.dataset import DataPlace, Dataset

NOWHERE = "http://127.0.0.1:9/"
"""A port on which nothing listens: a network that fails at once."""


class Small(NamedTuple):
    """A small copy of a data set: torchvision's class with other files, how it is read, and its folder."""

    kind: Any
    reader: Callable[..., Dataset]
    root: Path

    def read(self, part: str, *, download: bool = True) -> Dataset:
        return self.reader(DataPlace(self.root, download=download), part)

    def message(self, *, download: bool) -> tuple[type[CnnlabError], str]:
        with pytest.raises(CnnlabError) as caught:
            self.read("train", download=download)
        return type(caught.value), str(caught.value)

    def way_out(self) -> str:
        return (
            f"Put into {self.root}\n  {self.kind.url} (md5 {self.kind.tgz_md5})\nor what is inside (batches.meta, "
            "data_batch_1, data_batch_2, data_batch_3, data_batch_4, data_batch_5, test_batch) into "
            f"{self.root}/cifar-10-batches-py, or set CNNLAB_DATA to the folder that holds it."
        )


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (60, 3, 32, 32), dtype=np.uint8)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a web server that hands out the files in `made`."""
    (tmp_path / "made").mkdir()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "made"))) as web:
        thread = Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{web.server_port}/"
        web.shutdown()
        thread.join()


@pytest.fixture
def cifar(tmp_path: Path, server: str, images: np.ndarray) -> Small:
    """A small CIFAR-10, handed out as an archive by a web server."""
    made = tmp_path / "made" / "cifar-10-batches-py"
    made.mkdir()
    names = [f"data_batch_{n}" for n in range(1, 6)] + ["test_batch"]
    for number, name in enumerate(names):
        chosen = images[number * 10 : number * 10 + 10].reshape(10, -1)
        (made / name).write_bytes(pickle.dumps({"data": chosen, "labels": list(range(10))}))
    (made / "batches.meta").write_bytes(pickle.dumps({"label_names": [f"class {n}" for n in range(10)]}))
    archive = tmp_path / "made" / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(made, made.name)
    files = {
        "train_list": [[name, md5(made / name)] for name in names[:5]],
        "test_list": [["test_batch", md5(made / "test_batch")]],
        "meta": {"filename": "batches.meta", "key": "label_names", "md5": md5(made / "batches.meta")},
        "url": server + archive.name,
        "tgz_md5": md5(archive),
    }
    kind = type("CIFAR10", (datasets.CIFAR10,), files)
    return Small(kind, partial(archives.read_cifar, "cifar10", kind), tmp_path / "root")


@pytest.fixture
def mnist(tmp_path: Path, server: str) -> Small:
    """A small MNIST, handed out by a web server."""
    made = tmp_path / "made"
    counts = {"train": 20, "t10k": 10}
    resources = []
    for part, count in counts.items():
        images = bytes(n % 251 for n in range(count * 784))
        for name, content in (
            (f"{part}-images-idx3-ubyte", bytes([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 28, 0, 0, 0, 28]) + images),
            (f"{part}-labels-idx1-ubyte", bytes([0, 0, 8, 1, 0, 0, 0, count]) + bytes(n % 10 for n in range(count))),
        ):
            (made / f"{name}.gz").write_bytes(gzip.compress(content))
            resources.append((f"{name}.gz", md5(made / f"{name}.gz")))
    kind = type("MNIST", (datasets.MNIST,), {"resources": resources, "mirrors": [server]})
    reader = partial(archives.read_mnist, "mnist", kind, archives.DIGITS, counts=counts)
    return Small(kind, reader, tmp_path / "root")


def test_the_real_cifar10(cifar_root: Path) -> None:
    place = DataPlace(cifar_root, download=False)
    train, test = archives.cifar10(place, "train"), archives.cifar10(place, "test")
    assert train.classes == (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    )
    assert train.shape == test.shape == (3, 32, 32)
    assert train.counts().tolist() == [5000] * 10
    assert test.counts().tolist() == [1000] * 10
    assert train.images.is_contiguous()
    # the well-known statistics, https://github.com/kuangliu/pytorch-cifar
    means = train.images.float().mean((0, 2, 3)) / 255
    torch.testing.assert_close(means, torch.tensor([0.4914, 0.4822, 0.4465]), atol=5e-5, rtol=0)
    reference = datasets.CIFAR10(cifar_root, train=False)
    for index in (0, 1234, 9999):
        image, label = reference[index]
        assert np.array_equal(np.asarray(image), test.images[index].permute(1, 2, 0).numpy())
        assert test.labels[index] == label


def test_cifar_is_downloaded_once_and_then_read(cifar: Small, images: np.ndarray) -> None:
    first = cifar.read("train")
    assert np.array_equal(first.images.numpy(), images[:50])
    assert first.classes == tuple(f"class {n}" for n in range(10))
    cifar.kind.url = NOWHERE
    test = cifar.read("test", download=False)
    assert np.array_equal(test.images.numpy(), images[50:])


def test_an_archive_that_lies_there_is_unpacked_without_a_network(cifar: Small) -> None:
    cifar.root.mkdir()
    archive = cifar.root.parent / "made" / "cifar-10-python.tar.gz"
    archive.rename(cifar.root / archive.name)
    assert len(cifar.read("train", download=False)) == 50


def test_a_half_download_and_half_unpacked_files_are_replaced(cifar: Small) -> None:
    (cifar.root / "cifar-10-batches-py").mkdir(parents=True)
    (cifar.root / "cifar-10-python.tar.gz").write_bytes(b"half")
    (cifar.root / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"half")
    assert len(cifar.read("train")) == 50


def test_no_copy_and_no_network(cifar: Small) -> None:
    cifar.kind.url = NOWHERE
    way_out = cifar.way_out()
    assert cifar.message(download=False) == (
        RequestError,
        f"cifar10 is not in {cifar.root}; downloads are off. {way_out}",
    )
    assert cifar.message(download=True) == (
        WorkError,
        f"cifar10 is not in {cifar.root}; the download failed: Connection refused. {way_out}",
    )
    assert not list(cifar.root.rglob("*")), "nothing half-written"


def test_an_archive_with_the_wrong_checksum(cifar: Small) -> None:
    archive = cifar.root.parent / "made" / "cifar-10-python.tar.gz"
    archive.write_bytes(b"an error page")
    assert cifar.message(download=True) == (
        WorkError,
        f"cifar10 is not in {cifar.root}; the download failed: what came has a wrong checksum. {cifar.way_out()}",
    )


@pytest.mark.parametrize("change", ["cut short", "one byte", "absent"])
def test_a_damaged_copy_is_named_file_by_file(cifar: Small, change: str) -> None:
    cifar.read("train")
    (cifar.root / "cifar-10-python.tar.gz").unlink()
    cifar.kind.url = NOWHERE
    batch = cifar.root / "cifar-10-batches-py" / "data_batch_3"
    expected = md5(batch)
    content = batch.read_bytes()
    if change == "absent":
        batch.unlink()
        fault = "is missing"
    else:
        batch.write_bytes(content[:1000] if change == "cut short" else content[:-1] + b"x")
        size = "1,000" if change == "cut short" else f"{len(content):,}"
        fault = f"has {size} bytes with the md5 {md5(batch)}, expected {expected}"
    state = f"cifar10 in {cifar.root} is damaged: cifar-10-batches-py/data_batch_3 {fault}"
    assert cifar.message(download=False) == (WorkError, f"{state}; downloads are off. {cifar.way_out()}")
    assert cifar.message(download=True) == (
        WorkError,
        f"{state}; the download failed: Connection refused. {cifar.way_out()}",
    )


def test_a_root_that_cannot_be_made(cifar: Small) -> None:
    cifar.root.write_text("a file where the folder should be")
    kind, text = cifar.message(download=True)
    assert kind is WorkError
    assert text.startswith(f"cifar10 is not in {cifar.root}; the download failed: File exists ({cifar.root}). Put into")


def test_mnist_is_grey_and_downloaded_once(mnist: Small) -> None:
    train = mnist.read("train")
    assert train.shape == (1, 28, 28)
    assert train.classes == tuple("0123456789")
    assert train.labels.tolist() == list(range(10)) * 2
    assert train.images.flatten().tolist() == [n % 251 for n in range(20 * 784)]
    mnist.kind.mirrors = [NOWHERE]
    assert len(mnist.read("test", download=False)) == 10


@pytest.mark.parametrize("content", [b"half", None])
def test_a_damaged_file_of_mnist_is_replaced_or_left_as_it_was(mnist: Small, content: bytes | None) -> None:
    mnist.read("train")
    raw = mnist.root / "MNIST" / "raw"
    images = raw / "train-images-idx3-ubyte"
    good = images.read_bytes()
    bad = content if content is not None else good[:-1] + b"x"  # the same size: only a checksum tells
    fault = "has 4 bytes, expected 15,696"
    if content is None:
        fault = "differs from the content of train-images-idx3-ubyte.gz beside it"
    images.write_bytes(bad)
    mnist.read("train", download=False)
    assert images.read_bytes() == good, "unpacked again from the archive beside it"

    images.write_bytes(bad)
    (raw / "t10k-labels-idx1-ubyte.gz").unlink()
    (raw / "t10k-labels-idx1-ubyte").unlink()
    mnist.kind.mirrors = [NOWHERE, NOWHERE]
    kind, text = mnist.message(download=True)
    assert kind is WorkError
    assert text.startswith(
        f"mnist in {mnist.root} is damaged: MNIST/raw/train-images-idx3-ubyte {fault}; "
        "MNIST/raw/t10k-labels-idx1-ubyte is missing; the download failed: Connection refused. "
        f"Put into {raw}\n  {NOWHERE}train-images-idx3-ubyte.gz (md5 "
    )
    assert not list(raw.glob("*.damaged"))


def test_svhn(tmp_path: Path, images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "train_32x32.mat"
    labels = np.arange(60) % 10 + 1  # in the file, 10 stands for the digit 0
    scipy.io.savemat(file, {"X": images.transpose(2, 3, 1, 0), "y": labels[:, None].astype(np.uint8)})
    monkeypatch.setattr(datasets.SVHN, "split_list", {"train": [NOWHERE, file.name, md5(file)]})
    svhn = Small(datasets.SVHN, archives.svhn, tmp_path)
    dataset = svhn.read("train", download=False)
    assert np.array_equal(dataset.images.numpy(), images)
    assert dataset.labels.tolist() == [n % 10 for n in range(1, 61)]
    file.write_bytes(b"half")
    assert svhn.message(download=True)[1].startswith(
        f"svhn in {tmp_path} is damaged: train_32x32.mat has 4 bytes with the md5 {md5(file)}, expected "
    )


def test_stl10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (10, 3, 96, 96), dtype=np.uint8)
    for name, content in {
        "train_X.bin": images.transpose(0, 1, 3, 2).tobytes(),  # column by column
        "train_y.bin": bytes(range(1, 11)),
        "unlabeled_X.bin": b"",
        "test_X.bin": b"",
        "test_y.bin": b"",
    }.items():
        (folder / name).write_bytes(content)
    for attribute in ("train_list", "test_list"):
        files = [[name, md5(folder / name)] for name, _ in getattr(datasets.STL10, attribute)]
        monkeypatch.setattr(datasets.STL10, attribute, files)
    dataset = archives.stl10(DataPlace(tmp_path, download=False), "train")
    assert np.array_equal(dataset.images.numpy(), images)
    assert dataset.images.is_contiguous()
    assert dataset.labels.tolist() == list(range(10))
    assert dataset.classes == archives.STL10_CLASSES


@pytest.fixture(autouse=True)
def _restored_timeout() -> Iterator[None]:
    import socket

    yield
    assert socket.getdefaulttimeout() is None
