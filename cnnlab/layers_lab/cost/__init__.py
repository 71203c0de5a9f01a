"""What a network costs on this machine, and what it would with separable convolutions: `cost`."""
