"""Blocks and figures as data, and one way each to draw them: console, PNG, HTML, TensorBoard, JSON, CSV."""
