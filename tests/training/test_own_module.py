"""Training a module of the user's own: what is made, what the run keeps, and how mistakes in it are told."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cnnlab.config.config import read_config
from cnnlab.fit.checkpoints import load_weights_file
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run
from cnnlab.training.lr_find import find_learning_rate

CONV = """
from torch import nn
from .norm import norm

def layer(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, stride=2), norm(outputs), nn.ReLU())
"""

CODE = """
import random
import torch
from torch import nn
from trainown_blocks.conv import layer
from trainown_width import WIDTH

class Net(nn.Module):
    def __init__(self, classes, shape, depth=1, *, dtype=None):
        super().__init__()
        assert shape == (3, 16, 16)
        self.body = nn.Sequential(*[layer(WIDTH if i else shape[0], WIDTH) for i in range(depth)])
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(WIDTH, classes)
        if dtype:
            self.to(getattr(torch, dtype))

    def forward(self, x):
        return self.head(self.drop(self.body(x).mean((2, 3))))

class Auxiliary(Net):
    def forward(self, x):
        features = self.body(x).mean((2, 3))
        logits = self.head(features)
        return (features, logits, self.head(features * 2)) if self.training else logits

class Mapping(Net):
    def forward(self, x):
        return {"features": x.mean((2, 3)), "logits": super().forward(x)}

