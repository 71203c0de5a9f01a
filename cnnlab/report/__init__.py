"""One page about a run: `report` and `report-card`."""
