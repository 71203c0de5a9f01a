"""What was written, what it agrees with, and how it is used."""

from cnnlab.deploy.export.run import Exported
from cnnlab.view.blocks import Column, Number, Numbers, Report, Table, Text


def export_report(made: Exported) -> Report:
    """The file, the passes on which it was compared, and its use."""
    found = made.agreement
    numbers = Numbers((
        Number("size", made.bytes / 1e6, ",.2f", "MB", made.format.label),
        Number("largest difference of a logit", found.difference, ".2g", detail=f"{found.tolerance:.1g} allowed"),
        Number("equal answers", found.answers, ",d", detail=f"of {found.images}, in batches of 1, 2 and 5"),
    ))  # fmt: skip
    rows = tuple((one.images, one.difference, one.answers) for one in found.passes)
    columns = (
        Column("images of the pass", "", "right", ",d"),
        Column("largest difference", "", "right", ".2g"),
        Column("equal answers", "", "right", ",d"),
    )
    passes = Table("Compared with the network", columns, rows, f"On {made.source}.", "passes")
    use = Text(f"{made.use}.", label="use")
    more = tuple(Text(f"{remark}.", "note") for remark in made.remarks)
    doubt = () if made.real else (Text("Compared on made images alone: name real ones with --data.", "note"),)
    return Report(f"Export of {made.metadata.name}", (numbers, passes, *doubt, *more, use), f"Written to {made.path}.")
