"""`cnnlab probe position`: whether what a layer puts out tells where in the image it is, and where things are."""
