"""Whether maps depend on what was learned, and what the network attends to: `sanity`, `audit`."""
