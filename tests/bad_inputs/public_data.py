"""Public data sets that are not there, or not what they were."""

from pathlib import Path

from bad_inputs.case import Case, file
from bad_inputs.known import DATASETS

CIFAR = "data/cifar-10-batches-py"
BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch", "batches.meta")


def wrong_batches(folder: Path) -> None:
    """Every file is there, and none is right."""
    for name in BATCHES:
        file(f"{CIFAR}/{name}", b"cut off")(folder)


PUBLIC_DATA = (
    Case(
        "cifar10 without a copy and without a network",
        "cnnlab data stats cifar10",
        (
            "error: cifar10 is not in data; the download failed: Name or service not known. Put into data\n"
            "error:   https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz (md5 "
            "c58f30108f718f92721af3b95e74349a)\n"
            "error: or what is inside (batches.meta, data_batch_1, data_batch_2, data_batch_3, "
            "data_batch_4, data_batch_5, test_batch) into data/cifar-10-batches-py, or set CNNLAB_DATA to"
            " the folder that holds it."
        ),
        exit_code=1,
    ),
    Case(
        "cifar100 without a copy and without a network",
        "cnnlab data stats cifar100",
        (
            "error: cifar100 is not in data; the download failed: Name or service not known. Put into "
            "data\n"
            "error:   https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz (md5 "
            "eb9058c3a382ffc7106e4002c42a8d85)\n"
            "error: or what is inside (meta, test, train) into data/cifar-100-python, or set CNNLAB_DATA "
            "to the folder that holds it."
        ),
        exit_code=1,
    ),
    Case(
        "mnist without a copy and without a network",
        "cnnlab data stats mnist",
        (
            "error: mnist is not in data; the download failed: Name or service not known. Put into "
            "data/MNIST/raw\n"
            "error:   https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz (md5 "
            "f68b3c2dcbeaaa9fbdd348bbdeb94873)\n"
            "error:   https://ossci-datasets.s3.amazonaws.com/mnist/train-labels-idx1-ubyte.gz (md5 "
            "d53e105ee54ea40749a09fcbcd1e9432)\n"
            "error:   https://ossci-datasets.s3.amazonaws.com/mnist/t10k-images-idx3-ubyte.gz (md5 "
            "9fb629c4189551a2d022fa330f9573f3)\n"
            "error:   https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz (md5 "
            "ec29112dd5afa0611ce80d1b7f02629c)\n"
            "error: or what is inside (t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, "
            "train-images-idx3-ubyte, train-labels-idx1-ubyte) into data/MNIST/raw, or set CNNLAB_DATA to"
            " the folder that holds it."
        ),
        exit_code=1,
    ),
    Case(
        "cifar10 with one batch of six",
        "cnnlab data stats cifar10",
        (
            "error: cifar10 in data is damaged: cifar-10-batches-py/data_batch_1 has 0 bytes with the md5"
            " d41d8cd98f00b204e9800998ecf8427e, expected c99cafc152244af753f735de768cd75f; "
            "cifar-10-batches-py/data_batch_2 is missing; cifar-10-batches-py/data_batch_3 is missing; "
            "and 4 files more; the download failed: Name or service not known. Put into data\n"
            "error:   https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz (md5 "
            "c58f30108f718f92721af3b95e74349a)\n"
            "error: or what is inside (batches.meta, data_batch_1, data_batch_2, data_batch_3, "
            "data_batch_4, data_batch_5, test_batch) into data/cifar-10-batches-py, or set CNNLAB_DATA to"
            " the folder that holds it."
        ),
        exit_code=1,
        make=file(f"{CIFAR}/data_batch_1", b""),
    ),
    Case(
        "cifar10 with files that were cut off (wrong checksums)",
        "cnnlab data stats cifar10",
        (
            "error: cifar10 in data is damaged: cifar-10-batches-py/data_batch_1 has 7 bytes with the md5"
            " cc64e77e65d232d2741f5e62efa3faee, expected c99cafc152244af753f735de768cd75f; "
            "cifar-10-batches-py/data_batch_2 has 7 bytes with the md5 cc64e77e65d232d2741f5e62efa3faee, "
            "expected d4bba439e000b95fd0a9bffe97cbabec; cifar-10-batches-py/data_batch_3 has 7 bytes with"
            " the md5 cc64e77e65d232d2741f5e62efa3faee, expected 54ebc095f3ab1f0389bbae665268c751; and 4 "
            "files more; the download failed: Name or service not known. Put into data\n"
            "error:   https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz (md5 "
            "c58f30108f718f92721af3b95e74349a)\n"
            "error: or what is inside (batches.meta, data_batch_1, data_batch_2, data_batch_3, "
            "data_batch_4, data_batch_5, test_batch) into data/cifar-10-batches-py, or set CNNLAB_DATA to"
            " the folder that holds it."
        ),
        exit_code=1,
        make=wrong_batches,
    ),
    Case(
        "mnist with a file that was cut off",
        "cnnlab data stats mnist",
        (
            "error: mnist in data is damaged: MNIST/raw/train-images-idx3-ubyte has 4 bytes, expected "
            "47,040,016; MNIST/raw/train-labels-idx1-ubyte is missing; MNIST/raw/t10k-images-idx3-ubyte "
            "is missing; and 1 files more; the download failed: Name or service not known. Put into "
            "data/MNIST/raw\n"
            "error:   https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz (md5 "
            "f68b3c2dcbeaaa9fbdd348bbdeb94873)\n"
            "error:   https://ossci-datasets.s3.amazonaws.com/mnist/train-labels-idx1-ubyte.gz (md5 "
            "d53e105ee54ea40749a09fcbcd1e9432)\n"
            "error:   https://ossci-datasets.s3.amazonaws.com/mnist/t10k-images-idx3-ubyte.gz (md5 "
            "9fb629c4189551a2d022fa330f9573f3)\n"
            "error:   https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz (md5 "
            "ec29112dd5afa0611ce80d1b7f02629c)\n"
            "error: or what is inside (t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, "
            "train-images-idx3-ubyte, train-labels-idx1-ubyte) into data/MNIST/raw, or set CNNLAB_DATA to"
            " the folder that holds it."
        ),
        exit_code=1,
        make=file("data/MNIST/raw/train-images-idx3-ubyte", b"\0\0\x08\x03"),
    ),
    Case(
        "CNNLAB_DATA is a file",
        "cnnlab data stats cifar10",
        (
            "error: cifar10 is not in data; the download failed: File exists (data). Put into data\n"
            "error:   https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz (md5 "
            "c58f30108f718f92721af3b95e74349a)\n"
            "error: or what is inside (batches.meta, data_batch_1, data_batch_2, data_batch_3, "
            "data_batch_4, data_batch_5, test_batch) into data/cifar-10-batches-py, or set CNNLAB_DATA to"
            " the folder that holds it."
        ),
        exit_code=1,
        make=file("data", b""),
    ),
    Case(
        "an unknown data set",
        "cnnlab data stats cifar9",
        f"error: cifar9: no such config file, and no data set 'cifar9'; {DATASETS}. Did you mean 'cifar10'?",
    ),
)
