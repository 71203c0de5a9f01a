"""The label randomisation test: maps of a network that learned, beside those of one that learned random labels.

Adebayo et al. 2018, arXiv:1810.03292, section 3.2. The second network has the same architecture and training, on labels
that are permuted, until it has (nearly) all training images right; one that did not get there is another untrained
network, and says what weight randomisation says. Where a method's maps are alike, they do not show what was learned.
"""

from collections.abc import Iterator, Mapping

from jaxtyping import Float, Int64
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.models.undisturbed import undisturbed
from cnnlab.trust.sanity.similarity import map_similarity
from cnnlab.trust.sanity.verdict import SanityVerdict, sanity_verdict, summarize_similarity
from cnnlab.trust.sanity.weights import Explain, explained

AGAINST = "a network trained on random labels"


def compare_label_training(
    model: nn.Module,
    random_label_model: nn.Module,
    images: Float[Tensor, "n c h w"],
    targets: Int64[Tensor, "_"],
    methods: Mapping[str, Explain],
    *,
    seed: int,
    max_batch: int = 64,
) -> Iterator[SanityVerdict]:
    """Explain the (normalised) `images` by both networks, for the same `targets`; yields each method's verdict.

    Both are in evaluation mode meanwhile, and their modes come back.

    Raises: RequestError for no image, another number of targets, or a method that gives maps of another number;
    WorkError for maps with values that are NaN or infinite.
    """
    if len(images) == 0 or len(targets) != len(images):
        raise RequestError(f"{len(targets)} targets for {len(images)} images; expected one each, and an image")
    size = (images.shape[2], images.shape[3])
    for name, explain in methods.items():
        with undisturbed(model), undisturbed(random_label_model):
            ours = explained(name, explain, model, images, targets, max_batch=max_batch)
            theirs = explained(name, explain, random_label_model, images, targets, max_batch=max_batch)
        similarity = summarize_similarity(map_similarity(ours, theirs, size=size), seed=seed)
        yield sanity_verdict(name, similarity, against=AGAINST)
