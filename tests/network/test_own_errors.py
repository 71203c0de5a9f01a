"""What a user's network raises after it was opened: one sentence, and their calls from their file on."""

from pathlib import Path

import torch

import cnnlab
from cnnlab.core.errors import RequestError

FAILS = """
from torch import nn

class Inner(nn.Module):
    def forward(self, x):
        return refuse(x) if len(x) > 3 else x

def refuse(x):
    raise RuntimeError("at most 3")

class Fails(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.last = Inner(), nn.Linear(3, 2)

    def forward(self, x):
        return self.last(self.inner(x).mean((2, 3)))
"""


def test_a_network_that_fails_on_later_images_is_told_with_their_calls(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(FAILS)
    net = cnnlab.open(f"{tmp_path / 'net.py'}:Fails", size=8, classes=["a", "b"], device="cpu")
    images, labels = torch.zeros(5, 3, 8, 8, dtype=torch.uint8), torch.zeros(5, dtype=torch.int64)
    try:
        net.evaluate((images, labels))
    except RequestError as error:
        told, calls = str(error), list(error.details)
    assert told.startswith("layer 'inner' (Inner) raises RuntimeError: at most 3 (net.py:9)")
    assert "net.py" in calls[0]
    assert calls[-1] == "RuntimeError: at most 3"
    assert sum("net.py" in line for line in calls) == 3
