"""How much of the damage does a removed unit's mean undo, for which way of choosing units, and does it last?"""
