"""One kernel on one image: `kernel`."""
