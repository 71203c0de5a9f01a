"""Where configs differ, option by option."""

from pathlib import Path
from typing import Any

import yaml

from cnnlab.config.config import check_config
from cnnlab.core.errors import ConfigError
from cnnlab.core.yaml import as_python, parse


def dotted(value: Any, path: str = "") -> dict[str, Any]:
    """Nested mappings and lists as dotted keys, such as `model.0.conv_bn_act.channels`."""
    if isinstance(value, dict):
        items = [(str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list):
        items = [(str(index), inner) for index, inner in enumerate(value)]
    else:
        return {path: value}
    return {k: v for key, inner in items for k, v in dotted(inner, f"{path}.{key}" if path else key).items()}


def first_difference(ours: Any, theirs: Any) -> tuple[str, Any, Any] | None:
    """The first dotted key with another value, and both values (None where it is absent); None where all are equal.

    Arguments:
        ours: nested mappings and lists, such as a config that was kept. An option that it lacks has today's default,
            where it is a whole config: the option may be newer than what was kept.
        theirs: likewise.
    """
    here, there = dotted(ours), dotted(theirs)
    newer = _defaults(ours) if not there.keys() <= here.keys() else {}
    for key in dict.fromkeys([*here, *there]):
        own = here.get(key, newer.get(key))
        if own != there.get(key):
            return key, own, there.get(key)
    return None


def _defaults(kept: Any) -> dict[str, Any]:
    """The dotted options of a kept config as it is read today; none where it is no config, or cannot be read."""
    if not (isinstance(kept, dict) and {"data", "model", "training"} <= kept.keys()):
        return {}
    try:
        # no plugin is run for it: what they register is known already, or the config cannot be read
        tree = parse(yaml.safe_dump({**kept, "plugins": []}, sort_keys=False), "kept")
        config = check_config(tree, (), default_name="kept", base=Path(), allow_plugins=False)
        return dotted(as_python(parse(config.as_yaml(), "kept")))
    except (ConfigError, yaml.YAMLError):
        return {}
