"""How many small weights can go without retraining, on recognisers and image nets, by sign, by layer, by share?"""
