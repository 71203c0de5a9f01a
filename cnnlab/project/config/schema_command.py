"""`cnnlab schema`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli.options import err_console, print_json


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
