"""The chapter's mistakes, traps and tensions: what is printed, and what is right."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """One of them; statements that show it name its number."""

    number: int
    section: str
    printed: str
    right: str


MISTAKES = (
    Mistake(1, "19.2", "fragment 2 has 6,432 parameters, in the text and in the caption", "6,144: 288 fewer"),
    Mistake(2, "19.4", "Try This: the output's variance scatters with small batches, of up to 256 of 16 images",
            "every batch is normalised by itself, so that it is 1 for all; the batch's own statistics scatter"),
    Mistake(3, "19.1", "Try This: a shift of 4 holds on columns 3:-1", "column 3 is spoiled, too: 4:-1"),
    Mistake(4, "19.3", "exercise 19.3.2: the average of a lone spike changes as it moves inside its window",
            "neither changes inside a window, and both across windows"),
    Mistake(5, "19.2", "doorbell: eight- to nine-fold fewer multiplications", "7.89 at 64 channels; 9 is the limit"),
    Mistake(6, "19.1", "table 19.1.1: three orders of magnitude fewer", "against the local layer; five against dense"),
    Mistake(7, "19.1", "exercise 19.1.1: one of the three counts does not stay", "two change, dense and local"),
    Mistake(8, "19.2", "figure 19.2.2: dilation 2 doubles the footprint", "1.67 times the side, 2.78 times the area"),
    Mistake(9, "19.2", "the naive convolution has six nested loops", "seven indices, seven loops"),
    Mistake(10, "19.5", "every stage costs the same", "the first costs less than half: its images have 3 channels"),
    Mistake(11, "19.5", "the test part is watched in every epoch", "a validation part; the test part once, at the end"),
    Mistake(12, "19.5", "batch norm is taken away, and the convolutions have no bias", "they need their biases again"),
    Mistake(13, "19.4", "group norm of 32 groups after 32 channels", "groups of one channel: instance norm"),
    Mistake(14, "19.4", "layer norm is over C, H, W, and ConvNeXt has it", "ConvNeXt's is over C at each pixel"),
    Mistake(15, "index", "the backward pass and maximally activating patches are promised",
            "the body has no code for them: cnnlab probe norm, cnnlab visualize patches"),
    Mistake(16, "19.1", "global average pooling makes it invariant", "nearly, and not for what leaves the image"),
    Mistake(17, "19.4", "a single image differs between the modes, since its statistics are those of one sample",
            "mostly since the running averages have seen two batches"),
    Mistake(18, "19.3", "a padded convolution and global pooling know no place", "zero padding leaks it"),
    Mistake(19, "19.6", "Grad-CAM of the last convolution", "before or behind batch norm and ReLU differs: say which"),
    Mistake(20, "19.3", "a field of 483 px, of ResNet-50", "one of its variants; torchvision's has 427"),
    Mistake(21, "19.5", "85 % in a representative run", "no seed is given: a floor of about 84 %"),
    Mistake(22, "19.6", "saliency of an untrained network looks structured", "a number, no impression: cnnlab sanity"),
)  # fmt: skip
