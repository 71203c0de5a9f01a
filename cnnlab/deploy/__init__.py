"""What a network becomes when it leaves: files for other programs, compared before they are kept: `export`."""
