"""How far to trust a map: what the network's answer does when pixels go, and where the evidence lies."""
