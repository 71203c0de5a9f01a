"""`cnnlab probe prior`: what a convolution assumes of images, and how many images that is worth."""
