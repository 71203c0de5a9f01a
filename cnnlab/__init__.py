"""Train a convolutional network and understand it.

    net = cnnlab.open("quickstart")
    net.explain("photo.png", methods=["gradcam", "integrated_gradients"])

`docs/python.md` has every name with an example. Importing the package imports nothing heavy.
"""

from typing import TYPE_CHECKING

from cnnlab.core.lazy import lazily

if TYPE_CHECKING:
    from cnnlab import attribution, receptive_field, walk
    from cnnlab.api.ablation import ablate
    from cnnlab.api.bench import bench
    from cnnlab.api.chapter import chapter
    from cnnlab.api.compare import compare
    from cnnlab.api.init import init
    from cnnlab.api.kernel import kernel
    from cnnlab.api.label_errors import label_errors
    from cnnlab.api.open import open
    from cnnlab.api.prior import prior
    from cnnlab.api.sweep import sweep
    from cnnlab.api.training import train, training_steps
    from cnnlab.api.transfer import transfer
    from cnnlab.core.errors import RequestError, WorkError
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "RequestError": "cnnlab.core.errors:RequestError",
            "WorkError": "cnnlab.core.errors:WorkError",
            "attribution": "cnnlab.attribution",
            "receptive_field": "cnnlab.receptive_field",
            "ablate": "cnnlab.api.ablation:ablate",
            "bench": "cnnlab.api.bench:bench",
            "chapter": "cnnlab.api.chapter:chapter",
            "compare": "cnnlab.api.compare:compare",
            "init": "cnnlab.api.init:init",
            "kernel": "cnnlab.api.kernel:kernel",
            "label_errors": "cnnlab.api.label_errors:label_errors",
            "open": "cnnlab.api.open:open",
            "prior": "cnnlab.api.prior:prior",
            "sweep": "cnnlab.api.sweep:sweep",
            "train": "cnnlab.api.training:train",
            "training_steps": "cnnlab.api.training:training_steps",
            "transfer": "cnnlab.api.transfer:transfer",
            "walk": "cnnlab.walk",
        },
    )

__version__ = "0.1.0"

__all__ = [
    "RequestError",
    "WorkError",
    "__version__",
    "ablate",
    "attribution",
    "bench",
    "chapter",
    "compare",
    "init",
    "kernel",
    "label_errors",
    "open",
    "prior",
    "receptive_field",
    "sweep",
    "train",
    "training_steps",
    "transfer",
    "walk",
]
