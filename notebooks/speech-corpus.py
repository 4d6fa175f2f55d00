# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The corpus: digit strings in noise
#
# What does the recogniser hear? Recordings of single digits are joined into random strings with pauses and noise, their
# features computed, and every training frame aligned to a state of its word. Recordings of your own, a folder of wav
# files with a table of what is said in them, work the same way.

# %% tags=["parameters"]
data = "espeak"  # espeak (synthetic), fsdd (Free Spoken Digit Dataset), or ./path to wav files and a CSV
held_out: list[str] = []  # speakers that are tested and neither trained nor tuned on; empty: the source's own parts
train_words = 1200  # words in the training strings, each recording used equally often
dev_words = 200  # words in the strings on which decoders and learning rates are chosen
test_words = 400  # words in the test strings
train_snr_db = [-4.0, 11.0]  # lowest and highest signal-to-noise ratio of a training string; empty: no noise
test_snr_db = [1.0, 1.0]  # the same for the development and test strings
bins = 24  # mel bands
context = 5  # neighbours of a frame that the net sees, on either side, 10 ms apart
step = 2  # every so many 10-ms frames one is scored
states_per_word = 6  # of a word's left-to-right chain
realignments = 2  # rounds of Viterbi realignment after the uniform segmentation
seed = 0  # of strings, levels, pauses and noise
device = "cpu"  # where to train the aligning net: cpu or cuda

# %%
from prunelab.data.recordings import load_recordings
from prunelab.speech import save_corpus
from prunelab.studies.common import corpora

shape = corpora.Shape(
    train_words=train_words,
    dev_words=dev_words,
    test_words=test_words,
    train_snr_db=tuple(train_snr_db) or None,
    test_snr_db=tuple(test_snr_db) or None,
    bins=bins,
    context=context,
    step=step,
    states_per_word=states_per_word,
    realignments=realignments,
    seed=seed,
)
corpus, parts, alignment = corpora.make_corpus(load_recordings(data, held_out=held_out), shape, device=device)
save_corpus(corpus)
corpora.CorpusPart.save(parts)

# %% [markdown]
# How many training frames each round of realignment moved to another state:

# %%
corpora.Alignment.save(alignment)