class Lazy(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body, self.head = nn.LazyConv2d(4, 3), nn.LazyLinear(classes)

    def forward(self, x):
        return self.head(self.body(x).relu().mean((2, 3)))

class Late(Net):
    def forward(self, x):
        if self.training:
            raise KeyError("only in training")
        return super().forward(x)

class Lots(Net):
    def forward(self, x):
        random.random()
        return super().forward(x)

class Nested(Net):
    def forward(self, x):
        return [[super().forward(x)]]

def wide(num_classes=1000):
    return nn.Sequential(nn.Flatten(), nn.Linear(768, num_classes))

def flat():
    return nn.Sequential(nn.Conv2d(3, 10, 3))

def normed(classes):
    conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
    return nn.Sequential(conv, nn.Flatten(), nn.Linear(784, classes))

def frozen(classes):
    return wide(classes).requires_grad_(False)

def broken():
    return 1 / 0

READY = wide(10)
"""

CONFIG = """\
data:
  dataset: {shapes: {train_count: 96, test_count: 20, size: 16}}
model:
  python: net.py:Net
  options: {depth: 2}
training: {epochs: 2, batch_size: 32}
optimizer: {sgd: {lr: 0.05}}
logging: {histograms_every_epochs: 0, pictures: false, graph: false}
"""


pytestmark = pytest.mark.usefixtures("nothing_is_drawn")


@pytest.fixture
def own(cnnlab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The command line in a folder that has `nets/net.py`, what it imports, and `nets/tiny.yaml`."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    folder = cnnlab.folder / "nets"
    (folder / "trainown_blocks").mkdir(parents=True)
    (folder / "net.py").write_text(CODE)
    (folder / "trainown_width.py").write_text("WIDTH = 6\n")
    (folder / "trainown_blocks" / "__init__.py").write_text("")
    (folder / "trainown_blocks" / "conv.py").write_text(CONV)
    (folder / "trainown_blocks" / "norm.py").write_text("from torch.nn import BatchNorm2d as norm\n")
    (folder / "unused.py").write_text("")
    (folder / "tiny.yaml").write_text(CONFIG)
    yield cnnlab
    for name in [name for name in sys.modules if name.startswith("trainown_")]:
        del sys.modules[name]


def train(own: Any, *words: str, code: int = 0) -> Any:
    result = own("train", "nets/tiny.yaml", "--device", "cpu", "--no-report", "--allow-plugins", *words)
    assert result.code == code, result.err
    return result


def weights(own: Any, run: str, which: str = "last") -> dict[str, torch.Tensor]:
    return load_weights_file(own.runs / run / "checkpoints" / f"{which}.safetensors")[0]


def test_it_runs_only_where_that_is_allowed(own) -> None:
    for words in (
        ("train", "nets/tiny.yaml"),
        ("config", "check", "nets/tiny.yaml"),
        ("config", "show", "nets/tiny.yaml"),
        ("summary", "nets/tiny.yaml"),
        ("lr-find", "nets/tiny.yaml"),
    ):
        refused = own(*words)
        assert refused.code == 2
        assert refused.err.startswith("error: nets/tiny.yaml:4:3: 'model.python' runs Python code (net.py:Net); allow")
        assert "--allow-plugins" in refused.err
    assert not own.runs.exists()
    assert not any(name.startswith("trainown_") for name in sys.modules), "nothing has run"


def test_the_run_opens_without_the_original_from_any_folder(own, tmp_path: Path) -> None:
    trained = train(own)
    run = own.runs / "tiny"
    assert "keeps a copy of net.py and of what it imports from its folder (" in trained.err + trained.out
    kept = sorted(path.relative_to(run / "network").as_posix() for path in (run / "network").rglob("*.py"))
    assert kept == [
        "net.py",
        "trainown_blocks/__init__.py",
        "trainown_blocks/conv.py",
        "trainown_blocks/norm.py",
        "trainown_width.py",
    ]
    assert (run / "network" / "net.py").read_text() == CODE
    shutil.rmtree(own.folder / "nets")
    moved = tmp_path / "elsewhere"
    shutil.move(run, moved)
    refused = own("eval", moved)
    assert refused.code == 2
    assert "--allow-plugins" in refused.err
    evaluated = own("eval", moved, "--allow-plugins", "--json", "--device", "cpu")
    assert evaluated.code == 0, evaluated.err
    accuracy = json.loads((moved / "run.json").read_text())["outcome"]["val_accuracy"]
    assert evaluated.json()["accuracy"] == accuracy
    again = own("train", moved / "config.yaml", "--name", "again", "--no-report", "--allow-plugins", "--device", "cpu")
    assert again.code == 0, again.err
    last = load_weights_file(moved / "checkpoints" / "last.safetensors")[0]
    assert all(torch.equal(value, last[name]) for name, value in weights(own, "again").items())


@pytest.mark.parametrize(
    "options", [(), ("ema={decay: 0.9}", "training.channels_last=true", "training.precision=bf16")], ids=["", "ema"]
)
def test_a_run_that_stopped_ends_where_one_without_a_stop_does(own, options: tuple[str, ...]) -> None:
    more = (
        *options,
        "training.accumulate=2",
        "loss.class_weights=balanced",
        "parameter_groups=[{match: [head.*], lr_scale: 3}]",
    )
    train(own, *more, "--name", "whole")
    train(own, *more, "--name", "parts", "--stop-after", "1")
    shutil.rmtree(own.folder / "nets")
    resumed = own("train", "--resume", "parts", "--allow-plugins", "--no-report", "--device", "cpu")
    assert resumed.code == 0, resumed.err
    whole, parts = weights(own, "whole"), weights(own, "parts")
    assert whole.keys() == parts.keys()
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())


def test_the_seed_makes_the_weights_and_the_initialization_is_the_modules_own(own) -> None:
    from cnnlab.config.config import read_config
    from cnnlab.network.fresh import new_network

    def made(*overrides: str) -> dict[str, torch.Tensor]:
        config = read_config(own.folder / "nets" / "tiny.yaml", overrides, allow_plugins=True)
        before = torch.get_rng_state()
        network = new_network(config, (3, 16, 16), 10)
        assert torch.equal(torch.get_rng_state(), before)
        return network.state_dict()

    first, same, other = made(), made(), made("seed=1")
    assert all(torch.equal(value, same[name]) for name, value in first.items())
    assert not torch.equal(first["head.weight"], other["head.weight"])
    assert first["head.bias"].any()
    asked = made("initialization=kaiming")
    assert not asked["head.bias"].any(), "kaiming sets biases to 0"
    ready = [made("model={python: net.py:READY}", f"seed={seed}")["1.weight"] for seed in (0, 1)]
    assert torch.equal(*ready)


def test_what_a_file_holds_is_not_what_is_trained(own) -> None:
    trained = train(own, "model={python: net.py:READY}", "--name", "first")
    assert "every seed starts from the same weights" in trained.err + trained.out
    train(own, "model={python: net.py:READY}", "--name", "second")
    first, second = weights(own, "first"), weights(own, "second")
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            "Auxiliary",
            "the logits are the output 1 of net.py:Auxiliary (in training mode) (beside 0, 2); the loss is of",
        ),
        (
            "Mapping",
            "the logits are the output 'logits' of net.py:Mapping (in training mode) (beside features); the loss",
        ),
        ("Lots", "draws from NumPy's or Python's generator, which no checkpoint keeps"),
        ("Net(dtype='bfloat16')", "are made in bfloat16, and trained in float32"),
        ("Lazy", "keeps a copy"),
    ],
)
def test_networks_of_other_kinds_are_trained(own, model: str, said: str) -> None:
    trained = train(own, 'model={python: "net.py:' + model + '"}', "--json")
    assert said in trained.err
    assert trained.err.count("the logits are the output") <= 1
    looked = own("summary", "tiny", "--allow-plugins").err
    assert ("the logits are the output" in looked) is (model == "Mapping"), "what is put out in training mode is aside"
    assert "loss" not in looked
    evaluated = own("eval", "tiny", "--allow-plugins", "--json", "--device", "cpu")
    assert evaluated.code == 0, evaluated.err
    assert evaluated.json()["accuracy"] == trained.json()["val_accuracy"]


def test_lr_find_says_what_a_training_says_of_the_network(own) -> None:
    config = read_config(own.folder / "nets" / "tiny.yaml", ['model={python: "net.py:Mapping"}'], allow_plugins=True)
    said = list[str]()
    next(find_learning_rate(config, Session(device_name="cpu"), steps=20, tell=said.append))
    assert any("the logits are the output 'logits' of net.py:Mapping (in training mode)" in one for one in said)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("{python: absent.py:Net}", "no file 'absent.py'"),
        ("{python: net.py:Nett}", "no class, function or module 'Nett'"),
        ("{python: net.py:CODE}", "no class, function or module 'CODE'"),
        ("{python: net.py:WIDTH}", "net.py:WIDTH is an int, expected a class or a function"),
        (
            "{python: net.py:Net, options: {dept: 3}}",
            "net.py:Net has no parameter 'dept'; known: classes, shape, depth",
        ),
        (
            "{python: 'net.py:Net(depth=2)', options: {depth: 3}}",
            "'depth' is given twice, here and in net.py:Net(depth=2)",
        ),
        ("{python: 'net.py:Net(10)', options: {classes: 3}}", "gives 'classes' twice, by its place and by its name"),
        ("{python: net.py:READY, options: {a: 1}}", "net.py:READY is a module already, and takes no arguments"),
        ("{python: net.py}", "'net.py' names no network in it: expected FILE.py:NAME"),
        ("{python: trainown_absent.nets:Net}", "no module 'trainown_absent.nets' that Python can import"),
        ("{options: {depth: 3}}", "'model' needs 'python'"),
        ("{pyton: net.py:Net}", "no option 'pyton' in 'model'; it has python, options. Did you mean 'python'?"),
        ("{python: net.py:Net, options: [1]}", "'options' is a list of 1, expected a mapping"),
        ("net.py:Net", "a network of your own is written {python: net.py:Net}"),
        (
            "{python: net.py:wide}",
            "(2, 1000) for 2 images; expected logits, one row of 10 numbers an image: (images, 10)",
        ),
        ("{python: net.py:wide}", "add options: {num_classes: 10}"),
        ("{python: net.py:flat}", "puts out (2, 10, 14, 14) for 2 images; expected logits"),
        ("{python: net.py:Nested}", "wrap it in a module whose forward returns the logits alone"),
        ("{python: net.py:frozen}", "has no parameter that is learned"),
        ("{python: net.py:broken}", "ZeroDivisionError when net.py:broken was called, to make the network"),
        ("{python: net.py:Late}", "KeyError when net.py:Late ran in training mode on 2 images of 3 × 16 × 16"),
    ],
)
def test_mistakes_are_told_with_their_place_before_anything_is_written(own, model: str, said: str) -> None:
    text = CONFIG.replace("model:\n  python: net.py:Net\n  options: {depth: 2}\n", f"model: {model}\n")
    (own.folder / "nets" / "tiny.yaml").write_text(text)
    refused = train(own, code=2)
    assert refused.err.startswith("error: nets/tiny.yaml:3:"), refused.err
    assert said in refused.err
    checked = own("config", "check", "nets/tiny.yaml", "--allow-plugins", "--json")
    assert checked.code == 2
    assert said in checked.json()["error"]
    assert not own.runs.exists() or not list(own.runs.iterdir())


def test_an_error_in_their_code_shows_their_calls(own) -> None:
    refused = train(own, "model={python: net.py:Late}", code=2)
    assert 'raise KeyError("only in training")' in refused.err
    assert str(own.folder / "nets" / "net.py") in refused.err
    assert "Traceback" not in refused.err


def test_an_initialization_that_would_have_no_effect_is_refused(own) -> None:
    refused = train(own, "model={python: net.py:normed}", "initialization=kaiming", code=2)
    assert "the weight of layer '0' is worked out from other parameters" in refused.err
    train(own, "model={python: net.py:normed}")


def test_an_importable_module_is_not_copied_and_its_version_recorded(own) -> None:
    trained = train(own, "model={python: 'torchvision.models:resnet18(num_classes=10)'}", "training.epochs=1")
    said = trained.err + trained.out
    assert "the run keeps no copy of torchvision.models (" in said
    record = json.loads((own.runs / "tiny" / "run.json").read_text())
    assert record["versions"]["torchvision.models"].startswith(record["versions"]["torchvision"])
    assert not (own.runs / "tiny" / "network").exists()


def test_a_file_of_a_package_is_copied_with_the_package(own) -> None:
    package = own.folder / "nets" / "trainown_pack"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("from .sizes import WIDTH\n")
    (package / "sizes.py").write_text("WIDTH = 5\n")
    (package / "unused.py").write_text("")
    (package / "deep" / "__init__.py").write_text("")
    (package / "deep" / "net.py").write_text(
        "from torch import nn\nfrom .. import WIDTH\n"
        "def build(classes): return nn.Sequential(nn.Conv2d(3, WIDTH, 16), nn.Flatten(), nn.Linear(WIDTH, classes))\n"
    )
    train(own, "model={python: trainown_pack/deep/net.py:build}")
    kept = own.runs / "tiny" / "network"
    assert sorted(path.relative_to(kept).as_posix() for path in kept.rglob("*.py")) == [
        "trainown_pack/__init__.py",
        "trainown_pack/deep/__init__.py",
        "trainown_pack/deep/net.py",
        "trainown_pack/sizes.py",
    ]
    shutil.rmtree(own.folder / "nets")
    assert own("eval", "tiny", "--allow-plugins", "--device", "cpu").code == 0


def test_a_run_keeps_to_its_copies_while_the_original_goes_on(own) -> None:
    """In one process, where Python knows the modules of both folders by the same names."""
    train(own)
    before = own("eval", "tiny", "--allow-plugins", "--json", "--device", "cpu").json() | {"seconds": 0}
    (own.folder / "nets" / "trainown_width.py").write_text("WIDTH = 2 * 5\n")
    train(own, "--name", "wider")
    assert weights(own, "wider")["head.weight"].shape == (10, 10)
    assert own("eval", "tiny", "--allow-plugins", "--json", "--device", "cpu").json() | {"seconds": 0} == before
    assert own("eval", "wider", "--allow-plugins", "--json", "--device", "cpu").code == 0
    assert not list(own.runs.rglob("__pycache__")), "opening a run writes nothing"


def test_a_module_that_is_imported_already_stays(own, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import ModuleType

    other = ModuleType("trainown_width")
    other.WIDTH = 3  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "trainown_width", other)
    train(own)
    assert weights(own, "tiny")["head.weight"].shape == (10, 6)
    assert sys.modules["trainown_width"] is other


def test_a_file_that_is_typed_starts_at_the_working_folder_where_the_configs_has_none(own) -> None:
    trained = own(
        "train", "model={python: nets/net.py:Net}", "data.dataset={shapes: {train_count: 64, size: 16}}",
        "training.epochs=1", "--allow-plugins", "--no-report", "--device", "cpu", "--repeats", "2", "--name", "typed",
    )  # fmt: skip
    assert trained.code == 0, trained.err
    first, second = (weights(own, f"typed-seed{seed}") for seed in (0, 1))
    assert not torch.equal(first["head.weight"], second["head.weight"])
    absent = train(own, "model={python: nowhere/absent.py:Net}", code=2)
    assert "no file 'nowhere/absent.py' (looked at" in absent.err


def test_a_network_with_a_length_of_its_own_is_trained(own) -> None:
    with (own.folder / "nets" / "net.py").open("a") as file:
        file.write("\nclass Sized(Net):\n    def __len__(self): return 0\n")
    train(own, "model={python: net.py:Sized}", "--name", "sized")
    train(own, "model={python: net.py:Net}", "--name", "plain")
    sized, plain = weights(own, "sized", "best"), weights(own, "plain", "best")
    assert all(torch.equal(value, plain[name]) for name, value in sized.items())


BOTH = """
import json, sys
from cnnlab.main import main
for words in sys.argv[1:]:
    sys.argv = json.load(open(words))
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
"""


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("c++") or shutil.which("g++")), reason="torch.compile needs a C++ compiler")
def test_compiled(own) -> None:
    """A network of layers, and one of one's own, whose outputs differ between training and evaluation."""
    # in a process of its own: the checks of shapes in this one would be compiled, too
    options = ("training.compile=true", "training.epochs=1", "--no-report", "--device", "cpu")
    for words in (
        ("tiny.yaml", "model=[conv: {channels: 4}, global_avg_pool, linear]", "--name", "layers"),
        ("nets/tiny.yaml", "model={python: net.py:Auxiliary}", "--allow-plugins", "--name", "own"),
    ):
        (own.folder / words[-1]).write_text(json.dumps(["cnnlab", "train", *words, *options]))
    without = {name: value for name, value in os.environ.items() if name != "ATEN_CPU_CAPABILITY"}
    command = [sys.executable, "-c", BOTH, "layers", "own"]
    result = subprocess.run(command, cwd=own.folder, env=without, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert own("eval", "layers", "--device", "cpu").code == 0
    assert own("eval", "own", "--allow-plugins", "--device", "cpu").code == 0


STRANGE = """
import torch
from torch import nn

def normed(classes):
    return nn.Sequential(nn.utils.weight_norm(nn.Conv2d(3, 4, 3)), nn.Flatten(), nn.Linear(784, classes))

def scripted(classes):
    return torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(768, classes)))

class Batch(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.head = nn.Linear(192, classes)

    def forward(self, x):
        return self.head(x.reshape(-1, 192))

READY = normed(10)

class Extra(Batch):
    def get_extra_state(self): return {"a": 1}
    def set_extra_state(self, state): pass

class Late(Batch):
    def forward(self, x):
        if not hasattr(self, "late"):
            self.late = nn.Linear(192, 10)
        return self.late(x.reshape(len(x), -1)[:, :192])

class Lossy(Batch):
    def state_dict(self, *given, **named): return {"x": torch.ones(1)}
"""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["normed", "scripted"])
def test_averages_of_networks_that_cannot_be_copied(own, name: str) -> None:
    (own.folder / "nets" / "strange.py").write_text(STRANGE)
    words = (f"model={{python: strange.py:{name}}}", "ema={decay: 0.5}")
    train(own, *words, "--name", "whole")
    train(own, *words, "--name", "parts", "--stop-after", "1")
    assert own("train", "--resume", "parts", "--allow-plugins", "--no-report", "--device", "cpu").code == 0
    whole, parts = weights(own, "whole"), weights(own, "parts")
    assert all(torch.equal(value, parts[key]) for key, value in whole.items())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("READY", "cannot be copied (Only Tensors created explicitly"),
        ("Extra", "holds what is no tensor (_extra_state), and a run keeps tensors alone"),
        ("Late", "makes parameters while it runs (late.weight, late.bias), which no optimizer would know"),
        ("Lossy", "lacks parameters (head.weight, head.bias), so that no checkpoint would keep them"),
        (
            "Batch",
            "puts out (8, 10) for 2 images; expected logits, one row of 10 numbers an image",
        ),
    ],
)
def test_strange_networks_that_are_refused(own, name: str, said: str) -> None:
    (own.folder / "nets" / "strange.py").write_text(STRANGE)
    assert said in train(own, f"model={{python: strange.py:{name}}}", code=2).err


