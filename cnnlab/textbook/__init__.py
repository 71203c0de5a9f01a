"""The numbers of the textbook chapter, each found again by cnnlab's own functions: `chapter`."""
