"""The user's own images: folders, CSVs and files that are wrong."""

from functools import partial
from pathlib import Path

from bad_inputs.case import MODEL, Case, Make, both, config, file
from bad_inputs.images import bomb, class_folders, float_tiff, png

from cnnlab.view import csv

STATS = "cnnlab data stats bad.yaml"
FOLDER = "data: {dataset: {folder: {path: images, size: 8}}}"
CSV = "data: {dataset: {folder: {path: images.csv, size: 8}}}"


def folders(*classes: str, count: int = 4) -> Make:
    """`images/CLASS/N.png`."""
    return lambda folder: class_folders(folder / "images", classes=classes, count=count)


def empty(*names: str) -> Make:
    """Folders without anything."""

    def make(folder: Path) -> None:
        for name in names:
            (folder / name).mkdir(parents=True)

    return make


def own(wrong: str, make: Make, message: str, *, text: str = FOLDER, command: str = STATS) -> Case:
    """The data set `folder`, with images that are wrong."""
    return config(
        wrong, text, message, rest=MODEL, make=make, command=command, content="" if text in (FOLDER, CSV) else text
    )


def table(wrong: str, content: str | bytes, message: str) -> Case:
    """The data set `folder`, with a CSV that is wrong; `images/cat/0.png` and the like are there."""
    make = both(folders("cat", "dog"), file("images.csv", content))
    return own(wrong, make, message, text=CSV)


def parts(**classes: str) -> Make:
    """`images/PART/CLASS/N.png`."""
    return both(*(partial(_part, part, names.split()) for part, names in classes.items()))


def _part(part: str, classes: list[str], folder: Path) -> None:
    class_folders(folder / "images" / part, classes=tuple(classes))


def two_test_classes(folder: Path) -> None:
    class_folders(folder / "images" / "train")
    class_folders(folder / "images" / "test", classes=("cat", "fox"))


