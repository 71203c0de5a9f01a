"""The images on which the network errs or doubts, with their maps."""
