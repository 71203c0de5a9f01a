"""Command lines that are wrong."""

from bad_inputs.case import TINY, Case, file
from bad_inputs.known import DATASETS, LAYERS

SOUND = file("tiny.yaml", TINY)

COMMANDS = (
    Case(
        "an unknown command",
        "cnnlab trian",
        (
            "Usage: cnnlab [OPTIONS] COMMAND [ARGS]...\n"
            "Try 'cnnlab -h' for help.\n"
            "Error\n"
            "No such command 'trian'. Did you mean 'train'?"
        ),
    ),
    Case(
        "an unknown option",
        "cnnlab train --epoch 3",
        (
            "Usage: cnnlab train [OPTIONS] [[CONFIG] [KEY=VALUE]…]...\n"
            "Try 'cnnlab train -h' for help.\n"
            "Error\n"
            "No such option: --epoch"
        ),
    ),
    Case(
        "a command without what it needs",
        "cnnlab predict tiny",
        "error: no images: give files, folders or patterns, - for stdin, or --watch or --frames",
    ),
    Case(
        "further views of some images, where none are named",
        "cnnlab eval tiny --least-sure 0.25",
        "error: --least-sure chooses the images that get further views; --tta flip or six names those",
    ),
    Case(
        "the least sure images of a stream",
        "cnnlab predict tiny --frames images --tta six --least-sure 0.25",
        "error: --least-sure ranks images, and those of a stream are answered one by one; leave it out",
    ),
    Case(
        "a watched folder that is not there",
        "cnnlab predict tiny --watch inbox",
        "error: --watch is 'inbox': no such folder",
    ),
    Case(
        "raw frames without their size",
        "cnnlab predict tiny --frames rgb",
        "error: --frames is 'rgb', expected WIDTHxHEIGHT of raw frames, such as 96x96:rgb (rgb, bgr, gray), or "
        "images for JPEG and PNG",
    ),
    Case(
        "a stream of frames that are neither JPEG nor PNG",
        "cnnlab predict tiny --frames images",
        "error: <stdin> begins with bytes 0x47494638, which is neither JPEG nor PNG; raw frames need their size, "
        "--frames WIDTHxHEIGHT:rgb",
        run=True,
        stdin=b"GIF89a",
    ),
    Case(
        "an unknown word for an option",
        "cnnlab eval tiny --split tests",
        (
            "Usage: cnnlab eval [OPTIONS] {MODEL}\n"
            "Try 'cnnlab eval -h' for help.\n"
            "Error\n"
            "Invalid value for '--split': Value error, 'tests' is not one of 'train', 'validation', "
            "'test'."
        ),
    ),
    Case(
        "an option out of its range",
        "cnnlab train --repeats 0",
        (
            "Usage: cnnlab train [OPTIONS] [[CONFIG] [KEY=VALUE]…]...\n"
            "Try 'cnnlab train -h' for help.\n"
            "Error\n"
            "Invalid value for '--repeats': Input should be greater than or equal to 1"
        ),
    ),
    Case(
        "more repeats than anybody waits for",
        "cnnlab train --repeats 1000000000",
        (
            "Usage: cnnlab train [OPTIONS] [[CONFIG] [KEY=VALUE]…]...\n"
            "Try 'cnnlab train -h' for help.\n"
            "Error\n"
            "Invalid value for '--repeats': Input should be less than or equal to 1000"
        ),
    ),
    Case(
        "a full report and none",
        "cnnlab train tiny.yaml --full-report --no-report",
        "error: --full-report writes a report and --no-report none; choose one of them",
        make=SOUND,
    ),
    Case(
        "a time that is none",
        "cnnlab train tiny.yaml --time-budget soon",
        "error: --time-budget is 'soon', expected a time such as 90s, 10m or 1.5h",
        make=SOUND,
    ),
    Case(
        "a time of nothing",
        "cnnlab train tiny.yaml --time-budget 0m",
        "error: --time-budget is '0m', expected a time such as 90s, 10m or 1.5h",
        make=SOUND,
    ),
    Case(
        "an unknown device",
        "cnnlab train tiny.yaml --device tpu",
        "error: no device 'tpu'; this machine has cpu",
        make=SOUND,
    ),
    Case(
        "a device of torch that is not here",
        "cnnlab train tiny.yaml --device xpu",
        "error: no device 'xpu'; this machine has cpu",
        make=SOUND,
    ),
    Case(
        "a second config",
        "cnnlab train tiny.yaml other.yaml",
        "error: override 'other.yaml': expected KEY=VALUE, such as training.epochs=3",
        make=SOUND,
    ),
    Case(
        "both kinds of output", "cnnlab predict tiny a.png --json --csv", "error: --json and --csv exclude each other"
    ),
    Case(
        "a range that does not grow",
        "cnnlab lr-find tiny.yaml --start 1 --end 0.1",
        "error: --start is 1 and --end 0.1; expected 0 < start < end, and 1e6 at most",
        make=SOUND,
    ),
    Case(
        "an unknown kind to list, the nearest named",
        "cnnlab list layer",
        (
            "error: no list 'layer'; there are layers, initializations, datasets, augmentations, losses, "
            "optimizers, schedules, clippings, methods, kernels, scores, outsiders, models. Did you mean 'layers'?"
        ),
    ),
    Case(
        "an unknown layer to list, the nearest named",
        "cnnlab list layers conv2",
        f"error: no layer 'conv2'; {LAYERS}. Did you mean 'conv'?",
    ),
    Case(
        "an unknown model to list",
        "cnnlab list models cifra",
        (
            "error: no config 'cifra'; known: cifar, prior/conv, quickstart, shift/conv, shift/conv-blur, shift/dense, "
            "shift/dense-moved, shift/local, speed/cpu-10min, speed/cpu-3min, speed/cpu-90s, speed/gpu-94 and "
            "31 more. Did you mean 'cifar'?"
        ),
    ),
    Case(
        "a shape that is none",
        "cnnlab config check tiny.yaml --shape 32x32",
        "error: --shape is '32x32', expected channels, height and width, such as 3,32,32",
        make=SOUND,
    ),
    Case(
        "a preview of an unknown data set",
        "cnnlab data preview cifar",
        f"error: cifar: no such config file, and no data set 'cifar'; {DATASETS}. Did you mean 'cifar10'?",
    ),
    Case(
        "an override of a data set's unknown option",
        "cnnlab data stats shapes data.dataset.sise=8",
        (
            "error: override 'data.dataset.sise=8': no option 'sise' in dataset 'shapes'; it has size, "
            "train_count, test_count, channels, difficulty, shortcut, seed. Did you mean 'size'?"
        ),
    ),
    Case(
        "leaks between parts where there is one part",
        "cnnlab data leaks shapes data.validation=0 data.dataset.train_count=60",
        ("error: data.validation is 0, so there is one part only; compare with the test part: --with-test"),
    ),
    Case(
        "a folder to write to that is a file",
        "cnnlab schema --out file/schema.json",
        "error: file: is a file, and a folder is needed there; move it away",
        exit_code=1,
        make=file("file", ""),
    ),
    Case(
        "no network to compare",
        "cnnlab compare",
        (
            "Usage: cnnlab compare [OPTIONS] {MODEL…}...\n"
            "Try 'cnnlab compare -h' for help.\n"
            "Error\n"
            "Missing argument 'MODEL…'."
        ),
    ),
    Case(
        "an empty word for the config",
        "cnnlab train ''",
        "error: CONFIG is an empty word (of a variable that is not set?); say what is meant, or leave it out",
    ),
    Case(
        "an empty word for the network",
        "cnnlab eval ''",
        "error: MODEL is an empty word (of a variable that is not set?); say what is meant",
    ),
    Case(
        "an empty word for the run that goes on",
        "cnnlab train --resume ''",
        "error: --resume is an empty word (of a variable that is not set?); say what is meant, or leave it out",
    ),
    Case(
        "a shape that no image has",
        "cnnlab config check tiny.yaml --shape 3,99999,99999",
        "error: --shape is '3,99999,99999'; an image has 67,108,864 values at most",
        make=SOUND,
    ),
    Case(
        "a file to write that is a folder",
        "cnnlab schema --out folder",
        "error: folder: is a folder, and a file is needed there; move it away",
        exit_code=1,
        make=file("folder/a", ""),
    ),
    Case(
        "a learning rate to find beyond all numbers",
        "cnnlab lr-find tiny.yaml --end 1e39",
        "error: --start is 1e-05 and --end 1e+39; expected 0 < start < end, and 1e6 at most",
        make=SOUND,
    ),
    Case(
        "an option that is none, for a program",
        "cnnlab summary tiny --depht 2 --json",
        (
            "Usage: cnnlab summary [OPTIONS] {MODEL}\n"
            "Try 'cnnlab summary -h' for help.\n"
            "Error\n"
            "No such option: --depht (Possible options: --depth, --weights)"
        ),
    ),
    Case(
        "two mistakes in a config, for a program",
        "cnnlab lr-find tiny.yaml training.epochs=x seed=y --json",
        (
            "error: override 'seed=y': 'seed' is 'y', expected a whole number\n"
            "error: override 'training.epochs=x': 'epochs' is 'x', expected a whole number"
        ),
        make=SOUND,
    ),
    Case(
        "a command that would clear the terminal",
        "cnnlab '\x1b[2J'",
        ("Usage: cnnlab [OPTIONS] COMMAND [ARGS]...\nTry 'cnnlab -h' for help.\nError\nNo such command '\\x1b[2J'."),
    ),
    Case(
        "all probabilities for people",
        "cnnlab predict tiny a.png --probabilities",
        "error: --probabilities goes with --json or --csv; for people there is --top",
    ),
)
