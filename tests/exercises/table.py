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
    Exercise(
        "19.5.1",
        "Training accuracy 99 %, test accuracy 78 %, best at epoch 20: what is it? One change of the data, one of the "
        "optimizer, one of the network.",
        (
            Answer(
                "train cifar.yaml data.take=2000 data.augment=[] optimizer.sgd.weight_decay=0 schedule=constant "
                "training.epochs=16 --name few --no-report",
                ("^validation accuracy", "^verdict", "^ {20}"),
                from_run=True,
            ),
        ),
        "Overfitting, which the verdict of a training says by itself; here on 2,000 images without augmentation and"
        " weight decay. Augment, or collect more images; add weight decay, or stop early; take a smaller network, "
        "or dropout. Each lowers the training accuracy and should raise the other.",
    ),
    Exercise(
        "19.5.2",
        "Train for 15 epochs with batch norm and without: by how much do they differ, and at which epoch does each "
        "pass 70 %?",
        (
            Answer(
                "ablate cifar.yaml training.epochs=15 logging.snapshots_every_epochs=1 --vary norm=none --repeats 3 "
                "--out runs/ablation/bn",
                (
                    "^ +epochs *$",
                    "^ +gap +to 70",
                    "^variant +accuracy +difference",
                    "^(as it is|norm=none) +[0-9.]+ ±",
                    "^supported",
                    "^seeds:|^less as it is",
                ),
                from_run=True,
            ),
        ),
        "By 5.4 points, with three seeds each; 70 % after 5 or 6 epochs and after 9. Without batch norm the biases are "
        "back (288,298 parameters in place of 288,746). It takes about an hour on two processor cores.",
    ),
    Exercise(
        "19.5.3",
        "The confusion matrix of the trained network: which two pairs of classes are confused most, and what would "
        "help?",
        (
            Answer(
                "eval cifar",
                (
                    "^accuracy",
                    r"^ +airplane +auto",
                    r"^(airplane|automobile|bird|cat|deer|dog|frog|horse|ship|truck) +[\d·]",
                    "^classes",
                    "^(cat|dog|deer|airplane|automobile|bird|frog|horse|ship|truck) – ",
                ),
                from_run=True,
            ),
        ),
        "Rows are the truth. Cats and dogs share pose, fur and ground; more of such images, and larger ones, would "
        "help more than a larger network.",
    ),
    Exercise(
        "19.6.1",
        "What do first-layer filters of a network for grey digits lack, beside those of ImageNet's?",
        (
            Answer(
                "visualize filters cifar",
                ("^colour", "^beyond chance", "^rediscovered", "^family", "^(prewitt|sobel|scharr|laplacian) "),
                from_run=True,
            ),
        ),
        "Colour: with one channel no filter can set red against green. Strokes of all orientations are left, and "
        "hardly a grating. The table is of the colour network, beside random filters.",
    ),
    Exercise(
        "19.6.2",
        "Overlay the saliency of an image that is answered rightly and of one that is not: where does the evidence "
        "lie?",
        tuple(
            Answer(
                f"report-card cifar --pick {pick}",
                ("^Image", "^true", "^share", "^on the border", "^in the corners"),
                from_run=True,
            )
            for pick in ("first-correct", "wrong")
        ),
        "The card shows both overlays. One image is no evidence: the audit below asks many.",
    ),
    Exercise(
        "19.6.3",
        "Grad-CAM for ten images of several classes: do the answers rest on the object, and what should be changed "
        "if not?",
        (
            Answer("gradcam cifar --split validation --count 10", ("^image +truth", "^validation/"), from_run=True),
            Answer(
                "audit cifar --count 500",
                ("^verdict", "^held|^broken", "at most", "^place", "^outer", "^corners"),
                from_run=True,
            ),
        ),
        "Ten maps are an impression, the audit of 500 images is a measure with an interval and an exit code. Where "
        "a limit breaks: crop what is in the corners, balance where classes were photographed, split by session.",
    ),
    Exercise(
        "Lab: an interpretability report card",
        "Train past 75 %; show an image, first-layer filters, a feature map, saliency, its overlay and Grad-CAM on "
        "one card; then the card of an untrained network.",
        (
            Answer(
                "report-card cifar", ("^Image", "^true", "^share", "^on the border", "^in the corners"), from_run=True
            ),
            Answer(
                "sanity cifar --method gradcam,gradient,guided_backprop --count 16",
                ("^Grad-CAM:", "^gradient:", "^guided backpropagation:"),
                from_run=True,
            ),
        ),
        "[The card](report-card.png) has the six panels; `--random-weights` draws it for an untrained copy, and "
        "`sanity` puts a number on how alike the maps are.",
    ),
)
