"""What every part stands on: errors, files, located YAML, the registry, quantities, seeds."""
