"""Claims as a table of a report: what is said, what was measured, and whether this measurement supports it."""

from collections.abc import Sequence

from cnnlab.stats.claim import Claim
from cnnlab.view.blocks import Column, Table, shown


def claims_table(claims: Sequence[Claim], *, title: str = "Claims", note: str = "", name: str = "claims") -> Table:
    """A row for each claim, in their order.

    Arguments:
        claims: at least one.
        title, note, name: of the table.

    Returns: the table, with values and their 95 % intervals.
    """
    columns = (Column("claim"), Column("from"), Column("measured"), Column("value", align="right"), Column("this run"))
    rows = tuple((one.sentence, one.source, one.measured, claim_value(one), one.finding.value) for one in claims)
    return Table(title, columns, rows, note, name)


def claim_value(claim: Claim) -> str:
    """The value with its interval, such as `5.0 % [2.5, 7.5]`."""
    text = shown(claim.value, claim.form)
    if claim.interval is None:
        return text
    low, high = (
        shown(end, claim.form).removesuffix("\N{NO-BREAK SPACE}%") for end in (claim.interval.low, claim.interval.high)
    )
    return f"{text} [{low}, {high}]"
