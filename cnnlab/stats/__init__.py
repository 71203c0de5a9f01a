"""Numbers about numbers: intervals, bootstrap, classification and calibration measures."""
