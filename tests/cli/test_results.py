"""Stdout holds the document alone, whatever a network's own code writes there and by whichever way."""

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Place

WRITES = """
import ctypes, os, subprocess, sys
from cnnlab.cli.results import print_document, results_alone

sys.stdout.write("before, ")
with results_alone():
    print("printed")
    os.write(1, b"a descriptor\\n")
    sys.__stdout__.write("the first stream\\n")
    subprocess.run(["echo", "a child"])
    if os.name == "posix":
        ctypes.CDLL(None).puts(b"the library of C")
    print_document("the document, ")
sys.stdout.write("after")
"""

NET = """
import sys
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, images):
        print("loud")
        return super().forward(images)
"""


def test_only_the_document_reaches_stdout() -> None:
    done = subprocess.run([sys.executable, "-c", WRITES], capture_output=True, check=True, text=True)
    assert done.stdout == "before, the document, after"
    others = {"printed", "a descriptor", "the first stream", "a child"}
    assert set(done.stderr.splitlines()) - {"the library of C"} == others


def test_a_closed_stderr_loses_no_document() -> None:
    code = "from cnnlab.cli.results import *\nwith results_alone(): print_document('{}')"
    done = subprocess.run(f'{sys.executable} -c "{code}" 2>&-', shell=True, capture_output=True, check=True)
    assert done.stdout == b"{}"


@pytest.mark.parametrize("words", [["check-model", "--print-preparation"], ["predict", "image.png", "--csv"]])
def test_what_a_network_prints_stands_in_no_other_document(
    words: list[str], cnnlab: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    monkeypatch.setattr(sys, "path", list(sys.path))
    Path(cnnlab.folder / "net.py").write_text(NET)
    Image.new("RGB", (9, 9)).save(cnnlab.folder / "image.png")
    done = cnnlab(words[0], "net.py:Net", *words[1:], "--input", 8, "--device", "cpu")
    assert "loud" in done.err
    assert "loud" not in done.out
    assert done.out.startswith(("#", "path,label"))
