"""The shape of a config file: what may stand in it, and what holds where it is silent."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError

from cnnlab.config.data_section import Data
from cnnlab.config.hardest import Hardest
from cnnlab.config.overrides import apply_overrides
from cnnlab.config.shipped import config_file
from cnnlab.config.training_section import EarlyStopping, Ema, Logging, Lookahead, Training
from cnnlab.core.characters import printable, shortened
from cnnlab.core.errors import CnnlabError, ConfigError, Problem, RequestError
from cnnlab.core.problems import problems_of
from cnnlab.core.quantities import NonNegative, Patterns
from cnnlab.core.registry import Section, as_data
from cnnlab.core.yaml import MAX_DEPTH, MAX_VALUES, Mark, Table, Text, extent, load, mark_at, typed
from cnnlab.data import catalog as _data_catalog  # noqa: F401  (each catalog fills its registries)
from cnnlab.data.classes import chosen_classes
from cnnlab.data.parts import PLACES, beside
from cnnlab.data.registry import facts_of
from cnnlab.fit import catalog as _training_catalog  # noqa: F401
from cnnlab.fit.parameter_groups import ParameterGroup
from cnnlab.fit.registry import ClippingChoice, LossChoice, OptimizerChoice, ScheduleChoice
from cnnlab.models import catalog as _models_catalog  # noqa: F401
from cnnlab.models.blocks import Blocks, blocks_known
from cnnlab.models.own_model import ModelChoice, OwnModel
from cnnlab.models.plugins import load_plugins
from cnnlab.models.registry import InitializationChoice


def _a_later_epoch(value: Any) -> Any:
    """`value`, unless it is an epoch in which everything begins.

    Raises: ValueError, which says what to do instead.
    """
    text = str(value)
    if not text.isdecimal() or int(text) < 2:
        raise ValueError(
            f"'{text[:40]}' is no epoch with which a frozen part could begin to learn, expected 2 or more: what learns "
            "from the first is left out of freeze"
        )
    return value


LaterEpoch = Annotated[int, BeforeValidator(_a_later_epoch), Field(ge=2)]


NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
LONGEST_NAME = 100

COUNTERPART = r"^(torchvision|timm):[A-Za-z0-9][A-Za-z0-9._]*$"


def checked_name(text: str) -> str:
    """`text`, where it can name a run's folder.

    Raises: ValueError, with what a name may be made of.
    """
    if isinstance(text, str) and (len(text) > LONGEST_NAME or not re.fullmatch(NAME, text)):
        shown = text if len(text) <= 40 else f"{text[:37]}…"
        raise ValueError(
            f"'{shown}' cannot name a run: expected up to {LONGEST_NAME} letters, digits, '.', '_' and '-', "
            "a letter or digit first"
        )
    return text


RunName = Annotated[str, Field(pattern=NAME, max_length=LONGEST_NAME), BeforeValidator(checked_name)]


@dataclass(frozen=True)
class Places:
    """Where the keys of a config stand: two configs that say the same are equal wherever they do."""

    marks: Mapping[str, Mark] = field(default_factory=dict, compare=False)


class Config(Section):
    """A whole config file."""

    name: RunName = Field(default="run", description="what the run's folder is called; the file's name by default")
    seed: NonNegative = Field(default=0, description="of everything random")
    plugins: list[str] = Field(default=[], description="Python files that register layers; needs --allow-plugins")
    data: Data = Data()
    blocks: Blocks | None = Field(
        default={}, description="lists of layers with a name and arguments, to be named as layers are"
    )
    model: ModelChoice = Field(description="the network, layer after layer, or one of your own in Python")
    initialization: InitializationChoice | None = Field(
        default="default",  # type: ignore[assignment]
        description="how weights start; null, as the modules' own code does, is what holds for a network in Python",
    )
    counterpart: Annotated[str, Field(pattern=COUNTERPART)] | None = Field(
        default=None,
        description="the same network in a zoo, torchvision:NAME or timm:NAME, whose weights it takes layer by layer",
    )
    weights: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="weights to begin with: a name that the counterpart's zoo has for them, such as IMAGENET1K_V2 or "
        "DEFAULT, or a file; the head is new where it is for other classes",
    )
    init_from: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="weights to begin with in place of random ones: a run, a file of weights, "
        "torchvision:NAME[:WEIGHTS], timm:NAME, or a config with a counterpart; likewise",
    )
    adapt_channels: bool = Field(
        default=False,
        description="whether weights for images of other channels are taken: the first kernels are summed or repeated",
    )
    new_head: bool | None = Field(
        default=None,
        description="whether the last layer begins at random all the same; null where its classes are others",
    )
    freeze: Patterns = Field(
        default=[],
        description="patterns of layers or parameters that keep what they start with, such as 'conv1'; or all but head",
    )
    unfreeze: dict[LaterEpoch, Patterns] = Field(
        default={}, description="by the epoch with which they begin to learn, patterns of what is frozen: {3: [layer4]}"
    )
    frozen_statistics: bool = Field(
        default=True, description="whether batch norm in frozen layers keeps its statistics, and normalises by them"
    )
    layer_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="a factor of the learning rate for each layer below the last one"
    )
    training: Training = Training()
    loss: LossChoice = Field(default="cross_entropy", description="what training makes small")  # type: ignore[assignment]
    optimizer: OptimizerChoice = Field(default="sgd", description="how a gradient moves the weights")  # type: ignore[assignment]
    schedule: ScheduleChoice = Field(default="cosine", description="the learning rate over the training")  # type: ignore[assignment]
    parameter_groups: list[ParameterGroup] = Field(default=[])
    clipping: ClippingChoice | None = Field(default=None, description="a limit of the gradients; null for none")
    ema: Ema | None = None
    lookahead: Lookahead | None = None
    early_stopping: EarlyStopping | None = None
    hardest: Hardest | None = None
    logging: Logging = Logging()
    _written: dict[str, str] = PrivateAttr(default_factory=dict)
    _places: Places = PrivateAttr(default_factory=lambda: Places())

    @property
    def begins_elsewhere(self) -> bool:
        """Whether a training of it begins with weights that are not random."""
        return self.init_from is not None or self.weights is not None

    @contextmanager
    def told_by_place(self) -> Iterator[None]:
        """An error raised inside that begins with a key of the config gets the key's place there in front."""
        try:
            yield
        except CnnlabError as error:
            first, *more = error.lines
            found = re.match(r"([\w.]+)(?=:| is )", first)
            if found is not None and found[1] in self._places.marks:
                error.args = (f"{self._places.marks[found[1]]}: {first}", *more)
            raise

    @property
    def written_paths(self) -> Mapping[str, str]:
        """The paths of the user's own images as they stand in the file, by their options."""
        return self._written

    @property
    def split_seed(self) -> int:
        """Of the validation part, and of what is taken of the training part."""
        return self.seed if self.data.split_seed is None else self.data.split_seed

    def with_data(self, options: Mapping[str, Any]) -> "Config":
        """Return the config with other `options` of its data set."""
        dataset = replace(self.data.dataset, options=dict(options))
        return self.model_copy(update={"data": self.data.model_copy(update={"dataset": dataset})})

    def with_corrections(self, table: str) -> "Config":
        """Return the config with the CSV of its corrections elsewhere."""
        return self.model_copy(update={"data": self.data.model_copy(update={"corrections": table})})

    def as_data(self) -> dict[str, Any]:
        """Every value spelled out, in plain lists, mappings and scalars."""
        data: dict[str, Any] = as_data(self)
        del data["blocks"]  # the model says them in full
        return data

    def as_yaml(self) -> str:
        """The resolved config as a file that reads back to an equal one."""
        return _dumped(self.as_data())


