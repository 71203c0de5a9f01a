"""What a network becomes where it is used: `export` to other programs, `fuse` to fewer layers, `serve` as a page."""
