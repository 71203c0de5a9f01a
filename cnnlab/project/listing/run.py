"""`cnnlab list`: what a config and `--method` can name, from the registries, and the configs that come with cnnlab."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from cnnlab.config.builtin import QUICKSTART
from cnnlab.core.errors import RequestError, did_you_mean, unknown
from cnnlab.core.registry import Entry, Registry
from cnnlab.project.listing.options import Option, example_of, flow, options_of

CONFIGS = Path(__file__).parents[3] / "configs"
"""Beside the package in a clone; the configs under the working directory stand in for it elsewhere."""

MODELS = "models"


@dataclass(frozen=True)
class Kind:
    """A registry by the word that lists it: the module that fills it, and where in a config its entries stand."""

    registry: str
    catalog: str
    path: tuple[str, ...]
    many: bool = False
    """Whether a list stands there."""
    where: str = "in a config"
    """The place at which its entries are named."""


KINDS = {
    "layers": Kind("layer", "cnnlab.models.catalog", ("model",), many=True),
    "initializations": Kind("initialization", "cnnlab.models.catalog", ("initialization",)),
    "datasets": Kind("dataset", "cnnlab.data.catalog", ("data", "dataset")),
    "augmentations": Kind("augmentation", "cnnlab.data.catalog", ("data", "augment"), many=True),
    "losses": Kind("loss", "cnnlab.fit.catalog", ("loss",)),
    "optimizers": Kind("optimizer", "cnnlab.fit.catalog", ("optimizer",)),
    "schedules": Kind("schedule", "cnnlab.fit.catalog", ("schedule",)),
    "clippings": Kind("clipping", "cnnlab.fit.catalog", ("clipping",)),
}


METHODS = "methods"
KINDS_LISTED = KINDS | {METHODS: Kind("method", "cnnlab.attribution.catalog", (), where="on the command line")}


@dataclass(frozen=True)
class Listed:
    """Something that a config or an option of a command can name."""

    kind: str
    name: str
    summary: str
    """The first line of `doc`."""
    doc: str
    options: tuple[Option, ...]
    example: str
    """YAML, from the top level of a config, or a command."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else is known of it, such as its paper."""

    @property
    def where(self) -> str:
        """The place at which it is named."""
        return KINDS_LISTED[self.kind].where

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints, facts beside the rest."""
        fields: dict[str, Any] = asdict(self)
        facts = fields.pop("facts")
        return {**fields, **facts}


@dataclass(frozen=True)
class ListedConfig:
    """A config that comes with cnnlab."""

    name: str
    path: Path
    summary: str
    """The first line of its header."""
    text: str


def listed(kind: str) -> tuple[Listed, ...]:
    """Everything of a kind ("layers", …) by name.

    Raises: RequestError for a kind that is not there, with the nearest.
    """
    if kind not in KINDS_LISTED:
        raise RequestError(f"no list '{kind}'; there are {', '.join([*KINDS_LISTED, MODELS])}.{_nearest_kind(kind)}")
    import_module(KINDS_LISTED[kind].catalog)
    entries = sorted(Registry.of(KINDS_LISTED[kind].registry), key=lambda entry: entry.name)
    return tuple(_listed(kind, entry) for entry in entries)


def find(kind: str, name: str) -> Listed:
    """The entry of that name.

    Raises: RequestError for a kind or a name that is not there, with the nearest.
    """
    entries = {entry.name: entry for entry in listed(kind)}
    if name not in entries:
        raise RequestError(unknown(KINDS_LISTED[kind].registry, name, entries))
    return entries[name]


def listed_configs() -> tuple[ListedConfig, ...]:
    """The configs of the clone (or under configs/ in the working directory) by name, and the built-in quickstart."""
    folder = CONFIGS if CONFIGS.is_dir() else Path("configs")
    paths = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    paths.setdefault(QUICKSTART.stem, QUICKSTART)
    return tuple(_config(name, path) for name, path in sorted(paths.items()))


def find_config(name: str) -> ListedConfig:
    """The config of that name.

    Raises: RequestError for one that is not there, with the nearest.
    """
    configs = {config.name: config for config in listed_configs()}
    name = name.removesuffix(".yaml")
    if name not in configs:
        raise RequestError(unknown("config", name, configs))
    return configs[name]


def _listed(kind: str, entry: Entry) -> Listed:
    options = options_of(entry)
    example = _example(KINDS[kind], entry) if kind in KINDS else _command(entry.name, options)
    told: Mapping[str, str] = getattr(entry.facts, "told", {})
    return Listed(kind, entry.name, entry.summary, entry.doc, options, example, told)


def _command(name: str, options: Sequence[Option]) -> str:
    """How a method is named, with every option at its default."""
    chosen = ",".join(f"{option.name}={option.default}" for option in options)
    return f"--method {name}" + (f":{chosen}" if chosen else "")


def _example(kind: Kind, entry: Entry) -> str:
    """The entry as it is written in a config, and where."""
    example = example_of(entry)
    *outer, last = kind.path
    lines = [f"{'  ' * depth}{key}:" for depth, key in enumerate(outer)]
    indent = "  " * len(outer)
    if isinstance(example, str):
        lines += [f"{indent}{last}:", f"{indent}  - {example}"] if kind.many else [f"{indent}{last}: {example}"]
        return "\n".join(lines)
    written = f"{entry.name}: {flow(example[entry.name])}"
    if len(written) > 90:  # too long for a line: one option a line
        depth = "      " if kind.many else "    "
        rows = [f"{indent}{depth}{option}: {flow(value)}" for option, value in example[entry.name].items()]
        written = "\n".join([f"{entry.name}:", *rows])
    return "\n".join([*lines, f"{indent}{last}:", f"{indent}  {'- ' if kind.many else ''}{written}"])


def _config(name: str, path: Path) -> ListedConfig:
    text = path.read_text(encoding="utf-8")
    first = next((line for line in text.splitlines() if line.startswith("#")), "")
    return ListedConfig(name, path, re.sub(r"^#\s*(What:\s*)?", "", first), text)


def _nearest_kind(word: str) -> str:
    return did_you_mean(word, [*KINDS_LISTED, MODELS])
