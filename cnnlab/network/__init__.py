"""The network of a command, and images on their way in and back."""
