"""Whether images can go into a network: what it takes, and what image files have."""

from cnnlab.core.errors import RequestError
from cnnlab.network.network import Network


def check_takes_images(network: Network) -> None:
    """Raises: RequestError for a network whose inputs are no images, or of other channels than its statistics."""
    if len(network.shape) != 3:
        given = " × ".join(map(str, network.shape))
        raise RequestError(f"{network.name} takes {given}, and an image has channels, height and width")
    if network.prepared is not None and len(network.prepared.statistics.mean) != network.shape[0]:
        count = len(network.prepared.statistics.mean)
        raise RequestError(f"{network.name} is for images of {count} channels, not {network.shape[0]}")


def check_takes_files(network: Network) -> None:
    """Raises: RequestError for a network of images of other channels than files have."""
    if network.shape[0] not in (1, 3):
        raise RequestError(
            f"{network.name} takes images of {network.shape[0]} channels, and image files have 1 (grey) or 3 (colour)"
        )