OWN_IMAGES = (
    own(
        "no such folder",
        folders("cat", "dog"),
        "error: bad.yaml:1:18: dataset 'folder': imags: no such folder or CSV file",
        text="data: {dataset: {folder: {path: imags}}}",
    ),
    own(
        "an image instead of a folder",
        file("one.png", png()),
        (
            "error: bad.yaml:1:18: dataset 'folder': one.png: expected a folder of class folders, or a "
            ".csv file with the columns path and label"
        ),
        text="data: {dataset: {folder: {path: one.png}}}",
    ),
    own(
        "an empty folder",
        empty("images"),
        (
            "error: bad.yaml:1:18: dataset 'folder': images: has no class folders; expected one folder "
            "per class, with its images inside"
        ),
    ),
    own(
        "images in no class folder",
        file("images/0.png", png()),
        (
            "error: bad.yaml:1:18: dataset 'folder': images: has no class folders; expected one folder "
            "per class, with its images inside"
        ),
    ),
    own(
        "class folders without images",
        empty("images/cat", "images/dog"),
        (
            "error: bad.yaml:1:18: dataset 'folder': images: no images in its class folders; their "
            "names should end in .jpg, .jpeg, .jfif, .png, .apng, .gif, .bmp, .tif, .tiff, .webp, .avif, "
            ".ppm, .pgm, .pbm, .pnm, .jp2, .mpo, .tga, .ico"
        ),
    ),
    own(
        "one class only",
        folders("cat"),
        ("error: bad.yaml:1:18: dataset 'folder': images: has one class only (cat); a classifier needs at least two"),
    ),
    own(
        "an empty class",
        both(folders("cat", "dog"), empty("images/fox")),
        ("error: bad.yaml:1:18: dataset 'folder': images: no images in the class folder fox; fill it or remove it"),
    ),
    own(
        "an empty class in the validation part",
        both(parts(train="cat dog", val="cat", test="cat dog"), empty("images/val/dog")),
        ("error: bad.yaml:1:18: dataset 'folder': images/val: no images in the class folder dog; fill it or remove it"),
    ),
    own(
        "a class of the validation part that the training part lacks",
        parts(train="cat dog", val="cat dogs", test="cat dog"),
        (
            "error: bad.yaml:1:18: dataset 'folder': images/val: has the class dogs, which the training part "
            "lacks; it has cat, dog. Did you mean 'dog'?"
        ),
    ),
    own(
        "two folders that may both be the validation part",
        parts(train="cat dog", val="cat dog", dev="cat dog"),
        (
            "error: bad.yaml:1:18: dataset 'folder': images: has dev/ and val/, which are all called like the "
            "validation part; name one with the option 'validation', such as validation: dev"
        ),
        command="cnnlab train bad.yaml",
    ),
    own(
        "parts beside a folder that may be a class",
        parts(train="cat dog", val="cat dog", more="cat dog"),
        (
            "error: bad.yaml:1:18: dataset 'folder': images: has train/ and val/, called like parts, and more/, "
            "called like classes; name the parts with the options 'train', 'validation' and 'test' (train: . where "
            "every folder is a class)"
        ),
    ),
    own(
        "one folder as two parts",
        parts(train="cat dog", val="cat dog"),
        ("error: bad.yaml:1:18: dataset 'folder': images/val: is the validation part and the test part at once"),
        text="data: {dataset: {folder: {path: images, validation: val, test: val}}}",
    ),
    own(
        "a validation part that is not there",
        parts(train="cat dog", val="cat dog"),
        ("error: bad.yaml:1:18: dataset 'folder': 'validation' is 'vall', and there is no images/vall nor vall"),
        text="data: {dataset: {folder: {path: images, validation: vall}}}",
    ),
    own(
        "a folder in place of the share for validation",
        parts(train="cat dog", val="cat dog"),
        (
            "error: bad.yaml:1:43: 'validation': 'val' is no share of the training part, such as 0.1; the folder of "
            "a validation part is an option of the data set: dataset: {folder: {path: …, validation: val}}"
        ),
        text="data: {dataset: {folder: {path: images}}, validation: val}",
    ),
    own(
        "config check of images that are not there",
        folders("cat", "dog"),
        "error: bad.yaml:1:18: dataset 'folder': imags: no such folder or CSV file",
        text="data: {dataset: {folder: {path: imags}}}",
        command="cnnlab config check bad.yaml",
    ),
    own(
        "one image in a class",
        both(folders("cat", "dog"), file("images/fox/0.png", png())),
        (
            "error: the class 'fox' of folder has a single image, which cannot be in both parts; add "
            "images, leave the class out, or use a validation fraction of 0"
        ),
    ),
    own(
        "every image of a class corrupt",
        both(folders("cat"), file("images/dog/0.png", png()[:40]), file("images/dog/1.png", b"")),
        (
            "error: bad.yaml:1:18: dataset 'folder': 2 of 6 images in images cannot be read, so the "
            "class dog has none left:\n"
            "error:   images/dog/0.png: is no image of a known format (JPEG, PNG, GIF, BMP, TIFF, "
            "WEBP, AVIF, PPM, JPEG2000, TGA, ICO)\n"
            "error:   images/dog/1.png: is empty"
        ),
    ),
    own(
        "a corrupt image where that is fatal",
        both(folders("cat", "dog"), file("images/dog/9.png", png()[:40])),
        (
            "error: bad.yaml:1:18: dataset 'folder': 1 of 9 images in images cannot be read "
            "('on_error: skip' would leave them out):\n"
            "error:   images/dog/9.png: is no image of a known format (JPEG, PNG, GIF, BMP, TIFF, "
            "WEBP, AVIF, PPM, JPEG2000, TGA, ICO)"
        ),
        text="data: {dataset: {folder: {path: images, size: 8, on_error: fatal}}}",
    ),
    own(
        "text files called .png",
        both(*(file(f"images/{name}/{k}.png", "hello") for name in ("cat", "dog") for k in range(2))),
        (
            "error: bad.yaml:1:18: dataset 'folder': 4 of 4 images in images cannot be read, so the "
            "class cat has none left:\n"
            "error:   images/cat/0.png: is no image of a known format (JPEG, PNG, GIF, BMP, TIFF, "
            "WEBP, AVIF, PPM, JPEG2000, TGA, ICO)\n"
            "error:   images/cat/1.png: is no image of a known format (JPEG, PNG, GIF, BMP, TIFF, "
            "WEBP, AVIF, PPM, JPEG2000, TGA, ICO)\n"
            "error:   images/dog/0.png: is no image of a known format (JPEG, PNG, GIF, BMP, TIFF, "
            "WEBP, AVIF, PPM, JPEG2000, TGA, ICO)\n"
            "error:   images/dog/1.png: is no image of a known format (JPEG, PNG, GIF, BMP, TIFF, "
            "WEBP, AVIF, PPM, JPEG2000, TGA, ICO)"
        ),
    ),
    own(
        "a test class that training lacks",
        two_test_classes,
        (
            "error: bad.yaml:1:18: dataset 'folder': images/test: has the class fox, which the training"
            " part lacks; it has cat, dog"
        ),
        command="cnnlab data leaks bad.yaml --with-test",
    ),
    own(
        "no test part",
        folders("cat", "dog", count=20),
        (
            "error: bad.yaml:1:18: dataset 'folder': images: has no test part; divide it into "
            "images/train and images/test, or name a folder or CSV with the option 'test'"
        ),
        command="cnnlab data leaks bad.yaml --with-test",
    ),
    own(
        "a pattern for groups that is no regular expression",
        folders("cat", "dog"),
        (
            "error: bad.yaml:1:41: 'groups': (cat is not a regular expression: missing ), unterminated "
            "subpattern at position 0"
        ),
        text="data: {dataset: {folder: {path: images, groups: '(cat'}}}",
    ),
    own(
        "a pattern for groups without a capture",
        folders("cat", "dog"),
        "error: bad.yaml:1:41: 'groups': cat captures 0 parts, expected one, such as (patient\\d+)",
        text="data: {dataset: {folder: {path: images, groups: cat}}}",
    ),
    own(
        "a pattern for groups that does not match",
        folders("cat", "dog"),
        (
            "error: bad.yaml:1:18: dataset 'folder': 'groups': (patient[0-9]+) does not match 8 of 8 "
            "paths, such as cat/0.png"
        ),
        text="data: {dataset: {folder: {path: images, groups: '(patient[0-9]+)'}}}",
    ),
    own(
        "a group for each class, so that no split is possible",
        folders("cat", "dog"),
        (
            "error: whichever group of folder is kept for validation, some class is no longer in the "
            "training part, because all of its images belong to that group; use finer groups, or a "
            "validation fraction of 0"
        ),
        text="data: {dataset: {folder: {path: images, size: 8, groups: '(cat|dog)'}}}",
    ),
    own(
        "images of no size",
        folders("cat", "dog"),
        "error: bad.yaml:1:41: 'size' is '0', expected at least 1, or a list",
        text="data: {dataset: {folder: {path: images, size: 0}}}",
    ),
    own(
        "two channels",
        folders("cat", "dog"),
        "error: bad.yaml:1:41: 'channels' is '2', expected 1 or 3",
        text="data: {dataset: {folder: {path: images, channels: 2}}}",
    ),
    table(
        "a CSV without the column label",
        "path,class\nimages/cat/0.png,cat\n",
        (
            "error: bad.yaml:1:18: dataset 'folder': images.csv:1: no column 'label'; the first line "
            "has path, class, expected path,label[,group]."
        ),
    ),
    table(
        "a CSV with semicolons",
        "path;label\nimages/cat/0.png;cat\n",
        (
            "error: bad.yaml:1:18: dataset 'folder': images.csv:1: no column 'path'; the first line has"
            " path;label, expected path,label[,group]. Separate the columns with commas."
        ),
    ),
    table(
        "a CSV with a header and no rows",
        "path,label\n",
        "error: bad.yaml:1:18: dataset 'folder': images.csv: has a header and no rows",
    ),
    table(
        "an empty CSV",
        "",
        (
            "error: bad.yaml:1:18: dataset 'folder': images.csv:1: no column 'path'; the first line has"
            " nothing, expected path,label[,group]."
        ),
    ),
    table(
        "a CSV whose lines are wrong in three ways",
        "path,label\nimages/cat/0.png,cat\nimages/cat/7.png,cat\nimages/dog/0.png\nimages/cat/0.png,cat\n",
        (
            "error: bad.yaml:1:18: dataset 'folder': images.csv:3: no such file: images/cat/7.png\n"
            "error: images.csv:4: no label\n"
            "error: images.csv:5: images/cat/0.png is given twice; first on line 2"
        ),
    ),
    table(
        "a CSV of one class",
        "path,label\nimages/cat/0.png,cat\nimages/cat/1.png,cat\n",
        (
            "error: bad.yaml:1:18: dataset 'folder': images.csv: has one class only (cat); a classifier"
            " needs at least two"
        ),
    ),
    table(
        "a CSV in UTF-16",
        "path,label\n".encode("utf-16"),
        "error: bad.yaml:1:18: dataset 'folder': images.csv: is not UTF-8 text (byte 0)",
    ),
    table(
        "a CSV with a column twice",
        "path,label,label\nimages/cat/0.png,cat,cat\n",
        "error: bad.yaml:1:18: dataset 'folder': images.csv:1: the column 'label' is given twice",
    ),
)

