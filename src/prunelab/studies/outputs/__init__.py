"""What does pruning by threshold do to a recogniser's outputs, and can moving the biases undo it?"""
