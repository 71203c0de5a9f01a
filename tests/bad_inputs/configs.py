"""Configs that are no YAML, or no config."""

import os
from pathlib import Path

from bad_inputs.case import MODEL, TINY, Case, config, file
from bad_inputs.known import CONFIG_KEYS, LAYERS, MORE_CONFIG_KEYS, OPTIMIZERS, TRAINING_KEYS

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
)
"""Eight lines that stand for 43 million values."""


def make_folder(folder: Path) -> None:
    (folder / "bad.yaml").mkdir()


def make_pipe(folder: Path) -> None:
    os.mkfifo(folder / "bad.yaml")


CONFIGS = (
    Case(
        "a pipe in place of a file",
        "cnnlab train bad.yaml",
        "error: bad.yaml: cannot be read: it is a pipe (FIFO), and no file",
        make=make_pipe,
    ),
    Case(
        "a device in place of a file",
        "cnnlab config check /dev/zero",
        "error: /dev/zero: cannot be read: it is a device, and no file",
    ),
    Case("no such file", "cnnlab train absent.yaml", "error: absent.yaml: no such file"),
    Case(
        "a folder instead of a file",
        "cnnlab train bad.yaml",
        "error: bad.yaml: is a folder, expected a YAML file",
        make=make_folder,
    ),
    config(
        "an image instead of a config",
        b"\x89PNG\r\n\x1a\n\x00\x00",
        "error: bad.yaml: is not UTF-8 text (byte 0); is it a YAML file?",
    ),
    config(
        "Latin-1 instead of UTF-8",
        b"name: caf\xe9\n",
        "error: bad.yaml: is not UTF-8 text (byte 9); is it a YAML file?",
    ),
    config("a control character", b"name: a\x07b\n", "error: bad.yaml:1:8: the character #x0007 is not allowed"),
    config("more than 4 MB", b"#" * 4_000_001, "error: bad.yaml: has more than 4,000,000 bytes; is it a YAML file?"),
    config("an empty file", b"", "error: bad.yaml: is empty, expected a mapping such as 'name: first'"),
    config("comments only", "# nothing yet", "error: bad.yaml: is empty, expected a mapping such as 'name: first'"),
    config("a list at the top", "- conv", "error: bad.yaml: is a list, expected a mapping such as 'name: first'"),
    config(
        "a single word", "quickstart", "error: bad.yaml: is a single word, expected a mapping such as 'name: first'"
    ),
    config(
        "a tab for indentation",
        "data:\n\tdataset: shapes",
        "error: bad.yaml:2:1: a tab; YAML is indented with spaces",
        rest=MODEL,
    ),
    config(
        "a bracket that is never closed",
        "model: [global_avg_pool, linear",
        ("error: bad.yaml:1:8: not YAML: expected ',' or ']', but got '<stream end>' (while parsing a flow sequence)"),
    ),
    config(
        "a quote that is never closed",
        'name: "first',
        ("error: bad.yaml:1:7: not YAML: found unexpected end of stream (while scanning a quoted scalar)"),
    ),
    config(
        "a colon inside a plain value",
        "name: first: second",
        "error: bad.yaml:1:12: not YAML: mapping values are not allowed here",
        rest=MODEL,
    ),
    config(
        "a bad escape",
        'name: "\\q"',
        ("error: bad.yaml:1:9: not YAML: found unknown escape character 'q' (while scanning a double-quoted scalar)"),
        rest=MODEL,
    ),
    config(
        "an escape beyond Unicode",
        'name: "\\UFFFFFFFF"',
        "error: bad.yaml:1:1: not YAML: an escape such as '\\U…' beyond U+10FFFF",
        rest=MODEL,
    ),
    config(
        "a key given twice",
        "seed: 1\nseed: 2",
        "error: bad.yaml:2:1: 'seed' is given twice; first on line 1",
        rest=MODEL,
    ),
    config("a key that is a list", "[a, b]: 1", "error: bad.yaml:1:1: a key must be a single word", rest=MODEL),
    config(
        "two documents",
        "seed: 1\n---\nseed: 2",
        "error: bad.yaml:2:1: a second document ('---'); a config is one document",
    ),
    config(
        "an alias without an anchor",
        "training: *usual",
        "error: bad.yaml:1:11: the alias '*usual' has no anchor '&usual' before it",
        rest=MODEL,
    ),
    config(
        "an alias inside its own anchor",
        "data: &all {dataset: *all}",
        "error: bad.yaml:1:22: the alias '*all' stands inside its own anchor '&all'",
        rest=MODEL,
    ),
    config(
        "aliases of aliases of aliases (43 million values)",
        BOMB,
        "error: bad.yaml:5:28: more than 50,000 values",
        rest=MODEL,
    ),
    config(
        "lists nested 1,000 deep",
        "model: " + "[" * 1000 + "]" * 1000,
        "error: bad.yaml:1:55: nested more than 48 levels deep",
    ),
    config(
        "a merge of something that is no mapping",
        "training: {<<: 3}",
        "error: bad.yaml:1:12: '<<' merges mappings; this is none",
        rest=MODEL,
    ),
    config(
        "a tag that would make a Python object",
        "name: !!python/object/apply:os.system [touch owned]",
        (
            "error: bad.yaml:1:7: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not "
            "allowed; write the value alone"
        ),
        rest=MODEL,
    ),
    config(
        "a tag that would make a number",
        "seed: !!int 3",
        "error: bad.yaml:1:7: the tag 'tag:yaml.org,2002:int' is not allowed; write the value alone",
        rest=MODEL,
    ),
    config(
        "an unknown key, the nearest named",
        "optimiser: sgd",
        (f"error: bad.yaml:1:1: no option 'optimiser' in the config; {CONFIG_KEYS}. Did you mean 'optimizer'?"),
        rest=MODEL,
    ),
    config(
        "a time budget that is no time",
        "training: {time_budget: soon}",
        ("error: bad.yaml:1:12: 'time_budget': 'soon' is no time within a year, expected one such as 90s, 10m or 1.5h"),
        rest=MODEL,
    ),
    config(
        "a share of the training twice",
        "training: {sizes: {0: 24, 0.0: 28}}",
        "error: bad.yaml:1:12: 'sizes': has the share 0 twice",
        rest=MODEL,
    ),
    config(
        "a percentage in place of a share",
        "training: {sizes: {40: 24}}",
        "error: bad.yaml:1:20: a key of 'sizes' is '40', expected less than 1",
        rest=MODEL,
    ),
    config(
        "images that should be larger than they are",
        "training: {epochs: 1, sizes: {0: 24, 0.5: 33}}",
        (
            "error: bad.yaml:1:23: training.sizes: 33 px from 50 % of the training on is more than the images have: "
            "they are 32 × 32 px"
        ),
        rest=MODEL,
        command="cnnlab config check bad.yaml",
    ),
    config(
        "smaller images than the network takes",
        "training: {sizes: {0: 24, 0.5: 32}}\nmodel: [flatten, linear]",
        (
            "error: bad.yaml:1:12: training.sizes: 24 × 24 px do not go through the network (mat1 and mat2 shapes "
            "cannot be multiplied (2x1728 and 3072x10)); a network that is bound to one size (flatten, "
            "locally_connected) needs its images whole"
        ),
    ),
    config(
        "an epoch before which nothing can thaw",
        "freeze: conv*\nunfreeze: {1: [conv1]}",
        (
            "error: bad.yaml:2:12: 'unfreeze': '1' is no epoch with which a frozen part could begin to learn, expected "
            "2 or more: what learns from the first is left out of freeze"
        ),
        rest=MODEL,
    ),
    config(
        "unknown keys, the nearest named",
        "data: {augmnt: []}\ntraining: {epoch: 3}",
        (
            "error: bad.yaml:1:8: no option 'augmnt' in 'data'; it has dataset, classes, assumed_classes, validation, "
            "fold, split_seed, take, corrections, label_noise, mean, std, augment. "
            "Did you mean 'augment'?\n"
            f"error: bad.yaml:2:12: no option 'epoch' in 'training'; {TRAINING_KEYS}. Did you mean 'epochs'?"
        ),
        rest=MODEL,
    ),
    config(
        "an unknown option of an optimizer",
        "optimizer: {sgd: {learning_rate: 0.1}}",
        (
            "error: bad.yaml:1:19: no option 'learning_rate' in optimizer 'sgd'; it has lr, momentum, "
            "weight_decay, nesterov, decoupled."
        ),
        rest=MODEL,
    ),
    config(
        "an unknown option of a layer",
        "model: [{conv: {channels: 8, kernal: 3}}]",
        (
            "error: bad.yaml:1:30: no option 'kernal' in layer 'conv'; it has channels, kernel, stride, "
            "padding, padding_mode, dilation, groups, bias, weight_standardization. Did you mean "
            "'kernel'?"
        ),
    ),
    config(
        "a word for a whole number",
        "training: {epochs: many}",
        "error: bad.yaml:1:12: 'epochs' is 'many', expected a whole number",
        rest=MODEL,
    ),
    config(
        "a fraction for a whole number",
        "training: {batch_size: 0.5}",
        "error: bad.yaml:1:12: 'batch_size' is '0.5', expected a whole number",
        rest=MODEL,
    ),
    config(
        "a word for a number",
        "optimizer: {sgd: {lr: fast}}",
        "error: bad.yaml:1:19: 'lr' is 'fast', expected a number",
        rest=MODEL,
    ),
    config(
        "a proxy that does not fit the images",
        "hardest: {proxy: [conv: {channels: 4, kernel: 99, padding: 0}, global_avg_pool, linear]}",
        "error: bad.yaml:1:19: layer 'conv' (1st of the model) does not fit: the height of its input, 32, is too small "
        "for a kernel of 99: floor((32 + 2·0 − 1·(99−1) − 1)/1) + 1 = −66; padding: 34 would fit (in the proxy of "
        "hardest)",
        rest=MODEL,
    ),
    config(
        "a proxy and a time budget",
        "hardest: {proxy: [global_avg_pool, linear]}",
        "error: bad.yaml:1:1: hardest: its proxy is trained for all epochs before the network, and "
        "training.time_budget may end the training before them; leave one of the two out",
        rest=f"training: {{time_budget: 90s}}\n{MODEL}",
    ),
    config(
        "yes and no that is neither",
        "training: {compile: perhaps}",
        "error: bad.yaml:1:12: 'compile' is 'perhaps', expected true or false, or 'reduce-overhead' or 'max-autotune'",
        rest=MODEL,
    ),
    config(
        "a list for a mapping",
        "training: [epochs, 3]",
        "error: bad.yaml:1:1: 'training' is a list of 2, expected a mapping",
        rest=MODEL,
    ),
    config(
        "a word for a mapping",
        "training: fast",
        "error: bad.yaml:1:1: 'training' is 'fast', expected a mapping",
        rest=MODEL,
    ),
    config(
        "a mapping for a list",
        "data: {augment: {flip: {}}}",
        "error: bad.yaml:1:8: 'augment' is a mapping, expected a list",
        rest=MODEL,
    ),
    config(
        "nothing where a value is needed",
        "training:\n  epochs:",
        "error: bad.yaml:2:3: 'epochs' is empty, expected a whole number",
        rest=MODEL,
    ),
    config(
        "a number out of range",
        "optimizer: {sgd: {momentum: 1.5}}",
        "error: bad.yaml:1:19: 'momentum' is '1.5', expected less than 1",
        rest=MODEL,
    ),
    config(
        "no epochs", "training: {epochs: 0}", "error: bad.yaml:1:12: 'epochs' is '0', expected more than 0", rest=MODEL
    ),
    config(
        "infinity",
        "optimizer: {sgd: {lr: .inf}}",
        "error: bad.yaml:1:19: 'lr' is '.inf', expected a number",
        rest=MODEL,
    ),
    config(
        "not a number",
        "optimizer: {sgd: {lr: nan}}",
        "error: bad.yaml:1:19: 'lr' is 'nan', expected a finite number",
        rest=MODEL,
    ),
    config(
        "a number of 5,000 digits",
        f"seed: {'9' * 5000}",
        (
            "error: bad.yaml:1:1: 'seed' is '9999999999999999999999999999999999999…', expected a whole "
            "number of reasonable size"
        ),
        rest=MODEL,
    ),
    config(
        "a list of one where two are needed",
        "model: [{conv: {channels: 8, kernel: [3]}}]",
        "error: bad.yaml:1:30: 'kernel' is a list of 1, expected more of them",
    ),
    config(
        "a word that is none of those allowed",
        "training: {precision: fp32x}",
        (
            "error: bad.yaml:1:12: 'precision' is 'fp32x', expected 'auto', 'fp32', 'bf16' or 'fp16'. "
            "Did you mean 'fp32'?"
        ),
        rest=MODEL,
    ),
    config(
        "a name with a slash",
        "name: ../escape",
        (
            "error: bad.yaml:1:1: 'name': '../escape' cannot name a run: expected up to 100 letters, "
            "digits, '.', '_' and '-', a letter or digit first"
        ),
        rest=MODEL,
    ),
    config(
        "several mistakes, told at once in their order",
        "training: {epochs: -1, batchsize: 3}\noptimizer: adamww\nmodel:\n  - conv: {channels: none}\n  - linaer",
        (
            "error: bad.yaml:1:12: 'epochs' is '-1', expected more than 0\n"
            f"error: bad.yaml:1:24: no option 'batchsize' in 'training'; {TRAINING_KEYS}. Did you mean 'batch_size'?\n"
            f"error: bad.yaml:2:1: no optimizer 'adamww'; {OPTIMIZERS}. Did you mean 'adamw'?\n"
            "error: bad.yaml:4:12: 'channels': a whole number above 0 or 'classes' (as many as there are classes) is "
            "expected, not 'none'\n"
            f"error: bad.yaml:5:5: no layer 'linaer'; {LAYERS}. Did you mean 'linear'?"
        ),
    ),
    config(
        "an override without '='",
        TINY,
        "error: override 'epochs': expected KEY=VALUE, such as training.epochs=3",
        command="cnnlab train bad.yaml epochs",
    ),
    config(
        "an override of an unknown key",
        TINY,
        (
            "error: override 'trainning.epochs=3': no option 'trainning'; known: name, seed, plugins, "
            "data, blocks, model, initialization, counterpart, weights, init_from, adapt_channels, new_head"
            f" and {MORE_CONFIG_KEYS} more. Did you mean 'training'?"
        ),
        command="cnnlab train bad.yaml trainning.epochs=3",
    ),
    config(
        "an override of an unknown option",
        TINY,
        (
            "error: override 'optimizer.momentun=0.5': no option 'momentun' in optimizer 'sgd'; it has "
            "lr, momentum, weight_decay, nesterov, decoupled. Did you mean 'momentum'?"
        ),
        command="cnnlab train bad.yaml optimizer.momentun=0.5",
    ),
    config(
        "an override with a wrong index",
        TINY,
        ("error: override 'model.7.channels=8': 'model' is a list of 3, counted from 0; '7' is not in it"),
        command="cnnlab train bad.yaml model.7.channels=8",
    ),
    config(
        "an override of the wrong type",
        TINY,
        "error: override 'training.epochs=soon': 'epochs' is 'soon', expected a whole number",
        command="cnnlab train bad.yaml training.epochs=soon",
    ),
    config(
        "an override of nothing",
        TINY,
        "error: override 'early_stopping.patience=': 'patience' is empty, expected a whole number",
        command="cnnlab train bad.yaml early_stopping.patience=",
    ),
    config(
        "an override that is no YAML",
        TINY,
        (
            "error: override 'model=[linear': not YAML: expected ',' or ']', but got '<stream end>' "
            "(while parsing a flow sequence)"
        ),
        command="cnnlab train bad.yaml 'model=[linear'",
    ),
    config(
        "an override of a part that is not set",
        TINY,
        "error: override 'clipping.norm=1': 'clipping' is not set; name one first: clipping=NAME",
        command="cnnlab train bad.yaml clipping.norm=1",
    ),
    config(
        "plugins that are not allowed",
        "plugins: [mine.py]",
        "error: bad.yaml:1:1: plugins run Python code from a file (mine.py); allow that with --allow-plugins if you "
        "trust it",
        rest=MODEL,
        make=file("mine.py", ""),
    ),
    config(
        "a plugin that is missing",
        "plugins: [mine.py]",
        "error: no plugin file 'mine.py' (looked at /place/mine.py)",
        rest=MODEL,
        command="cnnlab train bad.yaml --allow-plugins",
    ),
    config(
        "a plugin with a mistake in its syntax",
        "plugins: [mine.py]",
        "error: /place/mine.py:2: the plugin 'mine.py' cannot be loaded: SyntaxError: invalid syntax",
        rest=MODEL,
        command="cnnlab train bad.yaml --allow-plugins",
        make=file("mine.py", "import torch\ndef layer(:\n"),
    ),
    config(
        "a plugin that fails when it is imported",
        "plugins: [mine.py]",
        (
            "error: /place/mine.py:1: the plugin 'mine.py' cannot be loaded: ModuleNotFoundError: No "
            "module named 'nosuchmodule'"
        ),
        rest=MODEL,
        command="cnnlab train bad.yaml --allow-plugins",
        make=file("mine.py", "import nosuchmodule\n"),
    ),
    config(
        "a plugin that registers a layer without a type",
        "plugins: [mine.py]",
        (
            "error: /place/mine.py:4: the plugin 'mine.py' cannot be loaded: ValueError: the option "
            "'size' of the layer 'mine' has no annotation"
        ),
        rest=MODEL,
        command="cnnlab train bad.yaml --allow-plugins",
        make=file(
            "mine.py",
            "from torch import nn\nfrom cnnlab.models.registry import LAYERS\n\n"
            "@LAYERS.register('mine')\ndef mine(*, size=3):\n    return nn.Identity()\n",
        ),
    ),
)
