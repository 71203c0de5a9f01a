"""The shape of a config file, its schema, overrides, and the built-in one."""
