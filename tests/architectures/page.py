"""docs/zoo.md: the configs of configs/zoo/, from their headers, which a test holds to cnnlab's own counts."""

from pathlib import Path

from architectures.facts import FILES, counts_of, header_of
from references.markdown import table

HEAD = """\
# The zoo: architectures as layer lists

Each is a config of [configs/zoo/](../configs/zoo/), made of layers alone: `cnnlab summary configs/zoo/resnet50.yaml`
shows it, `cnnlab train configs/zoo/resnet18-cifar.yaml` trains it, and `data.dataset=…` gives it other images
and as many outputs as these have classes. Those for images of 224 px stand there with `shapes`, which are made on the
spot, in place of ImageNet. Where torchvision has the network, a test loads its weights and finds the same logits.

Counts are for the classes of the last column; the receptive field is that of the last layer that has places.
"""


def page() -> str:
    """The whole page."""
    return (
        HEAD
        + "\n"
        + table(["config", "what", "paper", "parameters", "MACs", "field", "classes"], [_row(path) for path in FILES])
        + "\n"
    )


def _row(path: Path) -> list[str]:
    header = header_of(path)
    parameters, macs, field, classes = counts_of(path)
    name = f"[`{path.stem}`](../configs/zoo/{path.name})"
    numbers = [f"{parameters / 1e6:,.2f} M", f"{macs / 1e9:,.3g} G", f"{field:,} px", f"{classes:,}"]
    return [name, header["What"], header["Paper"], *numbers]
