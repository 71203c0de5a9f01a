"""One file per command: config objects come in, facts and reports go out."""
