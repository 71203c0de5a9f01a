"""Outsiders that are none, scores that are none, and rules that belong to other weights: `reject`."""

from pathlib import Path
from typing import Any

import torch
from bad_inputs.case import Case, Make, both, file, nothing
from bad_inputs.images import png
from bad_inputs.own_images import empty
from safetensors.torch import save_file

RULE = "runs/tiny/rejection.safetensors"


def refused(wrong: str, options: str, message: str, make: Make = nothing, **more: Any) -> Case:
    """`reject` of a sound run; nothing is written."""
    return Case(wrong, f"cnnlab reject tiny {options}", message, make=make, run=True, **more)


def asked(wrong: str, command: str, message: str, make: Make = nothing) -> Case:
    """A rule is asked for that is not there, or does not fit."""
    return Case(wrong, command, message, make=make, run=True)


def foreign(folder: Path) -> None:
    save_file({"weight": torch.zeros(3)}, folder / RULE)


def other_weights(folder: Path) -> None:
    from cnnlab.core.registry import component
    from cnnlab.rejection.kept import Measured, Rejection, write

    rule = Rejection(component("score", "energy"), "linear1", {}, 0.0, 0.95, "another", {})
    write(rule, Measured({}, {}), folder / RULE)


def linked(folder: Path) -> None:
    (folder / RULE).symlink_to(folder / "elsewhere")


PREDICT = "cnnlab predict tiny a.png --reject"
IMAGE = file("a.png", png(1))

REJECTIONS = (
    refused(
        "outsiders that are neither made, nor a data set, nor a folder",
        "--outside photoes",
        (
            "error: --outside names no folder, and no data set 'photoes'; known: noise, numbers, patches, "
            "textures, cifar10, cifar100, fashion_mnist, folder, mnist, pairs, shapes, stl10 and 1 more."
        ),
    ),
    refused(
        "outsiders that are the network's own classes",
        "--outside shapes",
        "error: --outside: every class of shapes is one of tiny's, so none is outside",
    ),
    refused(
        "a folder of outsiders without an image",
        "--outside photos",
        (
            "error: --outside: photos: no images in this folder (.jpg, .jpeg, .jfif, .png, .apng, .gif, "
            ".bmp, .tif, .tiff, .webp, .avif, .ppm, .pgm, .pbm, .pnm, .jp2, .mpo, .tga, .ico)"
        ),
        empty("photos"),
    ),
    refused(
        "a folder of outsiders with none that can be read",
        "--outside photos",
        (
            "error: --outside: photos/a.png: is no image of a known format (JPEG, PNG, GIF, BMP, TIFF, WEBP,"
            " AVIF, PPM, JPEG2000, TGA, ICO)"
        ),
        file("photos/a.png", "no image"),
    ),
    refused(
        "a score that does not exist, the nearest named",
        "--score enregy",
        (
            "error: --score: no score 'enregy'; known: energy, knn_cosine, knn_euclid, mahalanobis, "
            "max_logit, max_probability. Did you mean 'energy'?"
        ),
    ),
    refused(
        "accepted images from the test part",
        "--accept test",
        "error: the test part is opened by `cnnlab eval --split test` alone; use --split validation",
    ),
    refused(
        "a threshold that accepts nothing",
        "--share 0",
        (
            "Usage: cnnlab reject [OPTIONS] {MODEL}\nTry 'cnnlab reject -h' for help.\nError\nInvalid value for"
            " '--share': Input should be greater than or equal to 0.01"
        ),
    ),
    refused(
        "too few accepted images",
        "--count 3",
        (
            "Usage: cnnlab reject [OPTIONS] {MODEL}\nTry 'cnnlab reject -h' for help.\nError\nInvalid value for"
            " '--count': Input should be greater than or equal to 4"
        ),
    ),
    refused(
        "a rule that is a link",
        "--outside noise",
        (
            "error: /place/runs/tiny/rejection.safetensors: is a link to /place/elsewhere, and a run is its "
            "own folder: nothing is written through a link. Put what it leads to in its place; the run's "
            "whole folder /place/runs/tiny may be a link"
        ),
        linked,
    ),
    Case(
        "a rule for a network that has no data",
        "cnnlab reject torchvision:squeezenet1_1",
        ("error: torchvision:squeezenet1_1 has no images of its own; name a folder, a CSV or a data set with --data"),
    ),
    asked(
        "predict --reject before there is a rule",
        PREDICT,
        "error: runs/tiny/rejection.safetensors: there is none; `cnnlab reject tiny` makes it",
        IMAGE,
    ),
    asked(
        "eval --reject before there is a rule",
        "cnnlab eval tiny --reject",
        "error: runs/tiny/rejection.safetensors: there is none; `cnnlab reject tiny` makes it",
    ),
    asked(
        "a rule that was made for other weights",
        PREDICT,
        (
            "error: runs/tiny/rejection.safetensors: was made for other weights of tiny, or for images "
            "prepared otherwise; `cnnlab reject tiny` makes it anew"
        ),
        both(IMAGE, other_weights),
    ),
    asked(
        "a rule that is a file of weights",
        PREDICT,
        ("error: runs/tiny/rejection.safetensors: weights that cnnlab did not write: the header lacks its facts"),
        both(IMAGE, foreign),
    ),
    asked(
        "a rule that is damaged",
        PREDICT,
        (
            "error: runs/tiny/rejection.safetensors: damaged weights (Error while deserializing header: "
            "header too small)"
        ),
        both(IMAGE, file(RULE, "damaged")),
    ),
)
