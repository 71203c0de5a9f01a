"""A small web page on this machine on which an image is dropped, and the network's answer is seen: `serve`."""
