"""Which kinds of pruning function beat random removal, and which should one take?"""
