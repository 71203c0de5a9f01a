"""`cnnlab probe norm`: what a normalisation does to a network: its formulas, its statistics, its training."""
