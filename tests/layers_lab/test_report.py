import json

from cnnlab.layers_lab.comparison_report import ComparedStack, ratios, stacks_document, stacks_report
from cnnlab.layers_lab.parts import count_text, counted, memory_text, times_text
from cnnlab.layers_lab.report import layer_document, layer_report
from cnnlab.layers_lab.run import compare, examine
from cnnlab.view import json as as_json
from cnnlab.view.blocks import Numbers, Report, Section, Text, figures, tables
from cnnlab.view.drawings import Lattice


def report_of(kind: str, *options: str, shape: tuple[int, ...] = (3, 32, 32)) -> Report:
    found = examine(kind, options, shape, classes=10)
    return layer_report(found, kind)


def numbers_of(report: Report) -> dict[str, tuple[object, str]]:
    block = report.blocks[0]
    assert isinstance(block, Numbers)
    return {number.name: (number.value, number.detail) for number in block.numbers}


def test_a_layer_in_numbers() -> None:
    report = report_of("conv", "channels=16", "stride=2", "padding=1")
    assert report.lead == "3 × 32 × 32 → 16 × 16 × 16"
    assert numbers_of(report) == {
        "output": ("16 × 16 × 16", "4,096 values"),
        "height and width": (16, "floor((32 + 2·1 − 1·(3−1) − 1)/2) + 1 = 16"),
        "parameters": (448, "432 weights + 16 biases"),
        "multiply-accumulates (MACs)": (110_592, "432 for each of 256 output pixels"),
        "activation memory": ("16 KiB", "4,096 values of 4 bytes for one image"),
        "receptive field": ("3 × 3", "9 pixels read, density 100\N{NO-BREAK SPACE}%, jump 2"),
    }
    by_name = {table.name: table for table in tables(report)}
    assert by_name["tensors"].rows == (
        ("weight", "16 × 3 × 3 × 3", "out × in × kernel height × kernel width", 432),
        ("bias", "16", "out", 16),
    )
    assert [row[0] for row in by_name["alternatives"].rows] == ["dense", "locally connected", "convolution (this)"]


def test_height_and_width_are_apart_where_they_differ() -> None:
    numbers = numbers_of(report_of("conv", "channels=1", "kernel=[1,3]", "stride=[1,2]", "padding=0", shape=(1, 1, 5)))
    assert numbers["height"] == (1, "floor((1 + 2·0 − 1·(1−1) − 1)/1) + 1 = 1")
    assert numbers["width"] == (2, "floor((5 + 2·0 − 1·(3−1) − 1)/2) + 1 = 2")


def test_the_pattern_is_drawn_in_text_and_as_a_figure() -> None:
    report = report_of("conv", "channels=1", "dilation=2")
    section = next(block for block in report.blocks if isinstance(block, Section))
    lines = [block.text for block in section.blocks if isinstance(block, Text)]
    assert lines == ["  ● · ● · ●", "  · · · · ·"] * 2 + ["  ● · ● · ●"]
    (figure,) = figures(report)
    assert isinstance(figure.drawing, Lattice)
    assert figure.drawing.read.tolist() == [[c == "●" for c in line.split()] for line in lines]
    assert figure.drawing.centre == (2, 2)


def test_a_pattern_that_is_too_wide_for_lines_is_a_figure_only() -> None:
    report = report_of("conv", "channels=1", "kernel=33", shape=(1, 64, 64))
    assert not [block for block in report.blocks if isinstance(block, Section)]
    assert len(figures(report)) == 1


def remarks(report: Report) -> list[str]:
    return [block.text for block in report.blocks if isinstance(block, Text)]


def test_what_a_layer_leaves_out_is_said() -> None:
    assert remarks(report_of("max_pool", shape=(1, 8, 8))) == [
        "No weights. It keeps 16 of 64 values: 75\N{NO-BREAK SPACE}% are gone."
    ]
    assert remarks(report_of("conv", "channels=1", "stride=2", "padding=0")) == [
        "No window reads 1 of the 32 rows and 1 of the 32 columns of the input."
    ]
    assert remarks(report_of("linear", "features=5", shape=(1, 2, 3))) == [
        "The image of 1 × 2 × 3 is flattened to 6 values."
    ]
    assert remarks(report_of("relu")) == []


