"""`cnnlab probe equivariance`: whether a layer's maps move as the image does, and what keeps them from it."""
