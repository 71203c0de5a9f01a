"""What a run keeps of the user's own Python that makes its network."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cnnlab.core.characters import some
from cnnlab.core.errors import RequestError
from cnnlab.models.own import own_file, own_network
from cnnlab.models.own_files import installed, own_files
from cnnlab.models.own_model import OwnModel
from cnnlab.runs.folder import NETWORK

MOST_FILES = 1000


@dataclass(frozen=True)
class KeptCode:
    """The copies, and what the run's config names in place of the original."""

    model: OwnModel | None = None
    """With its place in the run's folder; None of a network that is a list of layers."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """The content of each file by its name below `network/`."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of code that is not copied: its version and where it was, by the module's name."""
    remark: str = ""
    """What is copied, and what is not."""


NO_CODE = KeptCode()
"""Of a network that is a list of layers."""


def kept_code(model: OwnModel) -> KeptCode:
    """Copies of a network's file and of those that it imports from its folder; of an importable module its version.

    Raises: RequestError for a network that is made of more files than a person writes.
    """
    written = own_network(model.python)
    path = own_file(written, model.base)
    if path is None:
        version = installed(written.place)
        return KeptCode(
            model,
            versions={written.place: version},
            remark=f"the run keeps no copy of {written.place} ({version}): where it is opened, that must be importable",
        )
    files = own_files(path)
    if len(files.paths) > MOST_FILES:
        raise RequestError(
            f"{written.place} imports {len(files.paths):,} files from its folder, and a run keeps copies of "
            f"{MOST_FILES:,} at most; install what is a package, and name it package.module:{written.name}"
        )
    place = replace(written, place=f"{NETWORK}/{files.names[0]}")
    beside = f" and of what it imports from its folder ({some(files.names[1:], 8)})" if files.names[1:] else ""
    besides = f", {some(files.elsewhere, 8)}" if files.elsewhere else ""
    return KeptCode(
        model.placed(str(place), model.base),
        files.contents(),
        remark=f"the run keeps a copy of {files.names[0]}{beside}; not of other packages{besides} nor files it reads",
    )
