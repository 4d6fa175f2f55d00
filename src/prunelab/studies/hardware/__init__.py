"""Structured or not: what does the hardware gain from pruning?"""
