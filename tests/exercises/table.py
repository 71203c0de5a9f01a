"""The chapter's exercises in their order."""

from exercises.exercise import Answer, Exercise

FILES = {
    "edge.yaml": """\
data: {dataset: {shapes: {size: 16, train_count: 200}}}
model:
  - conv: {channels: 1, bias: false}
  - global_avg_pool
  - linear
training: {epochs: 1}
optimizer: {sgd: {lr: 0.1}}
""",
    "norm.yaml": """\
data: {dataset: {shapes: {size: 16, train_count: 200}}}
model:
  - conv: {channels: 4}
  - batch_norm
  - relu
  - global_avg_pool
  - linear
training: {epochs: 1, batch_size: 64}
optimizer: {sgd: {lr: 0.1}}
""",
}
"""Files that the commands need, in the folder in which they run."""

COST = ("weights ", "^(dense|locally|convolution)")
SIZE = ("height and width", "floor", "^parameters ")

EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        "19.1.1",
        "Count the weights of a dense, a locally connected and a convolutional layer from 64 × 64 to 64 × 64 pixels"
        " with 5 × 5 windows. What changes at 128 × 128?",
        (
            Answer("layer conv channels=1 kernel=5 bias=false --input 1,64,64", COST),
            Answer("layer conv channels=1 kernel=5 bias=false --input 1,128,128", COST),
        ),
        "Two of the three counts grow with the image, the dense one with its square; that of the convolution stays.",
    ),
    Exercise(
        "19.1.2",
        "Shift an image along its other axis. Then put a global average pool behind the convolution: is its number the "
        "same for the shifted image?",
        (
            Answer(
                "probe equivariance edge.yaml --shifts 1,2,4",
                ("shift +rows", r"\(px\) +spoiled", "^conv1 .*of 16", "as it is +padding", "^global_avg_pool1"),
            ),
        ),
        "Rows behave as columns do: a shift by s spoils s of them and the last. The pooled number changes a little,"
        " by what leaves the image and what padding brings in, and not at all with circular padding and a circular "
        "shift.",
    ),
    Exercise(
        "19.1.3",
        "Name a task that needs pixels far apart, say why stacked 3 × 3 convolutions are a slow way there, and name "
        "another mechanism.",
        (
            Answer(
                "compare-layers 'conv channels=8 + conv channels=8 + conv channels=8 + conv channels=8 + conv "
                "channels=8 + conv channels=8 + conv channels=8' 'conv channels=8 + conv channels=8 dilation=2 + "
                "conv channels=8 dilation=4' 'conv channels=8 kernel=15' --input 8,64,64",
                ("^ +A +B", "^weights", "^… per", "^receptive field"),
            ),
        ),
        "Whether two marks at opposite ends of an image are alike: each plain 3 × 3 layer adds two pixels to what a"
        " unit sees, so that 15 pixels take seven layers. Dilations of 1, 2 and 4 get there in three; attention in "
        "one.",
    ),
    Exercise(
        "19.2.1",
        "Output size and weights of three layers with 64 outputs on 1 × 224 × 224: kernel 7, stride 2, padding 3; "
        "kernel 3, padding 1, dilation 2; kernel 5, stride 2, no padding.",
        (
            Answer("layer conv channels=64 kernel=7 stride=2 padding=3 --input 1,224,224", SIZE),
            Answer("layer conv channels=64 kernel=3 padding=1 dilation=2 --input 1,224,224", SIZE),
            Answer("layer conv channels=64 kernel=5 stride=2 padding=0 --input 1,224,224", SIZE),
        ),
        "112, 222 and 110 pixels a side; 3,136, 576 and 1,600 weights, with 64 biases each.",
    ),
    Exercise(
        "19.2.2",
        "Replace a 3 × 3 convolution from 32 to 64 channels on 64 × 64 by a depthwise-separable one: how many "
        "parameters?",
        (
            Answer(
                "compare-layers 'conv channels=64' 'depthwise_separable channels=64' --input 32,64,64",
                ("^ +A +B", "^output", "^weights", "^parameters", "^multiply"),
            ),
        ),
        "18,496 against 2,432 parameters, 7.605 times as many; without biases 7.89 times.",
    ),
    Exercise(
        "19.2.3",
        "A 3 × 3 convolution with stride 2 and no padding on 32 × 32 gives 15. Which padding gives 16?",
        (
            Answer("layer conv channels=1 stride=2 padding=0 --input 1,32,32", ("height and width",)),
            Answer("layer conv channels=1 stride=2 padding=1 --input 1,32,32", ("height and width",)),
        ),
        "Padding 1: the chain of sizes is 16, 8, 4 in place of 15, 7, 3.",
    ),
    Exercise(
        "19.3.1",
        "Receptive field and jump of a 5 × 5 convolution, a 2 × 2 pool and two 3 × 3 convolutions; and with two 3 × 3 "
        "convolutions in place of the 5 × 5 one.",
        (
            Answer(
                "compare-layers 'conv channels=8 kernel=5 + max_pool + conv channels=8 + conv channels=8' "
                "'conv channels=8 + conv channels=8 + max_pool + conv channels=8 + conv channels=8' --input 8,32,32",
                (
                    "^ +A +B",
                    "^weights",
                    "^receptive field",
                    "^jump",
                    "layer by layer",
                    r"^(conv|max_pool)\d",
                    "field +jump",
                ),
            ),
        ),
        "5/1, 6/2, 10/2, 14/2; with two 3 × 3 layers 3, 5, 6, 10, 14. Both see 14 pixels, the second with fewer "
        "weights.",
    ),
    Exercise(
        "19.3.2",
        "Move a lone spike inside one window of a 2 × 2 pool: which pool's output changes?",
        tuple(
            Answer(f"layer {kind} --matrix '{rows}'", ("^The output", r"^ +[\d.]+ +[\d.]+$"))
            for kind in ("max_pool", "avg_pool")
            for rows in ("0 0 0 0 / 0 8 0 0", "8 0 0 0 / 0 0 0 0", "0 0 8 0 / 0 0 0 0")
        ),
        "Neither, inside the window: the largest value stays 8, and the mean of a lone spike is a quarter of it "
        "wherever it lies. Both change once it moves into the next window.",
    ),
    Exercise(
        "19.3.3",
        "Eight 3 × 3 convolutions with stride 1 on 256 × 256 are to tell textures of 40 pixels apart. What do they "
        "see, and what are two remedies?",
        (
            Answer(
                "compare-layers 'repeat times=8 layers=[conv: {channels: 16}]' "
                "'repeat times=2 layers=[conv: {channels: 16}] + conv channels=16 stride=2 + repeat times=5 "
                "layers=[conv: {channels: 16}]' --input 16,256,256",
                ("^ +A +B", "^receptive field", "^jump"),
            ),
        ),
        "17 pixels, of which the effective field is smaller still (`cnnlab receptive-field MODEL --effective 64`). A "
        "stride early on, dilation or larger kernels see farther.",
    ),
    Exercise(
        "19.4.1",
        "Can batch norm leave its input as it is? Why has a convolution before it no bias, and what happens when its "
        "weights are scaled?",
        (
            Answer(
                "probe norm norm.yaml --part folding", ("^redundant bias", "^layer +batch norm", "^conv1", "^supported")
            ),
        ),
        "With γ the deviation and β the mean it is the identity. The mean that it subtracts takes any bias with it,"
        " and the deviation by which it divides any factor, but for what ε in √(σ² + ε) leaves.",
    ),
    Exercise(
        "19.4.2",
        "Write the forward pass over N, H and W yourself and compare it with the library's.",
        (
            Answer(
                "probe norm norm.yaml --part formulas",
                (
                    "^norm +forward",
                    "^batch norm",
                    "^layer norm",
                    "^group norm",
                    "^instance norm",
                    "^layer +norm",
                    "^batch_norm1 .*batch norm +[^ ]",
                ),
            ),
        ),
        "Below 1e-5, and so is the backward pass; [the formulas](../cnnlab/probe/norm/formulas.py) are one file of "
        "plain Python. Only batch norm's output for one image depends on another image.",
    ),
    Exercise(
        "19.4.3",
        "Which norm for a classifier with batches of 64; a detector on 1024 × 1024 with one image a step; a vision "
        "transformer; style transfer? Which of them have running statistics?",
        (
            Answer(
                "probe norm norm.yaml --part folding", ("^[0-9]+ norm", "^norm;|^the U-Net", "^which norm", "needed")
            ),
        ),
        "Batch norm; group norm; layer norm; instance norm. Batch norm alone has running statistics.",
    ),
)
