"""The table, its CSV and the JSON of a summary: rows that sum to the totals, and marks where a number is not all."""

import csv
import io

import pytest
import torch
from torch import Tensor, nn

from cnnlab.layers_lab.summary.report import Summary, summary_json, summary_report
from cnnlab.layers_lab.summary.run import training_memory
from cnnlab.receptive_field.fields import receptive_fields
from cnnlab.view.blocks import Numbers, tables
from cnnlab.view.csv import table_text
from cnnlab.walk.costs import layer_costs


class Tokens(nn.Module):
    """A parameter of its own, a layer that does not run, and a product that cannot be counted."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(2))
        self.token = nn.Parameter(torch.zeros(1, 4, 1))
        self.spare = nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = torch.cat([self.token.expand(len(x), -1, -1), self.block(x)], 2)
        return torch.linalg.inv(tokens @ tokens.mT + torch.eye(4, device=x.device)) @ tokens


@pytest.fixture(scope="module")
def found() -> Summary:
    model, shape = Tokens(), (3, 6, 6)
    fields = receptive_fields(model, shape)
    return Summary(layer_costs(model, fields.walk, training_memory(model, shape)), fields)


@pytest.mark.parametrize("depth", [None, 1, 2])
def test_rows_sum_to_the_totals(found: Summary, depth: int | None) -> None:
    report = summary_report(found, name="tokens", depth=depth)
    rows = list(csv.DictReader(io.StringIO(table_text(next(t for t in tables(report) if t.name == "layers")))))
    assert sum(int(row["parameters"] or 0) for row in rows) == found.costs.parameters == 112 + 4 + 30
    assert sum(float(row["MACs (M)"] or 0) for row in rows) * 1e6 == pytest.approx(found.costs.macs)
    assert sum(float(row["kept to train (KiB)"] or 0) for row in rows) * 1024 == found.costs.training_bytes
    kinds = {row["layer"]: row["kind"] for row in rows}
    assert kinds["token"] == "parameter"
    assert kinds["spare"] == "Linear (unused)"
    assert kinds["(itself)"] == "Tokens (MACs: at least)"


def test_what_is_not_all_is_marked(found: Summary) -> None:
    (numbers,) = (block for block in summary_report(found, name="tokens").blocks if isinstance(block, Numbers))
    details = {number.name: number.detail for number in numbers.numbers}
    assert details["multiply-accumulates"].startswith("at least, for one image: those of linalg_inv_ex cannot be")
    assert "30 unused" in details["parameters"]
    document = summary_json(found, "tokens")
    assert document["macs_at_least"] is True
    assert document["uncounted"] == [{"operation": "linalg_inv_ex", "layer": ""}]
    leaves = [row for row in document["layers"] if row["leaf"]]  # type: ignore[attr-defined]
    assert sum(row["parameters"] for row in leaves) == document["parameters"]
    assert sum(row["macs"] for row in leaves) == document["macs"]
    assert [row["name"] for row in leaves if row["macs_at_least"]] == ["(itself)"]
