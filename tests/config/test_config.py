from pathlib import Path

import pytest
import yaml

from cnnlab.config.config import Config, check_config, read_config
from cnnlab.core.errors import ConfigError, RequestError
from cnnlab.core.yaml import parse

ROOT = Path(__file__).parents[2]
CONFIGS = [*sorted((ROOT / "configs").rglob("*.yaml")), *sorted((ROOT / "cnnlab").rglob("*.yaml"))]
LEAST = "model: [global_avg_pool, linear]\n"


def config_of(text: str, *overrides: str) -> Config:
    return check_config(parse(text, "c.yaml"), overrides, default_name="c", base=Path("."))


def complaints(text: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config_of(text, *overrides)
    return str(caught.value).split("\n")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_config_of_ours_is_sound_and_reads_back(path: Path) -> None:
    config = read_config(path)
    resolved = config.as_yaml()
    assert check_config(parse(resolved, "resolved"), [], default_name="other", base=path.parent) == config
    assert check_config(parse(resolved, "resolved"), [], default_name="other", base=path.parent).as_yaml() == resolved


FULL = """\
name: full-1
seed: 7
data: {dataset: {shapes: {size: 24}}, validation: 0.2, augment: [{crop: {padding: 2}}, flip]}
model:
  - conv: {channels: 8, kernel: [3, 5]}
  - repeat: {times: 2, layers: [relu, {residual: {layers: [conv: {channels: 8}]}}]}
  - global_avg_pool
  - linear
training: {epochs: 3, precision: bf16, compile: true}
loss: {cross_entropy: {label_smoothing: 1e-1, class_weights: balanced}}
optimizer: {adamw: {lr: 1e-05}}
schedule: {step: {milestones: [1, 2.5]}}
parameter_groups: [{match: [norms, biases], weight_decay: 0}, {match: ["conv1.*"], frozen: true}]
clipping: adaptive
ema: {every: 2}
early_stopping: {patience: 3}
"""


def test_everything_reads_back() -> None:
    config = config_of(FULL)
    again = config_of(config.as_yaml())
    assert again == config
    assert again.as_data() == config.as_data()
    plain = yaml.safe_load(config.as_yaml())
    assert plain["training"]["compile"] is True
    assert plain["model"][0]["conv"]["kernel"] == [3, 5]


@pytest.mark.parametrize("name", ["no", "null", "1e-3", "017", "a.b", "x" * 100])
def test_words_that_yaml_would_guess_at_stay_words(name: str) -> None:
    config = config_of(f"name: '{name}'\n" + LEAST)
    assert config.name == name
    assert config_of(config.as_yaml()) == config


def test_silence_means_the_defaults() -> None:
    config = config_of(LEAST)
    assert (config.name, config.seed, config.data.dataset.name, config.optimizer.name) == ("c", 0, "shapes", "sgd")
    assert config.ema is None
    assert config.clipping is None


@pytest.mark.parametrize(
    ("file", "name"), [("a b.yaml", "a-b"), ("é.yaml", "run"), ("..x.yaml", "x"), ("a.b.yml", "a.b")]
)
def test_the_file_gives_the_name(tmp_path: Path, file: str, name: str) -> None:
    (tmp_path / file).write_text(LEAST)
    assert read_config(tmp_path / file).name == name


MISTAKES = """\
sed: 1
data:
  dataset: {shapes: {siz: 3}}
  validation: 1.5
  augment: flip
model:
  - con: {channels: 3}
  - conv: {channels: 0}
  - residual: {layers: [{conv: {chanels: 3}}]}
  - linear
training: {epochs: ten, precision: fp8, compile: maybe}
optimizer: {sgd: {lr: -1}}
schedule: cosin
parameter_groups: [{lr_scale: 2}]
ema: {decay: 1}
early_stopping:
"""


def test_every_mistake_at_once_in_the_order_of_the_file() -> None:
    found = complaints(MISTAKES, "training.epoch=3", "clipping=hard")
    assert [line.partition(";")[0] for line in found] == [
        "c.yaml:1:1: no option 'sed' in the config",
        "c.yaml:3:22: no option 'siz' in dataset 'shapes'",
        "c.yaml:4:3: 'validation' is '1.5', expected at most 0.9",
        "c.yaml:5:3: 'augment' is 'flip', expected a list",
        "c.yaml:7:5: no layer 'con'",
        "c.yaml:8:12: 'channels': a whole number above 0 or 'classes' (as many as there are classes) is expected, "
        "not '0'",
        "c.yaml:9:32: layer 'conv' needs 'channels'",
        "c.yaml:9:33: no option 'chanels' in layer 'conv'",
        "c.yaml:11:12: 'epochs' is 'ten', expected a whole number",
        "c.yaml:11:25: 'precision' is 'fp8', expected 'auto', 'fp32', 'bf16' or 'fp16'",
        "c.yaml:11:41: 'compile' is 'maybe', expected true or false, or 'reduce-overhead' or 'max-autotune'",
        "c.yaml:12:19: 'lr' is '-1', expected more than 0",
        "c.yaml:13:1: no schedule 'cosin'",
        "c.yaml:14:20: 'parameter_groups.0' needs 'match' "
        "(patterns of parameter names such as 'conv1.*', or the words norms, norm_weights, norm_biases and biases)",
        "c.yaml:15:7: 'decay' is '1', expected less than 1",
        "override 'clipping=hard': no clipping 'hard'",
        "override 'training.epoch=3': no option 'epoch'",
    ]
    ends = {line.partition("Did you mean ")[2] for line in found}
    assert ends == {"", "'seed'?", "'size'?", "'conv'?", "'channels'?", "'cosine'?", "'epochs'?"}


def test_the_least_that_is_needed() -> None:
    assert complaints("seed: 1") == [
        "c.yaml:1:1: the config needs 'model' (the network, layer after layer, or one of your own in Python)",
    ]
    assert complaints("model: []") == ["c.yaml:1:1: 'model' is a list of 0, expected at least 1 of them"]
    assert complaints("model:") == ["c.yaml:1:1: 'model' is empty, expected a list"]


@pytest.mark.parametrize("name", ["../up", ".hidden", "a/b", "", "x" * 101, "a b"])
def test_names_that_are_no_folder(name: str) -> None:
    (line,) = complaints(f'name: "{name}"\n' + LEAST)
    assert line.startswith("c.yaml:1:")


def test_places_are_sorted_by_number() -> None:
    text = "model: [linear]\n" + "\n" * 8 + "seed: x\ntraining: {epochs: y, batch_size: z}\n"
    assert [line.split(" ")[0] for line in complaints(text)] == ["c.yaml:10:1:", "c.yaml:11:12:", "c.yaml:11:23:"]


def test_plugins_need_permission(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("plugins: [mine.py]\n" + LEAST)
    (tmp_path / "mine.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(ConfigError) as caught:
        read_config(tmp_path / "c.yaml")
    assert str(caught.value) == (
        f"{tmp_path}/c.yaml:1:1: plugins run Python code from a file (mine.py); allow that with "
        "`allow_plugins=True` if you trust it"
    )
    with pytest.raises(RequestError, match="it ran"):
        read_config(tmp_path / "c.yaml", allow_plugins=True)


def test_a_plugin_is_a_path() -> None:
    with pytest.raises(ConfigError, match=r"c\.yaml:1:11: '.*' is a mapping, expected a text"):
        check_config(
            parse("plugins: [{a: b}]\n" + LEAST, "c.yaml"), [], default_name="c", base=Path("."), allow_plugins=True
        )


def test_parameter_groups() -> None:
    norms, first = config_of(FULL).parameter_groups
    assert (norms.match, norms.weight_decay, norms.frozen) == (["norms", "biases"], 0.0, False)
    assert (first.match, first.weight_decay, first.frozen) == (["conv1.*"], None, True)
