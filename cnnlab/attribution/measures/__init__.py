"""How far a map can be trusted: deletion and insertion, ROAD, confidence drop, concentration, location."""
