"""`docs/any-network.md` from the strangers: what each command says of networks that nobody here designed for."""

from strangers.networks import STRANGERS
from strangers.stranger import WHOLE, Cam, Refusal, Size, Stranger

HEAD = """\
# Any network

What the commands say of {count} networks that nobody here designed for, gathered from what people report of tools.
Each is written in a few lines in `tests/strangers`, where tests hold every command to what stands here:

- `receptive-field`: sizes in pixels, in closed form; the middle unit of each layer reads the rows and columns that rows
  of NaN show. *all* is the whole image.
- `summary`: parameters are `sum(p.numel())`, multiply-accumulates half of what `torch.utils.flop_counter` counts, and
  those that it leaves out by hand.
- `gradcam` (`--method auto`): the layer, and the map that a hook and `torch.autograd.grad` give there.
- `saliency` (gradient, SmoothGrad, integrated gradients): the maps that `torch.autograd.grad` gives.
- `check-model` foretells which of these will work, and names the layer; where images cannot go through a network, it
  refuses as `saliency` does.

Or a command refuses, in one sentence, of which some words are here. None of them changes the state dict, modes,
`requires_grad`, hooks, `.grad` or the generators of random numbers.

| network | receptive-field | summary | gradcam | saliency |
|---|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return HEAD.format(count=len(STRANGERS)) + "".join(map(_row, STRANGERS))


def _row(stranger: Stranger) -> str:
    cells = (
        f"**{stranger.name}**: {_cell(stranger.strange)} ({_cell(stranger.why)})",
        _fields(stranger),
        _refused(stranger.summary) or ("at least" if stranger.at_least else "right"),
        _cam(stranger.gradcam),
        _refused(stranger.saliency) or _maps(stranger),
    )
    return f"| {' | '.join(cells)} |\n"


def _fields(stranger: Stranger) -> str:
    if isinstance(stranger.fields, Refusal):
        return _refused(stranger.fields)
    return ", ".join(f"{_code(name or 'the network')} {_size(size)}" for name, size in stranger.fields.items())


def _size(size: Size) -> str:
    if size == WHOLE:
        return "all"
    return " × ".join(map(str, size)) if isinstance(size, tuple) else str(size)


def _cam(wanted: Cam | Refusal) -> str:
    if isinstance(wanted, Refusal):
        return _refused(wanted)
    method = {"gradcam": "Grad-CAM", "hirescam": "HiResCAM and integrated gradients"}[wanted.method]
    return f"{method} at {_code(wanted.layer)}" + (f"; says “… {_cell(wanted.note)} …”" if wanted.note else "")


def _maps(stranger: Stranger) -> str:
    return "right, without integrated gradients" if stranger.no_baseline else "right"


def _refused(wanted: Refusal | None) -> str:
    """The words of a refusal; nothing where there is none."""
    return f"refused: “… {' … '.join(map(_cell, wanted.words))} …”" if wanted else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_").replace("<", "\\<")


def _code(text: str) -> str:
    return f"`{text}`"
