"""`cnnlab kernel`: one kernel on one image, correlated and convolved, at every border, computed in four ways."""

from collections.abc import Iterator
from dataclasses import dataclass

from cnnlab.core.advance import Advance
from cnnlab.layers_lab.kernel.borders import Border, Borders, at_the_borders
from cnnlab.layers_lab.kernel.claims import claims_of
from cnnlab.layers_lab.kernel.direction import Directions, both_directions
from cnnlab.layers_lab.kernel.subject import Subject
from cnnlab.layers_lab.kernel.timing import Timing, timed
from cnnlab.stats.claim import Claim


@dataclass(frozen=True, eq=False)
class KernelFacts:
    """What a kernel does to an image."""

    subject: Subject
    directions: Directions
    borders: Borders
    crop: Timing
    """Of all ways, nested loops among them."""
    whole: Timing
    """Of all others, on as much of the image as fits."""
    claims: tuple[Claim, ...]


def kernel_facts(subject: Subject, *, border: Border = "zero") -> Iterator[Advance | KernelFacts]:
    """Slide a kernel over an image and measure what becomes of it.

    Arguments:
        subject: the two, from `on_image` or `in_network`.
        border: what lies outside of the image where correlation and convolution are compared.

    Yields:
        How far the timing is; at last the facts.

    Example:
        >>> from cnnlab.layers_lab.kernel.subject import kernel_of, on_image
        >>> from cnnlab.network.image_files import Source
        >>> from PIL import Image
        >>> half = Image.new("L", (16, 16)); half.paste(255, (8, 0, 16, 16))
        >>> *_, facts = kernel_facts(on_image(kernel_of("sobel_x"), Source("half", image=half)), border="replicate")
        >>> facts.directions.there, facts.crop.agree
        ((4.0, -4.0), True)
    """
    directions = both_directions(subject.values, subject.weights, border)
    borders = at_the_borders(subject.values, subject.weights)
    for step in timed(subject.values, subject.weights):
        if isinstance(step, Advance):
            yield step
        else:
            yield KernelFacts(subject, directions, borders, *step, claims_of(directions, borders, *step))