class _Dumper(yaml.SafeDumper):
    """Quotes text that YAML 1.2 would read as a number, and PyYAML would not."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """A scalar that reads back to the same text."""
        style = None if isinstance(typed(text), str) else "'"
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def _dumped(data: Any) -> str:
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return text


def is_resolved(text: str) -> bool:
    """Whether `text` is what `as_yaml` writes, of some version: spelled out, without a remark of anybody's."""
    if not text.startswith("name: "):
        return False
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return False
    return (
        isinstance(data, dict) and {"name", "seed", "data", "model", "training"} <= set(data) and _dumped(data) == text
    )


def read_config(
    path: Path, overrides: Sequence[str] = (), *, allow_plugins: bool = False, base: Path | None = None
) -> Config:
    """Read, override and check a config file; every mistake is reported at once.

    `path` may be the name of a config that comes with cnnlab. `overrides` are `key.path=value` from the command line.
    Plugins are loaded only with `allow_plugins`. Relative paths start at `base`, by default the folder of the file.

    Raises: RequestError when it cannot be read, ConfigError with every mistake and its place.
    """
    path = config_file(path)
    tree = load(path)
    base = path.parent if base is None else base
    return check_config(tree, overrides, default_name=path.stem, base=base, allow_plugins=allow_plugins)


