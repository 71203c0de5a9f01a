"""Folders and tables for which no config can be made: `init`."""

from bad_inputs.case import Case, Make, both, file, nothing
from bad_inputs.own_images import empty, folders


def refused(wrong: str, command: str, message: str, make: Make = nothing, exit_code: int = 2) -> Case:
    """`init` of what cannot be trained on; nothing is written."""
    return Case(wrong, f"cnnlab init {command}", message, exit_code, make)


SOUND = folders("cat", "dog")
WAY = "expected a folder of class folders, or a .csv file with the columns path and label"

STARTING = (
    refused("a folder that is not there", "imags", "error: imags: no such folder or CSV file"),
    refused("a file in place of a folder", "one.txt", f"error: one.txt: {WAY}", file("one.txt", "hello")),
    refused(
        "a folder without anything",
        "images",
        "error: images: has no class folders; expected one folder per class, with its images inside",
        empty("images"),
    ),
    refused(
        "a folder of one class",
        "images",
        "error: images: has one class only (cat); a classifier needs at least two",
        folders("cat"),
    ),
    refused(
        "a table without the column label",
        "t.csv",
        "error: t.csv:1: no column 'label'; the first line has path, class, expected path,label[,group].",
        both(SOUND, file("t.csv", "path,class\nimages/cat/0.png,cat\n")),
    ),
    refused(
        "a table of files that are not there",
        "t.csv",
        "error: t.csv:3: no such file: images/dog/99.png",
        both(SOUND, file("t.csv", "path,label\nimages/cat/0.png,cat\nimages/dog/99.png,dog\n")),
    ),
    refused(
        "a table with a part that is none",
        "t.csv",
        "error: t.csv:2: the part 'practice' is none; expected one of train, training, val, valid, validation, dev, "
        "test, testing, eval",
        both(SOUND, file("t.csv", "path,label,part\nimages/cat/0.png,cat,practice\n")),
    ),
    refused(
        "a table without a training part",
        "t.csv",
        "error: t.csv: no row is of the part train; a network has to learn from some",
        both(SOUND, file("t.csv", "path,label,part\nimages/cat/0.png,cat,test\n")),
    ),
    refused(
        "a class of which no image can be read",
        "images",
        "error: no image of the class 'bird' in images can be read:\nerror:   images/bird/0.png: is empty",
        both(SOUND, file("images/bird/0.png", "")),
    ),
    refused(
        "a config that is there",
        "images",
        "error: --out is 'images.yaml', a file that is there; name another file, or remove it",
        both(SOUND, file("images.yaml", "seed: 1\n")),
    ),
    refused(
        "a config in a folder that is not there",
        "images --out configs/i.yaml",
        "error: --out is 'configs/i.yaml', and there is no folder configs; make it first",
        SOUND,
    ),
)
