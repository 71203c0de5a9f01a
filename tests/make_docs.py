"""The pages that are made from the code: `python tests/make_docs.py`, or `make docs`, writes all of them."""

from collections.abc import Callable

import file_map
from architectures import page as zoo
from bad_inputs import page as bad_inputs
from exercises import page as exercises
from references import commands, components, config, methods
from strangers import page as strangers

ROOT = file_map.ROOT


def _readme() -> str:
    return file_map.with_folders((ROOT / "README.md").read_text(encoding="utf-8"))


PAGES: dict[str, Callable[[], str]] = {
    "README.md": _readme,
    "docs/files.md": file_map.file_map,
    "docs/bad-inputs.md": bad_inputs.page,
    "docs/exercises.md": exercises.page,
    "docs/zoo.md": zoo.page,
    "docs/any-network.md": strangers.page,
    "docs/reference/config.md": config.page,
    "docs/reference/commands.md": commands.page,
    "docs/reference/methods.md": methods.page,
    "docs/reference/layers.md": components.page,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (ROOT / name).write_text(page(), encoding="utf-8")
