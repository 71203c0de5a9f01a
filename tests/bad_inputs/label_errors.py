"""Searches for label errors that cannot be made, and tables of corrections that do not fit."""

from bad_inputs.case import TINY, Case, file

SOUND = file("tiny.yaml", TINY)


def refused(wrong: str, command: str, message: str) -> Case:
    """A sound config, asked for what cannot be."""
    return Case(wrong, f"cnnlab {command}", message, make=SOUND)


LABEL_ERRORS = (
    refused(
        "label errors with one fold",
        "data label-errors tiny.yaml --folds 1",
        "error: --folds is 1, expected 2 or more: each network is asked about images it was not shown",
    ),
    refused(
        "more folds than a class has images",
        "data label-errors tiny.yaml --folds 50",
        "error: the class 'disc' of shapes has 6 images, fewer than the 50 folds; take fewer folds, add images, or "
        "leave the class out",
    ),
    refused(
        "a fold that is none of them",
        "data stats tiny.yaml 'data.fold={number: 5, of: 4}'",
        "error: data.fold has the number 5 of 4 folds; expected 1 to 4",
    ),
    refused(
        "folds of a data set that is divided already",
        "data label-errors tiny.yaml 'data.fold={number: 1, of: 4}'",
        "error: data.fold divides the training part already; leave it out, --folds says how many there are",
    ),
    refused(
        "probabilities that are not there",
        "data label-errors tiny.yaml --probabilities p.npy",
        "error: p.npy: no such file",
    ),
    refused(
        "corrections that are not there",
        "train tiny.yaml data.corrections=labels.csv",
        "error: labels.csv: no such file",
    ),
    refused(
        "more labels swapped than there are",
        "train tiny.yaml 'data.label_noise={swap: 1.5}'",
        "error: override 'data.label_noise={swap: 1.5}': 'swap' is '1.5', expected less than 1",
    ),
)
