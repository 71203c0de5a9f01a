"""`cnnlab config check`, `cnnlab config show`, `cnnlab config copy` and `cnnlab schema`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli.failures import Application, failed
from cnnlab.cli.options import MOST, ConfigArgument, OverridesArgument, err_console, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.network.session import Session

if TYPE_CHECKING:
    from cnnlab.project.config.check import Checked

app = Application(help="Check a config, print it with every default, or copy one of cnnlab's.", no_args_is_help=True)


@app.command("check")
@with_session("allow_plugins", "runs", "as_json")
def check_config(
    session: Session,
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    shape: Annotated[
        str | None, typer.Option(metavar="C,H,W", help="Shape of an image, where the data set does not tell.")
    ] = None,
    classes: Annotated[
        int | None, typer.Option(min=1, max=MOST, metavar="N", help="How many there are, likewise.")
    ] = None,
) -> None:
    """Check a config, the network that it describes and the folders of images. Every mistake is told with its place.

    With --classes the images need not be there.

    Example: [bold]cnnlab config check configs/cifar.yaml optimizer.lr=0.05[/]
    """
    from cnnlab.config.config import read_config
    from cnnlab.core.errors import ConfigError, RequestError
    from cnnlab.project.config.check import check, shape_of

    size = shape_of(shape) if shape else None
    try:
        settings = read_config(config, overrides or [], allow_plugins=session.allow_plugins)
        checked = check(settings, session, shape=size, classes=classes)
    except (ConfigError, RequestError) as error:
        if not session.as_json:
            raise
        no_place = [{"place": "", "message": str(error)}]  # of what is no mistake in the file
        raise typer.Exit(failed(error, as_json=True, fine=False, problems=no_place)) from None
    if session.as_json:
        inherited = None if checked.inherited is None else vars(checked.inherited)
        print_json({"fine": True, **vars(checked), "inherited": inherited})
    else:
        console = out_console()
        console.print(f"{config}: {checked.sentence}{_to_add(checked)}", soft_wrap=True)
        for label, sentence in (*checked.parts.items(), *(("note", remark) for remark in checked.remarks)):
            console.print(f"{label}: {sentence}", soft_wrap=True)


def _to_add(checked: "Checked") -> str:
    """The options with which the network would be checked as well."""
    if checked.parameters is not None:
        return ""
    needed = [] if checked.shape else ["--shape C,H,W"]
    needed += [] if checked.classes else ["--classes N"]
    return f"; to check the network as well, add {' '.join(needed)}"


@app.command("show")
@with_session("allow_plugins", "as_json")
def show_config(
    session: Session,
    config: ConfigArgument,
    overrides: OverridesArgument = None,
) -> None:
    """Print a config with every default spelled out, as YAML that `cnnlab train` reads.

    Example: [bold]cnnlab config show configs/cifar.yaml training.epochs=3[/]
    """
    from cnnlab.config.config import read_config

    settings = read_config(config, overrides or [], allow_plugins=session.allow_plugins)
    if session.as_json:
        print_json(settings.as_data())
    else:
        out_console().print(settings.as_yaml(), end="", soft_wrap=True)


@app.command("copy")
@with_session("as_json")
def copy_config(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of cnnlab list models.", show_default=False)],
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="By default NAME.yaml, here.")] = None,
) -> None:
    """Write a config that comes with cnnlab to a file, to change it there. A file that is there is left alone.

    Example: [bold]cnnlab config copy cifar mine.yaml[/]
    """
    from cnnlab.project.config.copy import copied

    written = copied(name, file)
    if session.as_json:
        print_json({"config": str(written)})
    else:
        err_console().print(f"wrote {written}; to train it: cnnlab train {shlex.quote(str(written))}", soft_wrap=True)


def schema(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there instead of printing it.")] = None,
) -> None:
    """Print the JSON Schema of a config, so that an editor completes and checks it.

    An editor with a YAML language server (VS Code, Neovim, Helix, PyCharm …) uses it for a config whose first line is
    [bold]# yaml-language-server: $schema=config.schema.json[/] (a path from the config's folder).

    Example: [bold]cnnlab schema --out configs/config.schema.json[/]
    """
    import json

    from cnnlab.config.schema import config_schema
    from cnnlab.core.files import write_whole

    document = config_schema()
    if out is None:
        print_json(document)
        return
    write_whole(out, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    line = f"# yaml-language-server: $schema={out.name}"
    err_console().print(f"wrote {out}; the first line of a config beside it: {line}", soft_wrap=True)
