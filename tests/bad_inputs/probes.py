"""Experiments that cannot be made on a network."""

from bad_inputs.case import Case


def probed(wrong: str, command: str, message: str, **more: object) -> Case:
    """The trained run, asked for what cannot be measured."""
    return Case(wrong, f"cnnlab probe {command}", message, run=True, **more)  # type: ignore[arg-type]


PROBES = (
    probed(
        "a shift that leaves nothing of an image",
        "equivariance tiny --shifts 4,16",
        "error: --shifts 16: expected whole pixels from 1 to 15, for images of 16 × 16",
    ),
    probed(
        "a shift that is no number",
        "equivariance tiny --shifts half",
        "error: --shifts is 'half', expected whole pixels such as 1,2,4",
    ),
    probed(
        "a change that is none, the nearest named",
        "equivariance tiny --what-if pol=blur_pool",
        (
            "error: --what-if pol=blur_pool: no layer 'pol'; known: padding, pool, activation, conv_bn_act1, "
            "conv_bn_act1.conv, conv_bn_act1.norm, conv_bn_act1.activation, global_avg_pool1, linear1. Did you mean "
            "'pool'?"
        ),
    ),
    probed(
        "a change to what is no such thing",
        "equivariance tiny --what-if padding=wrap",
        "error: --what-if padding=wrap: 'wrap' is no padding; expected circular|reflect|replicate",
    ),
    probed(
        "a shift larger than the image",
        "shift tiny --max-shift 16",
        "error: --max-shift is 16: expected 1 to 15 pixels, for tiny",
    ),
    probed(
        "a second network that is not there",
        "shift tiny tinny",
        "error: no run 'tinny' under runs. Did you mean 'tiny'? MODEL is a run, a config (.yaml), an exported "
        "file or folder, FILE.py:NAME, torchvision:NAME or timm:NAME.",
    ),
    probed(
        "shifts of images that are not named",
        "shift torchvision:squeezenet1_1 --input 64",
        "error: torchvision:squeezenet1_1 has no images of its own; name a folder, a CSV or a data set with --data",
    ),
    probed(
        "a read-out with nothing to judge it by",
        "position tiny --count 2",
        "error: --count is 2: a read-out is taught by one half of the images and judged by the other",
    ),
    probed(
        "a probe of the test part",
        "equivariance tiny --split test",
        "error: the test part is opened by `cnnlab eval --split test` alone; use --split validation",
    ),
    probed(
        "a part of the normalisation lab that is none, the nearest named",
        "norm tiny --part mode",
        (
            "error: no part 'mode'; known: formulas, state, modes, statistics, running, folding, conversion, "
            "fine-tuning, training, landscape, ranges, batch-size. Did you mean 'modes'?"
        ),
    ),
    probed(
        "epochs where nothing is trained",
        "norm tiny --epochs 3",
        "error: --epochs is of the parts that train; add --train, or name one with --part",
    ),
    probed(
        "trainings with batches of a single image",
        "norm tiny --part batch-size --batch-sizes 1,2",
        "error: --batch-sizes are 2 at least: batch norm cannot be trained on a single image",
    ),
    probed(
        "sizes of batches for a part that is not asked for",
        "norm tiny --part modes --batch-sizes 4",
        "error: --batch-sizes is of the part batch-size, which is not asked for; add --part batch-size",
    ),
    probed(
        "sizes of batches that are no numbers",
        "norm tiny --batch-sizes 2,four",
        "error: --batch-sizes is '2,four', expected numbers such as 2,4,8,32",
    ),
    probed(
        "a factor that leaves nothing of the weights",
        "norm tiny --part ranges --factors 0,1",
        "error: --factors are numbers above 0, such as 0.25,1,4",
    ),
    probed(
        "trainings of a network that no config describes",
        "norm torchvision:resnet18 --train",
        "error: torchvision:resnet18 has no config to train by; give a run or a config (.yaml)",
    ),
    probed(
        "norms of a network without any",
        "norm torchvision:alexnet",
        (
            "error: torchvision:alexnet has no normalisation layer; `cnnlab list layers` has those that a config can "
            "name, such as conv_bn_act"
        ),
    ),
    probed(
        "a sibling of no such kind",
        "prior runs/tiny/config.yaml --kinds dens,conv",
        "error: --kinds has 'dens', expected some of dense, local, conv",
    ),
    probed(
        "siblings of more than one config",
        "prior runs/tiny/config.yaml runs/tiny/config.yaml --kinds dense,conv",
        "error: --kinds makes siblings of a single config, and there are 2",
    ),
    probed(
        "a single network, with nothing to compare it with",
        "prior runs/tiny/config.yaml",
        "error: one network has nothing to be compared with; name another config, or give --kinds",
    ),
    probed(
        "numbers of images that are no numbers",
        "prior runs/tiny/config.yaml --kinds dense,conv --sizes few,many",
        "error: --sizes is 'few,many', expected numbers of images such as 100,300,1000",
    ),
    probed(
        "more images than there are",
        "prior runs/tiny/config.yaml --kinds dense,conv --sizes 20,60",
        "error: --sizes has 60, and the training part of shapes has 50 images",
    ),
    probed(
        "fewer images than classes",
        "prior runs/tiny/config.yaml --kinds dense,conv --sizes 5,20",
        "error: --sizes has 5, fewer than the 10 classes of shapes",
    ),
    probed(
        "numbers of images that do not grow",
        "prior runs/tiny/config.yaml --kinds dense,conv --sizes 40,20",
        "error: --sizes is 40,20, expected numbers of images from 2 on, each larger than the one before",
    ),
    probed(
        "changes to no config",
        "prior training.epochs=1",
        "error: name a config (.yaml); KEY=VALUE changes it",
    ),
    probed(
        "a source that has learned all classes",
        "transfer runs/tiny/config.yaml --source tiny",
        (
            "error: --target-classes has none, expected two classes at least, of disc, ring, square, triangle, star, "
            "cross, crescent, heart, arrow, pill"
        ),
    ),
    probed(
        "a class of the source that is not there",
        "transfer runs/tiny/config.yaml --source-classes ring,strar",
        (
            "error: --source-classes: no class 'strar'; known: disc, ring, square, triangle, star, cross, crescent, "
            "heart, arrow, pill. Did you mean 'star'?"
        ),
    ),
    probed(
        "a class that the source learns as well",
        "transfer runs/tiny/config.yaml --source-classes ring,star --target-classes star,disc",
        "error: the source has learned star as well: nothing would be transferred; name others with --target-classes",
    ),
    probed(
        "more images of a class than there are",
        "transfer runs/tiny/config.yaml --per-class 2,60",
        "error: --per-class has 60, and the training part of shapes has 5 images of 'cross'",
    ),
    probed(
        "more frozen layers than there are below the head",
        "transfer runs/tiny/config.yaml --per-class 2 --freeze 1",
        "error: --freeze is 1, and the network has a single layer with weights below its head",
    ),
)
