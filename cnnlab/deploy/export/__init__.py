"""A network as a file for other programs, run there and compared before it is kept: `cnnlab export`."""
