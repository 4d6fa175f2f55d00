"""What do the prunings of search trees and of decision trees share with those of networks, besides the word?"""
