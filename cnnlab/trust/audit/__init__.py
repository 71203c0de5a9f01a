"""What a network attends to over a whole part, against masks and borders: `audit`."""
