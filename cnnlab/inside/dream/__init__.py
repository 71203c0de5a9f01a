"""Images that a unit answers to most: `visualize dream`."""
