"""Images that come one after the other: frames on standard input, and files that appear in a folder."""
