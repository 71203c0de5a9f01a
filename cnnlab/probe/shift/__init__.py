"""`cnnlab probe shift`: what becomes of a network's answers when the image moves by a few pixels."""
