"""Whether maps depend on what a network has learned: compared with those of networks that learned nothing, or noise."""
