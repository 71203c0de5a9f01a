"""Configs that name a network in Python, and are wrong about it."""

from bad_inputs.case import SMALL, Case, config, file

NET = file(
    "net.py",
    "from torch import nn\n"
    "def build(depth=1, *, classes=2, num_classes=None): return nn.Sequential(nn.Flatten(), nn.Linear(768, 2))\n"
    "def wide(num_classes=1000): return nn.Sequential(nn.Flatten(), nn.Linear(768, num_classes))\n"
    "def frozen(classes): return wide(classes).requires_grad_(False)\n"
    "class Maps(nn.Conv2d):\n"
    "    def __init__(self): super().__init__(3, 10, 3)\n"
    "READY = wide(10)\n"
    "SIZES = [1, 2]\n",
)


def own(wrong: str, model: str, message: str, command: str = "cnnlab train bad.yaml --allow-plugins") -> Case:
    """A config whose `model` is wrong."""
    return config(wrong, f"model: {model}", message, rest=SMALL, make=NET, command=command)


OWN_NETWORKS = (
    own(
        "a network in Python that is not allowed",
        "{python: net.py:build}",
        "error: bad.yaml:1:9: 'model.python' runs Python code (net.py:build); allow that with --allow-plugins if you "
        "trust it",
        command="cnnlab train bad.yaml",
    ),
    own(
        "the place of a network by itself",
        "net.py:build",
        "error: bad.yaml:1:1: 'model' is 'net.py:build', expected a list of layers; a network of your own is written "
        "{python: net.py:build}",
    ),
    own(
        "a key of a network in Python that is written wrongly",
        "{pyton: net.py:build}",
        "error: bad.yaml:1:1: 'model' needs 'python' (its place, FILE.py:NAME or package.module:NAME: of a class, of a "
        "function, or of a module)\n"
        "error: bad.yaml:1:9: no option 'pyton' in 'model'; it has python, options. Did you mean 'python'?",
    ),
    own(
        "a file without the name of a network",
        "{python: net.py}",
        "error: bad.yaml:1:9: 'python': 'net.py' names no network in it: expected FILE.py:NAME or "
        "package.module:NAME, with arguments as literals, such as net.py:ResNet(depth=20); net.py has build, wide, "
        "frozen, Maps",
    ),
    own(
        "options that are a list",
        "{python: net.py:build, options: [20]}",
        "error: bad.yaml:1:31: 'options' is a list of 1, expected a mapping",
    ),
    own(
        "an argument that is given twice",
        "{python: net.py:build(depth=20), options: {depth: 32}}",
        "error: bad.yaml:1:41: 'options': 'depth' is given twice, here and in net.py:build(depth=20); leave one of "
        "them out",
    ),
    own(
        "a file of a network that is missing",
        "{python: nets.py:build}",
        "error: bad.yaml:1:9: no file 'nets.py' (looked at /place/nets.py); there is net.py",
    ),
    own(
        "a network that is not in the file",
        "{python: net.py:biuld}",
        "error: bad.yaml:1:9: net.py: no class, function or module 'biuld'; known: build, wide, frozen, Maps, READY. "
        "Did you mean 'build'?",
    ),
    own(
        "what is no network",
        "{python: net.py:SIZES}",
        "error: bad.yaml:1:9: net.py:SIZES is a list, expected a class or a function that makes a torch.nn.Module, or "
        "a module",
    ),
    own(
        "an argument that the network does not have",
        "{python: net.py:build, options: {dept: 20}}",
        "error: bad.yaml:1:9: net.py:build has no parameter 'dept'; known: depth, classes, num_classes. Did you mean "
        "'depth'?",
    ),
    own(
        "arguments of a module",
        "{python: net.py:READY, options: {depth: 20}}",
        "error: bad.yaml:1:9: net.py:READY is a module already, and takes no arguments",
        command="cnnlab config check bad.yaml --allow-plugins",
    ),
    own(
        "a network for another number of classes",
        "{python: net.py:wide}",
        "error: bad.yaml:1:9: net.py:wide (in evaluation mode) puts out (2, 1000) for 2 images; expected logits, one "
        "row of 10 numbers an image: (images, 10); add options: {num_classes: 10}",
    ),
    own(
        "a network that puts out maps",
        "{python: net.py:Maps}",
        "error: bad.yaml:1:9: net.py:Maps (in evaluation mode) puts out (2, 10, 14, 14) for 2 images; expected logits, "
        "one row of 10 numbers an image: (images, 10); wrap it in a module whose forward returns the logits alone",
    ),
    own(
        "a network of which nothing is learned",
        "{python: net.py:frozen}",
        "error: bad.yaml:1:9: net.py:frozen has no parameter that is learned: requires_grad is False for all, or it "
        "has none",
    ),
)
