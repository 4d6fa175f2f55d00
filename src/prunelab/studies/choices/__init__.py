"""How is the threshold chosen, and does what a search finds hold when measured again?"""
