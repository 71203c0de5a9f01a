"""The page as a browser gets it: four files, of which one has the network's name and what is said of it."""

from collections.abc import Mapping
from importlib.resources import files

from cnnlab.deploy.serve.answerer import Answerer
from cnnlab.view.html import template

PACKAGE = "cnnlab.deploy.serve"

FILES: Mapping[str, tuple[str, str, str]] = {
    "/serve.js": (PACKAGE, "serve.js", "text/javascript"),
    "/serve.css": (PACKAGE, "serve.css", "text/css"),
    "/page.css": ("cnnlab.view", "page.css", "text/css"),
}
"""Of each address the package and the file that are sent, and their kind."""


def page_files(answerer: Answerer, most_bytes: int) -> dict[str, tuple[bytes, str]]:
    """What is sent for each address that a browser may get, and its kind; all of it is read here, once.

    Arguments:
        answerer: whose network the page is about.
        most_bytes: how large an image may be.
    """
    network, learned = answerer.network, answerer.learned
    page = template("page.html.j2", PACKAGE).render(
        name=network.name,
        lead=_lead(answerer),
        preparation=network.preparation.sentence,
        searched="" if learned is None else learned.sentence,
        most_bytes=most_bytes,
    )
    found = {"/": (page.encode("utf-8", "replace"), "text/html; charset=utf-8")}
    for address, (package, name, kind) in FILES.items():
        found[address] = (files(package).joinpath(name).read_bytes(), f"{kind}; charset=utf-8")
    return found


def _lead(answerer: Answerer) -> str:
    """Classes, weights, and what is done with an image that is none of the classes, in a line."""
    network, options = answerer.network, answerer.options
    said = [f"{len(network.classes)} classes"] * bool(network.classes) + [network.weights]
    if options.rejection is not None:
        said.append(f"an image with a score below {options.rejection.threshold:.4g} is none of them")
    if options.reject_below:
        said.append(f"no label below {100 * options.reject_below:g} %")
    return "; ".join([", ".join(said), *["nothing was learned"] * (not network.trained)])
