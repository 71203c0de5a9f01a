"""What a file that is given for weights is, told by its content whatever its name, and what to do about others."""

import errno
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from cnnlab.core.characters import printable, shortened
from cnnlab.core.errors import RequestError
from cnnlab.core.reading import open_file, read_file

HEAD = 4096
"""Bytes at the beginning of a file by which it is known."""

INDEX = 2**26
"""Bytes that an index of shards has at most."""

LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How torch.save began a file until torch 1.6."""

AGAIN = "download or copy it again"

SAVE_AGAIN = "in the program that made it, save the weights alone: torch.save(model.state_dict(), 'weights.pt')"

SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")
"""Of the files that are offered where a folder was given."""

ALSO_FILES = (".index.json", ".json", ".npz", ".npy", ".h5", ".onnx", ".zip", ".tar", ".gz")
"""Further endings of names by which a file is meant, whatever it holds."""

MAGIC: dict[bytes, str] = {
    b"\x93NUMPY": "is an array of NumPy (.npy); give tensors by the names of the network's parameters",
    b"\x89HDF\r\n\x1a\n": "is an HDF5 file, as Keras writes them; give weights of PyTorch",
    b"GGUF": "is a GGUF file of llama.cpp; give weights of PyTorch",
    b"\x1f\x8b": "is compressed by gzip; unpack it first",
    b"BZh": "is compressed by bzip2; unpack it first",
    b"\xfd7zXZ": "is compressed by xz; unpack it first",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd; unpack it first",
    b"7z\xbc\xaf\x27\x1c": "is a 7z archive; unpack it first",
    b"Rar!": "is a RAR archive; unpack it first",
    b"\x89PNG": "is an image (PNG)",
    b"\xff\xd8\xff": "is an image (JPEG)",
}
"""Beginnings of files that hold no weights to read, and what is said of them."""


def names_a_file(weights: str | Path) -> bool:
    """Whether a file is meant, and not weights by a zoo's name for them, such as `IMAGENET1K_V2`.

    Arguments:
        weights: as somebody gave it; a file of that name in the working folder comes first.

    Example:
        >>> names_a_file("w.pt"), names_a_file("IMAGENET1K_V2"), names_a_file("a1_in1k")
        (True, False, False)
    """
    text = str(weights)
    separated = any(one and one in text for one in (os.sep, os.altsep))
    ends = text.casefold().endswith((*SUFFIXES, *ALSO_FILES))
    return isinstance(weights, Path) or separated or ends or os.path.lexists(os.path.expanduser(text))


def format_of(path: Path) -> str:
    """How the file is to be read: `safetensors`, `torch`, or `index` (of a file in shards).

    Raises: RequestError for a file that is missing or is anything else, with what it is and what to do.
    """
    try:
        with open_file(path) as file:
            head = file.read(HEAD)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise RequestError(f"{path}: no such file of weights") from None
    except IsADirectoryError:
        raise RequestError(f"{path}: {_folder(path)}") from None
    except OSError as error:
        reason = error.strerror or os.strerror(error.errno or errno.EIO)
        raise RequestError(f"{path}: cannot be read: {reason}") from None
    if not head:
        raise RequestError(f"{path}: is empty (0 bytes); {AGAIN}")
    if head[:4] == b"PK\x03\x04":
        return _zipped(path, size)
    if head.startswith(LEGACY):
        return "torch"
    if _begins_safetensors(head):
        _check_whole(path, head, size)
        return "safetensors"
    if size <= INDEX and _is_index(path, head):
        return "index"
    raise RequestError(f"{path}: {_other(head)}")


def _begins_safetensors(head: bytes) -> bool:
    return head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= 100_000_000


def _check_whole(path: Path, head: bytes, size: int) -> None:
    """Raises: RequestError where a safetensors file ends before its header or its tensors do."""
    length = int.from_bytes(head[:8], "little")
    ends = 8 + length
    if ends <= size:
        with open_file(path) as file:
            header = file.read(8 + length)[8:]
        try:
            entries = json.loads(header)
            ends += max(
                (entry["data_offsets"][1] for name, entry in entries.items() if name != "__metadata__"), default=0
            )
        except (ValueError, TypeError, LookupError, AttributeError):
            raise RequestError(f"{path}: a damaged safetensors file: its header cannot be read; {AGAIN}") from None
    if ends > size:
        raise RequestError(f"{path}: a safetensors file that is cut off: {size:,} of {ends:,} bytes; {AGAIN}")


def _is_index(path: Path, head: bytes) -> bool:
    return head.lstrip()[:1] == b"{" and b'"weight_map"' in read_file(path, at_most=INDEX)


def _zipped(path: Path, size: int) -> str:
    """`torch` for what torch.save wrote. Raises: RequestError for every other archive, and a damaged one."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            inside = {name.partition("/")[2] for name in names}
            if any(member.CRC for member in members) and "data.pkl" in inside:  # torch can leave checksums out
                damaged = archive.testzip()
                if damaged is not None:
                    place = printable(damaged.partition("/")[2])
                    raise RequestError(f"{path}: is damaged (the checksum of {place} is wrong); {AGAIN}")
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, OSError, RuntimeError):
        raise RequestError(
            f"{path}: is cut off or damaged ({size:,} bytes, of which the end is wrong); {AGAIN}"
        ) from None
    if "constants.pkl" in inside:
        way = f"torch.save(torch.jit.load({path.name!r}).state_dict(), 'weights.pt')"
        raise RequestError(f"{path}: is a TorchScript archive, a program with its weights; take them out: {way}")
    if "data.pkl" in inside:
        return "torch"
    if "archive_format" in inside or "serialized_exported_program.json" in names:
        way = f"torch.save(torch.export.load({path.name!r}).state_dict, 'weights.pt')"
        raise RequestError(f"{path}: is an archive of torch.export, a program with its weights; take them out: {way}")
    if names and all(name.endswith(".npy") for name in names):
        way = f"torch.save({{k: torch.from_numpy(v) for k, v in numpy.load({path.name!r}).items()}}, 'weights.pt')"
        raise RequestError(f"{path}: is a file of NumPy's arrays (.npz); make tensors of them: {way}")
    if "model.weights.h5" in names:
        raise RequestError(f"{path}: is a model of Keras; give weights of PyTorch")
    listed = ", ".join(printable(shortened(name, 60)) for name in names[:3]) + (", …" if len(names) > 3 else "")
    raise RequestError(
        f"{path}: is a zip archive of {len(names)} files ({listed}); unpack it first, and give one of them"
    )


