"""Networks: layers by name, built from a list with shapes flowing through."""
