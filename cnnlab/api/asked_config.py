"""A config as Python has it: a path, a mapping, a config that was read, or none for the built-in one."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from cnnlab.config import QUICKSTART
from cnnlab.config.config import Config, check_config, read_config
from cnnlab.config.shipped import config_file
from cnnlab.core.errors import RequestError
from cnnlab.core.yaml import parse
from cnnlab.view.json import plain

AskedConfig: TypeAlias = str | Path | Mapping[str, Any] | Config | None
"""A file or the name of a config of cnnlab, a mapping with what stands in one, a config, or None: the quickstart."""

Overrides: TypeAlias = Mapping[str, Any] | Sequence[str]
"""Changes to a config: `{"optimizer.lr": 0.05}`, or `["optimizer.lr=0.05"]` as on the command line."""


def config_of(asked: AskedConfig, overrides: Sequence[str], *, allow_plugins: bool) -> tuple[Config, Path]:
    """The config that is asked for, changed and checked, and the folder at which its relative paths start.

    Raises: RequestError when it cannot be read, ConfigError with every mistake and its place.
    """
    if asked is None or isinstance(asked, (str, Path)):
        path = QUICKSTART if asked is None else config_file(Path(asked).expanduser())
        return read_config(path, overrides, allow_plugins=allow_plugins), path.parent
    if isinstance(asked, Config) and not overrides:
        return asked, Path()
    if not isinstance(asked, (Config, Mapping)):
        raise RequestError(f"`config` is of type {type(asked).__name__}, expected a path, a mapping or a Config")
    text = asked.as_yaml() if isinstance(asked, Config) else yaml.safe_dump(plain(asked), sort_keys=False)
    tree = parse(text, "config")
    checked = check_config(tree, overrides, default_name="run", base=Path(), allow_plugins=allow_plugins)
    return checked, Path()


def overrides_of(changes: Overrides, **named: Any) -> list[str]:
    """The changes as `KEY=VALUE`, and before them those of `named` that are not None, `__` in their names for a dot.

    Example:
        >>> overrides_of({"optimizer.lr": 1e-05, "data.augment": []}, training__epochs=3)
        ['training.epochs=3', 'optimizer.lr=1.0e-05', 'data.augment=[]']
    """
    first = {name.replace("__", "."): value for name, value in named.items() if value is not None}
    if not isinstance(changes, Mapping):
        return [*_written(first), *([changes] if isinstance(changes, str) else changes)]
    return _written({**first, **changes})


def _written(changes: Mapping[str, Any]) -> list[str]:
    return [f"{key}={_value(value)}" for key, value in changes.items()]


def _value(value: Any) -> str:
    """One line of YAML; text in quotes, so that it stays text."""
    value = plain(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1 << 30, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("...").removesuffix("\n")
