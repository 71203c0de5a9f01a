"""`cnnlab compare-layers`."""

from typing import Annotated

import typer

from cnnlab.cli.options import JsonOption, out_console, print_json
from cnnlab.core.errors import RequestError
from cnnlab.layers_lab.command import ClassesOption, InputOption


def compare_layers(
    stacks: Annotated[
        list[str], typer.Argument(metavar="STACK…", help="Two or more, each 'KIND key=value … + KIND key=value …'.")
    ],
    shape: InputOption = None,
    classes: ClassesOption = 10,
    as_json: JsonOption = False,
) -> None:
    """Layers side by side on the same picture: shapes, weights, multiplications, memory, receptive field, ratios.

    Example: [bold]cnnlab compare-layers 'conv channels=64' 'depthwise_separable channels=64' --input 64,32,32[/]
    """
    if shape is None:
        raise RequestError("--input is missing: channels, height and width, such as --input 3,32,32")
    from cnnlab.layers_lab.comparison_report import stacks_document, stacks_report
    from cnnlab.layers_lab.run import compare, input_of
    from cnnlab.view import console

    picture = input_of(shape)
    found = compare(stacks, picture, classes=classes)
    if as_json:
        print_json(stacks_document(found))
        return
    console.show(stacks_report(found, picture), out_console())
