"""What everything stands on: errors, located YAML, the registry, shape arithmetic. Imports no torch."""
