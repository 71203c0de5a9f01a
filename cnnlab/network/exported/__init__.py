"""Networks that were exported: what stands in their files beside the weights, and how they are opened again."""
