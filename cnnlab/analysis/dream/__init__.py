"""Pictures made so that a channel or a class answers as strongly as it can."""
