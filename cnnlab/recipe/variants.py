"""The variants of an ablation: a config as it is, and with one switch changed at a time."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cnnlab.config.config import Config
from cnnlab.config.norms import norm_named, with_norm
from cnnlab.core.errors import RequestError
from cnnlab.core.yaml import Mark
from cnnlab.training.trials import Trial

AS_IT_IS = "as it is"
TOGETHER = "all at once"
NORM = "norm"
"""A key that no config has: it stands for every norm of the model."""

OWN = {"seed": "seeds are what `repeats` is for", "name": "a variant is called after its change"}
"""Keys that are no switch of the training, and why."""

MakesConfig = Callable[[Sequence[str]], Config]
"""From changes such as `training.epochs=3` to the config with them."""


@dataclass(frozen=True)
class Variant:
    """A config under the change that makes it."""

    label: str
    """`as it is`, `schedule=constant`, or `all at once`."""
    config: Config

    def trials(self, repeats: int) -> list[Trial]:
        """Its trainings, with the seeds from the config's own on."""
        seeds = range(self.config.seed, self.config.seed + repeats)
        names = [f"{file_stem(self.label)}-seed{seed}" for seed in seeds]
        return [
            Trial(name, self.config.model_copy(update={"name": name, "seed": seed}))
            for name, seed in zip(names, seeds, strict=True)
        ]


def split_values(text: str) -> tuple[str, list[str]]:
    """`KEY=V1,V2` taken apart; commas inside brackets and quotes belong to a value.

    Arguments:
        text: as on the command line.

    Returns:
        The key, and the values as YAML.

    Raises:
        RequestError: without a key, without a value, for an empty value, and for a bracket that does not end.

    Example:
        >>> split_values("data.augment=[],[{crop: {padding: 2}}, flip]")
        ('data.augment', ['[]', '[{crop: {padding: 2}}, flip]'])
    """
    key, equals, written = text.partition("=")
    key = key.strip()
    if not equals or not key or not written.strip():
        raise RequestError(f"`vary` is '{text}', expected KEY=VALUE,VALUE…, such as schedule=constant")
    values = split_outside(written)
    if not all(values):
        raise RequestError(f"`vary` {text}: has an empty value; the empty list is []")
    return key, values


def gathered(texts: Sequence[str]) -> dict[str, list[str]]:
    """The values of each key, of several `KEY=V1,V2`.

    Arguments:
        texts: as on the command line.

    Raises:
        RequestError: as `split_values`.

    Example:
        >>> gathered(["schedule=constant", "norm=none", "schedule=cosine"])
        {'schedule': ['constant', 'cosine'], 'norm': ['none']}
    """
    found: dict[str, list[str]] = {}
    for text in texts:
        key, values = split_values(text)
        found[key] = [*found.get(key, ()), *values]
    return found


def split_outside(text: str) -> list[str]:
    """`text` cut at the commas that stand outside of brackets and quotes, without spaces around the parts.

    Arguments:
        text: such as `1, [2, 3]`.

    Raises:
        RequestError: for a bracket or a quote that does not end.
    """
    parts, depth, quote, start = [], 0, "", 0
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[{(":
            depth += 1
        elif character in "]})":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    if depth or quote:
        raise RequestError(f"'{text}': a {'quote' if quote else 'bracket'} in it has no end, or no beginning")
    return [*parts, text[start:].strip()]


def variants_of(make: MakesConfig, vary: Mapping[str, Sequence[str]], *, together: bool = False) -> tuple[Variant, ...]:
    """The config as it is, and with each value of each key; every mistake is found before anything is trained.

    Arguments:
        make: the config from changes.
        vary: the values of each key, as YAML. The key `norm` replaces every norm of the model, and where there is none
            any more, the layers before it have a bias.
        together: also with the first value of every key at once.

    Returns:
        The variants, `as it is` first.

    Raises:
        RequestError: without a key, for a key that is no switch, and for a value that changes nothing.
        ConfigError: with every mistake in a changed config.
    """
    if not vary:
        raise RequestError("nothing is varied; name a switch with `vary`, such as schedule=constant")
    if together and len(vary) < 2:
        raise RequestError("`together` joins several switches, and there is one; name another with `vary`")
    found = [Variant(AS_IT_IS, make(()))]
    for key, values in vary.items():
        if reason := OWN.get(key):
            raise RequestError(f"`vary` {key}={values[0]}: {reason}")
        for value in values:
            found.append(Variant(f"{key}={value}", changed(make, {key: value})))
    if together:
        found.append(Variant(TOGETHER, changed(make, {key: values[0] for key, values in vary.items()})))
    for place, variant in enumerate(found):
        for other in found[:place]:
            if variant.config == other.config:
                of = "what the config says already" if other.label == AS_IT_IS else f"the same as {other.label}"
                raise RequestError(f"`vary` {variant.label}: is {of}")
    return tuple(found)


def changed(make: MakesConfig, changes: Mapping[str, str]) -> Config:
    """The config with several changes at once.

    Arguments:
        make: the config from changes.
        changes: a value for each key, as YAML; the key `norm` stands for every norm of the model.

    Raises:
        ConfigError: with every mistake.
    """
    norm = changes.get(NORM)
    config = make([f"{key}={value}" for key, value in changes.items() if key != NORM])
    return config if norm is None else with_norm(config, norm_named(norm, Mark(f"override '{NORM}={norm}'")))


def file_stem(label: str) -> str:
    """A name for a run's folder, the same for the same label in every call.

    Arguments:
        label: of a variant.

    Example:
        >>> file_stem("optimizer.weight_decay=0"), file_stem("data.augment=[]")
        ('optimizer.weight_decay-0', 'data.augment-aaed')
    """
    plain = re.sub(r"[^A-Za-z0-9._]+", "-", label).strip("-._")[:60].rstrip("-._")
    if label.replace("=", "-").replace(" ", "-") == plain:
        return plain
    return f"{plain or 'variant'}-{hashlib.sha256(label.encode()).hexdigest()[:4]}"
