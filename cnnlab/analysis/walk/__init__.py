"""One forward pass of any network without values, each tensor carrying what it depends on."""
