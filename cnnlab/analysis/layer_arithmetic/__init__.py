"""What a layer costs and sees, from its shapes alone: weights, multiplications, memory, the field of one unit."""
