"""`cnnlab layer` and `cnnlab compare-layers`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli.options import MOST, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.core.errors import RequestError
from cnnlab.network.session import Session

InputOption = Annotated[
    str | None, typer.Option("--input", metavar="C,H,W", help="Channels, height and width of the image.")
]
ClassesOption = Annotated[
    int, typer.Option("--classes", min=1, max=MOST, metavar="N", help="What `features: classes` means.")
]


@with_session("as_json")
def layer(
    session: Session,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="A layer of `cnnlab list layers`.", show_default=False)],
    options: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]…", help="Its options, such as channels=16 stride=2.")
    ] = None,
    shape: InputOption = None,
    matrix: Annotated[
        str | None, typer.Option(metavar="ROWS", help="Run it on these numbers, '1 3 / 4 2', in place of --input.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="ROWS", help="The kernel of a convolution on --matrix, as it is applied.")
    ] = None,
    classes: ClassesOption = 10,
    out: Annotated[
        Path | None, typer.Option(help="The folder for its sampling pattern (PNG) and its tables (CSV).")
    ] = None,
) -> None:
    """One layer's arithmetic: output size with the formula, weights, multiplications, memory, receptive field.

    Beside it the dense and the locally connected layer of the same shapes. A dense layer gets the image flattened.

    Example: [bold]cnnlab layer conv channels=16 stride=2 padding=1 --input 3,32,32[/]
    """
    if matrix is not None and shape is not None:
        raise RequestError("--matrix is the input; leave --input out")
    if matrix is None and weights is not None:
        raise RequestError("--weights goes with --matrix, such as --matrix '1 3 2 / 4 2 1 / 0 1 6'")
    if matrix is None and shape is None:
        raise RequestError("--input is missing: channels, height and width, such as --input 3,32,32")
    from cnnlab.layers_lab.matrix import matrix_of
    from cnnlab.layers_lab.report import layer_document, layer_report
    from cnnlab.layers_lab.run import examine, examine_on, input_of
    from cnnlab.view import console, csv, png

    if matrix is not None:
        kernel = None if weights is None else matrix_of(weights, "`weights`")
        found = examine_on(kind, options or [], matrix_of(matrix, "`matrix`"), kernel, classes=classes)
    else:
        found = examine(kind, options or [], input_of(shape or ""), classes=classes)
    report = layer_report(found, " ".join([kind, *(options or [])]))
    files = [] if out is None else [*png.save(report, out), *csv.save(report, out)]
    if session.as_json:
        print_json(layer_document(found) | {"files": [str(path) for path in files]})
        return
    console.show(report, out_console(), folder=out)


@with_session("as_json")
def compare_layers(
    session: Session,
    stacks: Annotated[
        list[str], typer.Argument(metavar="STACK…", help="Two or more, each 'KIND key=value … + KIND key=value …'.")
    ],
    shape: InputOption = None,
    classes: ClassesOption = 10,
) -> None:
    """Layers side by side on the same image: shapes, weights, multiplications, memory, receptive field, ratios.

    Example: [bold]cnnlab compare-layers 'conv channels=64' 'depthwise_separable channels=64' --input 64,32,32[/]
    """
    if shape is None:
        raise RequestError("--input is missing: channels, height and width, such as --input 3,32,32")
    from cnnlab.layers_lab.comparison_report import stacks_document, stacks_report
    from cnnlab.layers_lab.run import compare, input_of
    from cnnlab.view import console

    image = input_of(shape)
    found = compare(stacks, image, classes=classes)
    if session.as_json:
        print_json(stacks_document(found))
        return
    console.show(stacks_report(found, image), out_console())
