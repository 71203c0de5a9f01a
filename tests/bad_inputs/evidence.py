"""Runs that cannot be audited, and methods that cannot be checked, as asked."""

import json
from pathlib import Path

from bad_inputs.case import Case


def without_weights(folder: Path) -> None:
    for path in (folder / "runs" / "tiny" / "checkpoints").iterdir():
        path.unlink()


def without_validation(folder: Path) -> None:
    path = folder / "runs" / "tiny" / "run.json"
    record = json.loads(path.read_text())
    record["data"]["validation"] = 0
    path.write_text(json.dumps(record))


EVIDENCE = (
    Case(
        "an audit of a run that is not there",
        "cnnlab audit tinny",
        "error: no run 'tinny' under runs. Did you mean 'tiny'? MODEL is a run, a config (.yaml), an exported "
        "file or folder, FILE.py:NAME, torchvision:NAME or timm:NAME.",
        run=True,
    ),
    Case(
        "an audit of a run without weights",
        "cnnlab audit tiny",
        ("error: the run tiny (finished) has no best weights yet: runs/tiny/checkpoints/best.safetensors is missing"),
        run=True,
        make=without_weights,
    ),
    Case(
        "an audit of a part that was not kept",
        "cnnlab audit tiny --split validation",
        "error: the run tiny kept no validation part (data.validation is 0); use --split train",
        run=True,
        make=without_validation,
    ),
    Case(
        "an audit of the test part",
        "cnnlab audit tiny --split test",
        "error: the test part is opened by `cnnlab eval --split test` alone; use --split validation",
        run=True,
    ),
    Case(
        "an audit by a method that does not exist, the nearest named",
        "cnnlab audit tiny --method gradcm",
        "error: no method 'gradcm'. Did you mean 'gradcam'? All of them: cnnlab list methods",
        run=True,
    ),
    Case(
        "an audit at a layer that does not exist",
        "cnnlab audit tiny --layer conv_bn_act9",
        (
            "error: no layer 'conv_bn_act9'; known: conv_bn_act1, conv_bn_act1.conv, conv_bn_act1.norm, "
            "conv_bn_act1.activation, global_avg_pool1, linear1. Did you mean 'conv_bn_act1'?"
        ),
        run=True,
    ),
    Case(
        "an audit by two methods",
        "cnnlab audit tiny --method gradient,rise:masks=40",
        "error: an audit goes by one method, and gradient and rise are asked for",
        run=True,
    ),
    Case(
        "an audit at a layer by a method of pixels",
        "cnnlab audit tiny --method gradient --layer conv_bn_act1",
        "error: --layer conv_bn_act1: gradient maps pixels, not a layer",
        run=True,
    ),
    Case(
        "an audit by groups that the data has not",
        "cnnlab audit tiny --by group",
        "error: the data set shapes has no groups; --by class works for every data set",
        run=True,
    ),
    Case(
        "an audit by a part of paths where there are none",
        "cnnlab audit tiny --by '(ward.)'",
        "error: --by is '(ward.)', expected class or group: the images of shapes have no paths",
        run=True,
    ),
    Case(
        "a limit on the evidence beyond all of it",
        "cnnlab audit tiny --max-border 1.5",
        (
            "Usage: cnnlab audit [OPTIONS] {MODEL}\n"
            "Try 'cnnlab audit -h' for help.\n"
            "Error\n"
            "Invalid value for '--max-border': Input should be less than or equal to 1"
        ),
        run=True,
    ),
    Case(
        "an audit of no image",
        "cnnlab audit tiny --count 0",
        (
            "Usage: cnnlab audit [OPTIONS] {MODEL}\n"
            "Try 'cnnlab audit -h' for help.\n"
            "Error\n"
            "Invalid value for '--count': Input should be greater than or equal to 1"
        ),
        run=True,
    ),
    Case(
        "a sanity check of a run without weights",
        "cnnlab sanity tiny",
        ("error: the run tiny (finished) has no best weights yet: runs/tiny/checkpoints/best.safetensors is missing"),
        run=True,
        make=without_weights,
    ),
    Case(
        "a sanity check of a method that does not exist, the nearest named",
        "cnnlab sanity tiny --method gradcam,gradiant",
        "error: no method 'gradiant'. Did you mean 'gradient'? All of them: cnnlab list methods",
        run=True,
    ),
    Case(
        "a sanity check of methods with a name left out",
        "cnnlab sanity tiny --method gradcam,",
        "error: --method is 'gradcam,', expected names with commas between them",
        run=True,
    ),
    Case(
        "a sanity check on the test part",
        "cnnlab sanity tiny --split test",
        "error: the test part is opened by `cnnlab eval --split test` alone; use --split validation",
        run=True,
    ),
    Case(
        "a sanity check on a part that was not kept",
        "cnnlab sanity tiny --split validation",
        "error: the run tiny kept no validation part (data.validation is 0); use --split train",
        run=True,
        make=without_validation,
    ),
    Case(
        "epochs on random labels that are not asked for",
        "cnnlab sanity tiny --epochs 9",
        "error: --epochs 9 is of the training on random labels; add --labels",
        run=True,
    ),
    Case(
        "a sanity check with one image and batch normalisation",
        "cnnlab sanity tiny --count 1",
        "error: batch normalisation needs two or more images to take its statistics from; there is one",
        run=True,
    ),
)
