"""Facts arranged for a reader: titles, numbers, tables and pictures, and no notion of how they are drawn."""
