"""`cnnlab kernel`: what is written, and what is printed."""

import pytest
from command_line import Place
from PIL import Image

from cnnlab.layers_lab.kernel.report import kernel_report
from cnnlab.layers_lab.kernel.run import KernelFacts, kernel_facts
from cnnlab.layers_lab.kernel.subject import kernel_of, on_image
from cnnlab.network.image_files import Source
from cnnlab.view.blocks import Text, inside


@pytest.fixture
def half() -> Image.Image:
    """Black on the left, white on the right: Sobel's answer is 4 in the middle of the edge."""
    image = Image.new("L", (16, 12))
    image.paste(255, (8, 0, 16, 12))
    return image


def test_all_of_it_lies_in_the_folder(cnnlab: Place, half: Image.Image) -> None:
    half.save(cnnlab.folder / "half.png")
    found = cnnlab("kernel", "sobel_x", "half.png", "--json").json()
    told = found["directions"]
    assert (told["correlation"], told["convolution"], told["sum"]) == (4.0, -4.0, 0.0)
    assert told["at"][1] in (7, 8)
    assert [way["border"] for way in found["borders"]] == ["zero", "reflect", "replicate", "circular", "valid"]
    assert [one["agree"] for one in found["ways"]] == [True, True]
    assert [one["finding"] for one in found["claims"]][:3] == ["supported"] * 3  # the fourth is a matter of speed
    folder = cnnlab.runs / "kernel" / "sobel_x"
    written = {path.name for path in folder.iterdir()}
    assert {"index.html", "facts.json", "directions.png", "borders.png", "ways_crop.csv", "borders.csv"} <= written


@pytest.mark.parametrize(
    ("kernel", "lead", "said"),
    [
        ("sobel_x", "its own negative: true convolution reverses every sign", "correlation says 4 and convolution −4"),
        ("gaussian:sigma=1", "correlation and true convolution are the same", "agreement: All agree"),
        ("0 0 1", "correlation and true convolution differ", "Windows leave the image at the top 0"),
    ],
)
def test_words_say_what_turning_does(kernel: str, lead: str, said: str, half: Image.Image) -> None:
    *_, facts = kernel_facts(on_image(kernel_of(kernel), Source("half", image=half)), border="reflect")
    assert isinstance(facts, KernelFacts)
    report = kernel_report(facts)
    assert lead in report.lead
    assert [claim.finding.value for claim in facts.claims[:3]] == ["supported"] * 3
    texts = [f"{block.label}: {block.text}" for block in inside(report) if isinstance(block, Text)]
    assert any(said in text for text in texts)
