"""LeNets of several widths, pruned and retrained in turn: what survives when half a percent of the weights is left?"""
