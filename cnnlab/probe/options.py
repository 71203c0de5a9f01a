"""Options that the commands of `cnnlab probe` share."""

from typing import Annotated

import typer

from cnnlab.cli.options import Split

PartOption = Annotated[
    Split | None, typer.Option("--split", help="Which images of the data; what was held out.", show_default=False)
]
WhatIfOption = Annotated[
    list[str] | None,
    typer.Option(metavar="CHANGE", help="The same weights with pool=blur_pool, padding=reflect, activation=identity."),
]
