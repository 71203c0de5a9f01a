"""`cnnlab probe transfer`: what a network that has learned other classes is worth, in training images."""