def check_config(
    tree: Table, overrides: Sequence[str], *, default_name: str, base: Path, allow_plugins: bool = False
) -> Config:
    """The config that a YAML tree means; `base` is where relative paths of plugins start, and those of data may."""
    # before the overrides: one of them may set an option of a plugin's layer, and one may name a plugin
    _load_plugins(tree, base, allow_plugins)
    with blocks_known(tree, []):
        problems: list[Problem] = apply_overrides(tree, overrides, Config)
    _load_plugins(tree, base, allow_plugins)
    _check_trust(tree, allow_plugins)
    if "name" not in tree:
        tree = _with_name(tree, default_name)
    with blocks_known(tree, problems):
        try:
            config = Config.model_validate(tree, context=problems)
        except ValidationError as error:
            problems += problems_of(error, tree, tree.mark, Config, "the config")
    if not problems:
        problems += _strange_classes(config.data, tree)
    if not problems and config.blocks:
        problems += _too_large_spelled_out(config, tree)
        config = config.model_copy(update={"blocks": {}})
    if problems:
        raise ConfigError(sorted(dict.fromkeys(problems), key=_place_in_file))
    config._places = Places(_marks_of(tree))
    if isinstance(config.model, OwnModel):
        kept = {} if "initialization" in config.model_fields_set else {"initialization": None}
        config = config.model_copy(update={"model": _begun(config.model, base), **kept})
    if config.data.corrections is not None:
        config = config.with_corrections(_beside(config.data.corrections, base))
    dataset = config.data.dataset
    if facts_of(dataset).source == "own":
        config = config.with_data(beside(dataset.options, base))
        config._written = {name: dataset.options[name] for name in PLACES if dataset.options.get(name)}
    return config


def _marks_of(tree: Table) -> dict[str, Mark]:
    """The places of the keys, and of those in their sections as `training.sizes`."""
    marks = {key: tree.marks[key] for key in tree if key in tree.marks}
    for key, section in tree.items():
        if isinstance(section, Table):
            marks |= {f"{key}.{inner}": mark for inner, mark in section.marks.items()}
    return marks


def _beside(path: str, base: Path) -> str:
    """The path from the config's folder where that leads somewhere, otherwise as it stands, from the working folder."""
    beside_it = base / Path(path).expanduser()
    return str(beside_it) if beside_it.exists() else path


def _too_large_spelled_out(config: Config, tree: Table) -> list[Problem]:
    """That a model is too large to be read again, where it says its blocks in full."""
    size, height = extent(config.as_data())
    if height > MAX_DEPTH:
        said = f"is nested {height} levels deep, and {MAX_DEPTH} can be read"
    elif size > MAX_VALUES:
        said = f"has {size:,} values, and {MAX_VALUES:,} can be read"
    else:
        return []
    return [Problem(str(tree.marks["blocks"]), f"spelled out, the config {said}; fewer or flatter blocks fit")]


def _strange_classes(data: Data, tree: Table) -> list[Problem]:
    """That classes are chosen which the data set does not have, where its names are known without loading it."""
    names = facts_of(data.dataset).names
    if data.classes is None or not names:
        return []
    try:
        chosen_classes(data.classes, names)
    except RequestError as error:
        return [Problem(str(mark_at(tree, ["data", "classes"]) or ""), str(error))]
    return []


def _load_plugins(tree: Table, base: Path, allow_plugins: bool) -> None:
    plugins = tree.get("plugins")
    if not isinstance(plugins, list) or not plugins:
        return
    if not allow_plugins:
        place = tree.marks["plugins"]
        files = shortened(", ".join(printable(str(plugin)) for plugin in plugins), 200)
        message = f"plugins run Python code from a file ({files}); allow that with `allow_plugins=True` if you trust it"
        raise ConfigError([Problem(str(place), message)])
    load_plugins([plugin for plugin in plugins if isinstance(plugin, Text)], base)


def _begun(model: OwnModel, base: Path) -> OwnModel:
    """The network with the folder at which its file starts: the config's.

    What stands on the command line, and leads nowhere from there, starts at the working folder.
    """
    file = model.own.file
    typed_in = model.mark is not None and not model.mark.line
    return model.placed(model.python, Path() if file and typed_in and not (base / file).exists() else base)


def _check_trust(tree: Table, allow_plugins: bool) -> None:
    """Raises: ConfigError for a network in Python that nobody has allowed to run."""
    model = tree.get("model")
    if isinstance(model, Table) and "python" in model and not allow_plugins:
        place = shortened(printable(str(model["python"])), 200)
        message = f"'model.python' runs Python code ({place}); allow that with `allow_plugins=True` if you trust it"
        raise ConfigError([Problem(str(model.marks["python"]), message)])


def _with_name(tree: Table, name: str) -> Table:
    """The file's name stands in for a name, its odd characters replaced."""
    tree.put("name", safe_name(name), tree.mark)
    return tree


def safe_name(name: str) -> str:
    """A name with which a run's folder can be called: odd characters of `name` replaced, at most 100 kept.

    Example:
        >>> safe_name("my photos"), safe_name("…")
        ('my-photos', 'run')
    """
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name).lstrip("._-") or "run"
    return safe[:LONGEST_NAME]


def _place_in_file(problem: Problem) -> tuple[str, int, int]:
    source, *position = problem.place.rsplit(":", 2)
    if len(position) == 2 and all(number.isdecimal() for number in position):
        return source, int(position[0]), int(position[1])
    return problem.place, 0, 0
