"""What a network becomes where it is used: `export`, files for other programs, and `serve`, a page on this machine."""
