"""`cnnlab config check` and `cnnlab config show`."""

from typing import Annotated

import typer

from cnnlab.cli.command import Application
from cnnlab.cli.failures import failed
from cnnlab.cli.options import (
    MOST,
    ConfigArgument,
    JsonOption,
    OverridesArgument,
    PluginsOption,
    data_place,
    out_console,
    print_json,
)

app = Application(help="Check a config, or print it with every default.", no_args_is_help=True)


@app.command("check")
def check_config(
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    shape: Annotated[
        str | None, typer.Option(metavar="C,H,W", help="Of a picture, where the data set does not tell.")
    ] = None,
    classes: Annotated[
        int | None, typer.Option(min=1, max=MOST, metavar="N", help="How many there are, likewise.")
    ] = None,
    allow_plugins: PluginsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Check a config, the network that it describes and the folders of pictures. Every mistake is told with its place.

    With --classes the pictures need not be there.

    Example: [bold]cnnlab config check configs/cifar.yaml optimizer.lr=0.05[/]
    """
    from cnnlab.config.config import read_config
    from cnnlab.core.errors import ConfigError, RequestError
    from cnnlab.project.config.check import check, shape_of

    size = shape_of(shape) if shape else None
    try:
        settings = read_config(config, overrides or [], allow_plugins=allow_plugins)
        checked = check(settings, size, classes, place=data_place())
    except (ConfigError, RequestError) as error:
        if not as_json:
            raise
        no_place = [{"place": "", "message": str(error)}]  # of what is no mistake in the file
        raise typer.Exit(failed(error, as_json=True, fine=False, problems=no_place)) from None
    if as_json:
        facts = {"layers": checked.layers, "parameters": checked.parameters}
        pictures = {"shape": checked.shape, "classes": checked.classes, "parts": checked.origins}
        print_json({"fine": True, **facts, **pictures, "remarks": checked.remarks})
    else:
        console = out_console()
        console.print(f"{config}: {checked.sentence}", soft_wrap=True)
        for label, sentence in (*checked.origins.items(), *(("note", remark) for remark in checked.remarks)):
            console.print(f"{label}: {sentence}", soft_wrap=True)


@app.command("show")
def show_config(
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    allow_plugins: PluginsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Print a config with every default spelled out, as YAML that `cnnlab train` reads.

    Example: [bold]cnnlab config show configs/cifar.yaml training.epochs=3[/]
    """
    from cnnlab.config.config import read_config

    settings = read_config(config, overrides or [], allow_plugins=allow_plugins)
    if as_json:
        print_json(settings.as_data())
    else:
        out_console().print(settings.as_yaml(), end="", soft_wrap=True)
