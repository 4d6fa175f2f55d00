"""Speech: recordings to utterances, features, state labels, decoded words and their errors."""

from prunelab.speech.alignment import forced, uniform
from prunelab.speech.corpus import Corpus, Part, log_priors, log_transitions, open_corpus, save_corpus
from prunelab.speech.decoding import Setting, Topology, decode
from prunelab.speech.features import log_mel, splice
from prunelab.speech.scoring import WordErrors, utterance_interval, word_errors
from prunelab.speech.strings import Stringing, Utterance, join, whole

__all__ = [
    "Corpus",
    "Part",
    "Setting",
    "Stringing",
    "Topology",
    "Utterance",
    "WordErrors",
    "decode",
    "forced",
    "join",
    "log_mel",
    "log_priors",
    "log_transitions",
    "open_corpus",
    "save_corpus",
    "splice",
    "uniform",
    "utterance_interval",
    "whole",
    "word_errors",
]
