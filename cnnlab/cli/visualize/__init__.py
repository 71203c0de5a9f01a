"""`cnnlab visualize`: one file a command."""
