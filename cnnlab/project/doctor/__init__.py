"""Whether the installation works: `doctor`."""
