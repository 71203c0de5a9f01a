"""What it takes to load a file of weights: its format, its content, where in it they stand, casts, and what is said."""
