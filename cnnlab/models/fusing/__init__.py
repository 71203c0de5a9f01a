"""A network with fewer layers that computes the same: norms folded into convolutions, summed branches merged."""