PREDICT = "cnnlab predict tiny --csv"


def image(wrong: str, name: str, content: bytes | str, message: str) -> Case:
    """An image to predict that cannot be read."""
    reason = message.partition(f"unreadable: {name}: ")[2]
    return Case(
        wrong,
        f"{PREDICT} {name}",
        message,
        exit_code=1,
        make=file(name, content),
        run=True,
        stdout=f"path,label,probability,error\n{csv.text([[name, '', '', reason]])}".rstrip(),
    )


OWN_IMAGES += (
    image("a file of no bytes", "a.png", b"", ("0 images, N a second\nunreadable: a.png: is empty")),
    image(
        "a text called .png",
        "a.png",
        "hello",
        (
            "0 images, N a second\n"
            "unreadable: a.png: is no image of a known format (JPEG, PNG, GIF, BMP, TIFF, WEBP, AVIF, "
            "PPM, JPEG2000, TGA, ICO)"
        ),
    ),
    image(
        "an image that was cut off",
        "a.png",
        png(size=64)[:120],
        ("0 images, N a second\nunreadable: a.png: is damaged: image file is truncated"),
    ),
    image(
        "an image of 2,500 million pixels in 100 bytes",
        "a.png",
        bomb(),
        (
            "0 images, N a second\n"
            "unreadable: a.png: has 2,500,000,000 pixels, and at most 80,000,000 are read; make it "
            "smaller first"
        ),
    ),
    image(
        "a TIFF of 32-bit floats",
        "a.tiff",
        float_tiff(),
        (
            "0 images, N a second\n"
            "unreadable: a.tiff: has 32-bit values (mode F), whose range is unknown; save it with 8 or 16"
            " bits per channel"
        ),
    ),
    image(
        "a PostScript file called .jpg",
        "a.jpg",
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n",
        (
            "0 images, N a second\n"
            "unreadable: a.jpg: is no image of a known format (JPEG, PNG, GIF, BMP, TIFF, WEBP, AVIF, "
            "PPM, JPEG2000, TGA, ICO)"
        ),
    ),
    Case(
        "a corrupt image among good ones: it is named, the others are labelled",
        f"{PREDICT} a.png b.png c.png --reject-below 1",
        (
            "2 images, N a second\n"
            "unreadable: b.png: is no image of a known format (JPEG, PNG, GIF, BMP, TIFF, WEBP, AVIF, "
            "PPM, JPEG2000, TGA, ICO)"
        ),
        exit_code=1,
        make=both(file("a.png", png(1)), file("b.png", b"no image"), file("c.png", png(2))),
        run=True,
        stdout=(
            "path,label,probability,error\n"
            "a.png,,P,\n"
            'b.png,,,"is no image of a known format (JPEG, PNG, GIF, BMP, TIFF, WEBP, AVIF, PPM, '
            'JPEG2000, TGA, ICO)"\n'
            "c.png,,P,"
        ),
    ),
    Case("no such image", f"{PREDICT} absent.png", "error: absent.png: no such image, folder or pattern", run=True),
    Case(
        "a pattern that matches nothing",
        f"{PREDICT} '*.webp'",
        "error: *.webp: no such image, folder or pattern",
        run=True,
    ),
    Case(
        "a folder without images",
        f"{PREDICT} empty",
        (
            "error: empty: no images in this folder (.jpg, .jpeg, .jfif, .png, .apng, .gif, .bmp, .tif,"
            " .tiff, .webp, .avif, .ppm, .pgm, .pbm, .pnm, .jp2, .mpo, .tga, .ico)"
        ),
        make=empty("empty"),
        run=True,
    ),
    Case(
        "standard input that names nothing",
        f"{PREDICT} -",
        "error: no images: standard input named none",
        run=True,
    ),
    Case(
        "standard input that names a file which is not there",
        f"{PREDICT} -",
        "error: absent.png: no such image, folder or pattern",
        run=True,
        stdin=b"absent.png\n",
    ),
)
