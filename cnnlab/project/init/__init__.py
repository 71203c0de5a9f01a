"""A folder of images looked through, and a config made for it: `init`."""