def _other(head: bytes) -> str:
    """What a file that is no weights is, in words that follow its name."""
    for magic, words in MAGIC.items():
        if head.startswith(magic):
            return words
    for known, said in KINDS:
        if known(head):
            return said(head) if callable(said) else said
    return "is no file of weights, or a damaged one"


def _pointer(head: bytes) -> str:
    size = re.search(rb"^size (\d+)$", head, re.MULTILINE)
    of = f" of {int(size[1]):,} bytes" if size else ""
    return f"is a pointer of Git LFS in place of the file{of}; fetch it with: git lfs pull"


def _web_page(head: bytes) -> str:
    title = re.search(rb"<title[^>]*>\s*([^<]{1,200})", head, re.IGNORECASE)
    called = f" ('{printable(shortened(title[1].decode('utf-8', 'replace').strip(), 60))}')" if title else ""
    return f"is a web page{called} saved under this name, not the file; download it from the link of the file itself"


def _pickled(head: bytes) -> str:
    return f"is a pickle that torch.save did not write (protocol {head[1]}), and could run code; {SAVE_AGAIN}"


def _begins(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(beginnings)


KINDS: tuple[tuple[Callable[[bytes], bool], str | Callable[[bytes], str]], ...] = (
    (_begins(b"version https://git-lfs"), _pointer),
    (_begins(b"<!doctype html", b"<html", b"<head"), _web_page),
    (_begins(b"<?xml"), "is an XML document, as servers send in place of a file that they do not give out"),
    (lambda head: head[257:262] == b"ustar", "is a tar archive; unpack it first, and give the file of weights in it"),
    (lambda head: head[:1] == b"\x80" and head[1:2] in b"\2\3\4\5" and len(head) > 1, _pickled),
    (lambda head: head[4:8] == b"TFL3", "is a TensorFlow Lite model; give weights of PyTorch"),
    (  # a protobuf: the format's version, then the name of the program that wrote it
        lambda head: re.match(rb"\x08[\x01-\x20](\x12[\x01-\x7f][\x20-\x7e]|\x3a)", head) is not None,
        "looks like an ONNX model, whose weights have no names of a PyTorch network; give the state dict that it was "
        "exported from",
    ),
    (
        _begins(b"{", b"["),
        "is a JSON text without a weight_map, so it neither holds weights nor says where they lie",
    ),
)
"""What else people save under the name of weights: by which bytes it is known, and what is said of it."""


def _folder(path: Path) -> str:
    """What to do about a folder, in words that follow its name."""
    try:
        names = sorted(entry.name for entry in path.iterdir())
    except OSError:
        return "is a folder; give a file of weights"
    if ".metadata" in names and any(name.endswith(".distcp") for name in names):
        way = f"python -m torch.distributed.checkpoint.format_utils dcp_to_torch {path} weights.pt"
        return f"is a checkpoint of torch.distributed; make one file of it: {way}"
    if "saved_model.pb" in names:
        return "is a SavedModel of TensorFlow; give weights of PyTorch"
    index = [name for name in names if name.endswith(".index.json")]
    files = [*index, *(name for name in names if name.endswith(SUFFIXES))]
    if not files:
        return "is a folder, without a file of weights in it"
    listed = ", ".join(printable(name) for name in files[:4]) + (
        f" and {len(files) - 4} more" if len(files) > 4 else ""
    )
    return f"is a folder; give one file in it: {listed}"
