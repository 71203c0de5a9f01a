"""Reports drawn: in the terminal, as PNG, as one HTML page, for TensorBoard, as JSON and CSV."""
