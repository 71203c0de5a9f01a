"""One image, and everything that the network makes of it: `report-card`."""
