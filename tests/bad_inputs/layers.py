"""Layers on the command line that are wrong, and layers that do not fit their input."""

from bad_inputs.case import Case
from bad_inputs.known import LAYERS

LAYERS = (
    Case(
        "an unknown kind of layer, the nearest named",
        "cnnlab layer cov channels=8 --input 3,32,32",
        f"error: no layer 'cov'; {LAYERS}. Did you mean 'conv'?",
    ),
    Case(
        "an unknown option of a layer, the nearest named",
        "cnnlab layer conv channels=8 kernal=3 --input 3,32,32",
        (
            "error: 'kernal=3': no option 'kernal' in layer 'conv'; it has channels, kernel, stride, "
            "padding, padding_mode, dilation, groups, bias, weight_standardization. Did you mean 'kernel'?"
        ),
    ),
    Case(
        "a layer without the option that it needs",
        "cnnlab layer conv --input 3,32,32",
        "error: layer 'conv' needs 'channels'",
    ),
    Case(
        "several wrong options of a layer at once",
        "cnnlab layer conv channels=many stride=0 --input 3,32,32",
        (
            "error: 'channels=many': 'channels': a whole number above 0 or 'classes' (as many as there are classes) is "
            "expected, not 'many'\n"
            "error: 'stride=0': 'stride' is '0', expected more than 0"
        ),
    ),
    Case(
        "an option of a layer without a value",
        "cnnlab layer conv channels --input 3,32,32",
        "error: 'channels': expected KEY=VALUE, such as kernel=3",
    ),
    Case(
        "an option of a layer given twice",
        "cnnlab layer conv channels=8 channels=16 --input 3,32,32",
        "error: 'channels=16': 'channels' is given twice",
    ),
    Case(
        "an option of a layer that is no YAML",
        "cnnlab layer conv channels=8 'kernel=[3,' --input 3,32,32",
        (
            "error: 'kernel=[3,': not YAML: expected the node content, but found '<stream end>' (while "
            "parsing a flow node)"
        ),
    ),
    Case(
        "a layer without its input",
        "cnnlab layer conv channels=8",
        "error: --input is missing: channels, height and width, such as --input 3,32,32",
    ),
    Case(
        "an input of two numbers",
        "cnnlab layer conv channels=8 --input 32,32",
        "error: --input is '32,32', expected channels, height and width, such as 3,32,32",
    ),
    Case(
        "an input with a side of nothing",
        "cnnlab layer conv channels=8 --input 3,0,32",
        "error: --input is '3,0,32', expected channels, height and width, such as 3,32,32",
    ),
    Case(
        "an input beyond all images",
        "cnnlab layer conv channels=8 --input 3,99999,9",
        ("error: --input is '3,99999,9'; an input has 16,384 rows and columns and 268,435,456 values at most"),
    ),
    Case(
        "an input too large for a layer with something for each place",
        "cnnlab layer locally_connected channels=8 --input 3,4096,4096",
        (
            "error: --input has 50,331,648 values; with a layer that is bound to one size, such as flatten "
            "and locally_connected, 4,194,304 at most"
        ),
    ),
    Case(
        "a kernel larger than the padded input",
        "cnnlab layer conv channels=8 kernel=9 padding=1 --input 3,6,6",
        (
            "error: layer 'conv' (in 'conv channels=8 kernel=9 padding=1') does not fit: the height of its "
            "input, 6, is too small for a kernel of 9: floor((6 + 2·1 − 1·(9−1) − 1)/1) + 1 = 0; padding: 2 "
            "would fit"
        ),
    ),
    Case(
        "a kernel larger than the input, which needs another padding along each axis",
        "cnnlab layer conv channels=8 kernel=9 padding=0 --input 3,8,4",
        (
            "error: layer 'conv' (in 'conv channels=8 kernel=9 padding=0') does not fit: the height of its "
            "input, 8, is too small for a kernel of 9: floor((8 + 2·0 − 1·(9−1) − 1)/1) + 1 = 0; padding: "
            "[1, 3] would fit"
        ),
    ),
    Case(
        "a dilated kernel larger than the input",
        "cnnlab layer conv channels=8 dilation=9 padding=0 --input 3,16,16",
        (
            "error: layer 'conv' (in 'conv channels=8 dilation=9 padding=0') does not fit: the height of "
            "its input, 16, is too small for a kernel of 3 at dilation 9: floor((16 + 2·0 − 9·(3−1) − 1)/1) "
            "+ 1 = −2; padding: 2 would fit"
        ),
    ),
    Case(
        "a pool larger than its input",
        "cnnlab layer max_pool kernel=9 --input 3,8,8",
        (
            "error: layer 'max_pool' (in 'max_pool kernel=9') does not fit: the height of its input, 8, is "
            "too small for a kernel of 9: floor((8 + 2·0 − 1·(9−1) − 1)/9) + 1 = 0; padding: 1 would fit"
        ),
    ),
    Case(
        "a locally connected window larger than its input",
        "cnnlab layer locally_connected channels=8 kernel=9 padding=0 --input 3,8,8",
        (
            "error: layer 'locally_connected' (in 'locally_connected channels=8 kernel=9 padding=0') does "
            "not fit: the height of its input, 8, is too small for a kernel of 9: floor((8 + 2·0 − 1·(9−1) "
            "− 1)/1) + 1 = 0; padding: 1 would fit"
        ),
    ),
    Case(
        "a window too large in a layer of layers",
        "cnnlab layer repeat times=4 'layers=[max_pool]' --input 3,8,8",
        (
            "error: 'layers=[max_pool]': layer 'max_pool' (in 'repeat') does not fit: the height of its "
            "input, 1, is too small for a kernel of 2: floor((1 + 2·0 − 1·(2−1) − 1)/2) + 1 = 0; padding: 1 "
            "would fit"
        ),
    ),
    Case(
        "groups that do not divide the channels of a layer",
        "cnnlab layer conv channels=8 groups=2 --input 3,8,8",
        (
            "error: layer 'conv' (in 'conv channels=8 groups=2') does not fit: groups: 2 does not divide "
            "its 3 input channels; these do: 1"
        ),
    ),
    Case(
        "more channels than torch can count",
        "cnnlab layer conv channels=99999999999999999999 --input 3,8,8",
        (
            "error: layer 'conv' (in 'conv channels=99999999999999999999') fails on an input of shape (3, "
            "8, 8): one of its numbers is too large"
        ),
    ),
    Case(
        "a matrix with rows of different lengths",
        "cnnlab layer max_pool --matrix '1 2 / 3'",
        "error: --matrix has rows of 2, 1 numbers; expected equal rows, such as '1 3 / 4 2'",
    ),
    Case(
        "a matrix with a word",
        "cnnlab layer max_pool --matrix '1 2 / 3 four'",
        "error: --matrix: 'four' in row 2 is no number",
    ),
    Case(
        "a matrix and an input",
        "cnnlab layer max_pool --matrix '1 2 / 3 4' --input 1,2,2",
        "error: --matrix is the input; leave --input out",
    ),
    Case(
        "a convolution on a matrix without its weights",
        "cnnlab layer conv channels=1 --matrix '1 2 / 3 4'",
        "error: --matrix: layer 'conv' needs its weights, such as --weights '1 0 -1 / 2 0 -2 / 1 0 -1'",
    ),
    Case(
        "weights for a layer that has none",
        "cnnlab layer max_pool --matrix '1 2 / 3 4' --weights '1 1 / 1 1'",
        "error: --weights: layer 'max_pool' has no weights",
    ),
    Case(
        "weights without a matrix",
        "cnnlab layer conv channels=1 --weights '1 1 / 1 1' --input 1,2,2",
        "error: --weights goes with --matrix, such as --matrix '1 3 2 / 4 2 1 / 0 1 6'",
    ),
    Case(
        "weights of another size than the kernel",
        "cnnlab layer conv channels=1 kernel=3 --matrix '1 2 / 3 4' --weights 1",
        "error: --weights is 1×1, and the kernel 3×3; leave 'kernel' out",
    ),
    Case(
        "a norm on a matrix",
        "cnnlab layer batch_norm --matrix '1 2 / 3 4'",
        (
            "error: --matrix: layer 'batch_norm' has 2 parameters; on a matrix run layers without any, and "
            "those with one filter bank (conv, depthwise, locally_connected) with --weights"
        ),
    ),
    Case(
        "one stack of layers to compare",
        "cnnlab compare-layers 'conv channels=8' --input 3,8,8",
        "error: one stack has nothing to be compared with; cnnlab layer shows a layer alone",
    ),
    Case(
        "a stack with a layer missing",
        "cnnlab compare-layers 'conv channels=8 +' relu --input 3,8,8",
        "error: 'conv channels=8 +': a layer is missing; expected KIND key=value … + KIND key=value …",
    ),
    Case(
        "a stack with an unknown layer, the nearest named",
        "cnnlab compare-layers 'conv channels=8 + rellu' relu --input 3,8,8",
        f"error: no layer 'rellu'; {LAYERS}. Did you mean 'relu'?",
    ),
    Case(
        "a stack whose second layer does not fit",
        "cnnlab compare-layers 'max_pool + conv channels=8 kernel=9 padding=0' relu --input 3,8,8",
        (
            "error: layer 'conv' (2nd of 'max_pool + conv channels=8 kernel=9 padding=0') does not fit: the "
            "height of its input, 4, is too small for a kernel of 9: floor((4 + 2·0 − 1·(9−1) − 1)/1) + 1 = "
            "−4; padding: 3 would fit"
        ),
    ),
    Case(
        "a stack that goes on after it has become flat",
        "cnnlab compare-layers 'flatten + max_pool' relu --input 3,8,8",
        (
            "error: layer 'max_pool' (2nd of 'flatten + max_pool') does not fit: it needs (channels, "
            "height, width), its input is (192,); put it before the layer that makes the input flat (such "
            "as flatten or global_avg_pool)"
        ),
    ),
    Case(
        "stacks without their input",
        "cnnlab compare-layers relu tanh",
        "error: --input is missing: channels, height and width, such as --input 3,32,32",
    ),
)