def test_a_network_beyond_the_memory_is_refused_while_it_is_made(own, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnlab.models.build.machine_memory", lambda: 1000)
    refused = train(own, "model={python: net.py:Net}", code=2)
    assert "of memory" in refused.err


def test_weights_that_the_code_gives_are_no_random_ones(own) -> None:
    from cnnlab.network.open import open_network
    from cnnlab.network.session import Session

    session = Session(device_name="cpu", allow_plugins=True)
    drawn = open_network(own.folder / "nets" / "tiny.yaml", session)
    assert not drawn.trained
    assert drawn.weights == "random weights (seed 0)"
    assert drawn.fresh is not None
    (own.folder / "nets" / "ready.yaml").write_text(CONFIG.replace("net.py:Net\n  options: {depth: 2}", "net.py:READY"))
    given = open_network(own.folder / "nets" / "ready.yaml", session)
    assert given.trained
    assert given.weights == "the weights that its code gives it"
    assert given.fresh is None


def test_a_run_that_never_came_to_a_checkpoint_is_replaced_also_from_its_own_config(own) -> None:
    with (own.folder / "nets" / "net.py").open("a") as file:
        file.write("\nclass Nan(Net):\n    def forward(self, x): return super().forward(x) * float('nan')\n")
    failed = train(own, "model={python: net.py:Nan}", code=1)
    assert "the loss is nan at step 1" in failed.err
    kept = own.runs / "tiny" / "network" / "net.py"
    kept.write_text(kept.read_text().replace("float('nan')", "1"))
    again = own("train", "runs/tiny/config.yaml", "--name", "tiny", "--no-report", "--allow-plugins", "--device", "cpu")
    assert again.code == 0, again.err
    assert "is replaced" in again.err + again.out
    assert "float('nan')" not in kept.read_text()
    assert own("eval", "tiny", "--allow-plugins", "--device", "cpu").code == 0


SOFT = """
from torch import nn
class Net(nn.Sequential):
    def __init__(self, classes):
        pooled = nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        super().__init__(*pooled, nn.Linear(4, classes), nn.Softmax(1))
"""


def test_of_a_network_that_ends_in_a_softmax_the_logits_are_learned(own) -> None:
    """The loss would put a softmax upon its softmax, and so would every probability of the run."""
    (own.folder / "nets" / "net.py").write_text(SOFT)
    result = train(own, "model={python: nets/net.py:Net}", "training.epochs=1", "--name", "soft")
    assert "ends in a softmax: the logits are worked out of its probabilities" in " ".join(result.err.split())
    network = open_run(Run.open("soft", own.runs), Session(device_name="cpu", allow_plugins=True))
    images = torch.randn(3, *network.shape)
    with torch.no_grad():
        shares = nn.Sequential(*network.model.children())(images)
        torch.testing.assert_close(network.model(images).softmax(1), shares)
