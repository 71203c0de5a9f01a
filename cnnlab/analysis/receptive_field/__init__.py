"""What part of the picture a unit sees: sizes, places, borders, proofs, and what would change them."""