def test_a_layer_of_layers_has_its_parts() -> None:
    by_name = {table.name: table for table in tables(report_of("depthwise_separable", "channels=4"))}
    assert [row[:4] for row in by_name["parts"].rows] == [
        ("depthwise", "3 × 32 × 32", 27, 3),
        ("pointwise", "4 × 32 × 32", 12, 4),
    ]
    assert [row[0] for row in by_name["alternatives"].rows] == ["dense", "this layer"]


def test_a_layer_with_many_tensors_has_totals_only() -> None:
    found = {table.name for table in tables(report_of("repeat", "times=9", "layers=[{conv: {channels: 3}}]"))}
    assert found == {"parts", "alternatives"}


def stacks(*texts: str, shape: tuple[int, ...] = (64, 32, 32)) -> tuple[ComparedStack, ...]:
    return compare(texts, shape, classes=10)


def test_plain_against_separable() -> None:
    found = stacks("conv channels=64", "depthwise_separable channels=64")
    table = tables(stacks_report(found, (64, 32, 32)))[0]
    rows = {row[0]: row[1:] for row in table.rows}
    assert [column.title for column in table.columns] == ["", "A", "B", "A / B"]
    assert rows["… per output pixel"] == ("36,864", "4,672", "7.89×")
    assert rows["receptive field (px)"] == ("3 × 3", "3 × 3", None)
    assert remarks(stacks_report(found, (64, 32, 32)))[-1] == "the same output shape, receptive field and jump."


def test_the_ratios_are_to_the_first() -> None:
    first, second, third = stacks("conv channels=64", "conv channels=32", "relu")
    assert ratios(first.facts, second.facts)["weights"] == 2
    assert ratios(first.facts, third.facts)["weights"] is None
    assert ratios(third.facts, first.facts)["weights"] == 0


def test_unlike_outputs_are_told() -> None:
    report = stacks_report(stacks("conv channels=64", "max_pool"), (64, 32, 32))
    said = next(block for block in report.blocks if isinstance(block, Text) and block.label == "unlike")
    assert (said.tone, "A 64 × 32 × 32, B 64 × 16 × 16" in said.text) == ("caution", True)


def test_the_documents_are_json() -> None:
    found = examine("conv", ["channels=2", "dilation=2"], (1, 8, 8), classes=10)
    document = layer_document(found)
    read = json.loads(as_json.text(document))
    assert (read["weights"], read["biases"], read["macs_per_pixel"]) == (18, 2, 18)
    assert read["receptive_field"]["rows"] == [0, 2, 4]
    assert [(a["means"], a["times"]) for a in read["alternatives"]][-1] == ("convolution", 1)
    assert read["parameter_tensors"][0]["axes"] == ["out", "in", "kernel height", "kernel width"]
    both = json.loads(as_json.text(stacks_document(stacks("conv channels=64", "relu"))))
    assert both["ratios"][0]["weights"] is None
    assert [stack["text"] for stack in both["stacks"]] == ["conv channels=64", "relu"]


def test_how_numbers_are_written() -> None:
    assert [times_text(r) for r in (1, 7.8904, 116508.4, 1 / 1024, 0.5, 0)] == [
        "1×", "7.89×", "116,508×", "1/1,024×", "0.5×", "0×",
    ]  # fmt: skip
    assert [memory_text(n) for n in (0, 1000, 1024, 150_528_000 * 4)] == [
        "0 bytes",
        "1,000 bytes",
        "1 KiB",
        "574.2 MiB",
    ]
    assert [counted(1, "weight"), counted(2, "bias"), counted(1, "bias")] == ["1 weight", "2 biases", "1 bias"]
    assert [count_text(2.0), count_text(2.5)] == ["2", "2.50"]
