"""Which parts of a picture a network's answer rests on: class activation maps and attributions to pixels."""
