"""What the filters of a convolution look like, in numbers and against a null."""
