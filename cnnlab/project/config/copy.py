"""`cnnlab config copy`: one of the configs that come with cnnlab, in a file to be changed."""

import os
from pathlib import Path

from cnnlab.core.errors import RequestError
from cnnlab.core.files import write_whole
from cnnlab.project.listing import find_config


def copied(name: str, file: Path | None = None) -> Path:
    """Write the config of that name to a file that is not there yet.

    Arguments:
        name: such as `cifar` or `zoo/resnet50`.
        file: where to; by default its last part with .yaml, in the working folder.

    Returns:
        The file.

    Raises:
        RequestError: for a name that is not there, with the nearest, and for a file that is.

    Example:
        >>> from tempfile import mkdtemp
        >>> copied("quickstart", Path(mkdtemp()) / "mine.yaml").read_text().startswith("# What:")
        True
    """
    config = find_config(name)
    place = Path(f"{config.name.rpartition('/')[2]}.yaml") if file is None else file
    if os.path.lexists(place):
        raise RequestError(f"{place}: is there already; name another FILE, or remove that one")
    write_whole(place, config.text)
    return place
