"""How fast is one setting of a pruned recogniser measured: forward pass, decoding, errors?

Our decoding of a whole grid of decoders at once against the same decoder on one utterance and one setting at a time
and, where it is installed, against kaldi-decoder on the same graph; our forward pass against its bare matrix products;
settings of one layer with and without the reuse of the layers before. All contenders in one process, in turn, on the
same nets, scores and threads; what the decoders hear is compared too. The slow decoders hear some utterances of the
test part, evenly spaced; `--utterances 0` has them hear all.

    python benchmarks/decode.py [--data fsdd] [--threads 1] [--repeats 3] [--utterances 30] [--json FILE]
"""

import argparse
import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

import torch
from torch import Tensor, nn

from prunelab import files
from prunelab.data.recordings import load_recordings
from prunelab.measure.sweep import logits
from prunelab.models import build, linear_layers, weight_rms
from prunelab.pruning import below_threshold, masked, prunable
from prunelab.speech import Corpus, Setting, Topology, decode, word_errors
from prunelab.studies.common.corpora import Shape, make_corpus
from prunelab.studies.common.recognisers import GRID
from prunelab.train import Frames, Recipe, train

MODELS = ("acoustic-6x256-relu", "acoustic-6x256-tanh", "acoustic-6x256-sigmoid")
Heard = list[list[tuple[int, ...]]]
Contenders = dict[str, Callable[[], object]]
Row = dict[str, str | float]


def one_by_one(scores: Tensor, lengths: Tensor, topology: Topology, transitions: Tensor) -> Heard:
    parts = scores.split(lengths.tolist())
    return [
        [decode(part, torch.tensor([len(part)]), topology, [setting], transitions)[0][0] for part in parts]
        for setting in GRID
    ]


def graph(topology: Topology, setting: Setting, transitions: Tensor) -> object:
    """The loop of words and silence as kaldi-decoder reads it: inputs and outputs counted from 1, costs."""
    import kaldifst

    stay, leave = (-transitions).T.tolist()
    fst = kaldifst.StdVectorFst()

    def arc(origin: int, state: int, word: int, cost: float, target: int) -> None:
        fst.add_arc(origin, kaldifst.StdArc(state, word, kaldifst.TropicalWeight(cost), target))

    # Words are entered from `words`; silence only from `ended`, so that it is stayed in and never entered again.
    ended, words, silence = fst.add_state(), fst.add_state(), fst.add_state()
    fst.start = ended
    fst.set_final(words, kaldifst.TropicalWeight(0.0))
    arc(ended, 0, 0, 0.0, words)
    arc(ended, topology.silence + 1, 0, 0.0, silence)
    arc(silence, topology.silence + 1, 0, stay[topology.silence], silence)
    arc(silence, 0, 0, leave[topology.silence], words)
    for word in range(topology.words):
        origin, output, cost = words, word + 1, -setting.penalty
        for state in topology.word_states(word):
            target = fst.add_state()
            arc(origin, state + 1, output, cost, target)
            arc(target, state + 1, 0, stay[state], target)
            origin, output, cost = target, 0, leave[state]
        arc(origin, 0, 0, cost, ended)
    return fst


def kaldi(scores: Tensor, lengths: Tensor, topology: Topology, transitions: Tensor) -> Heard:
    import kaldi_decoder
    import kaldifst

    # At 30 it lost the best path in 8 of 27,090 results, at scale 1 and penalties of -10 and -20; at 200 in none.
    options = kaldi_decoder.FasterDecoderOptions(beam=30.0, max_active=1_000_000)
    heard: Heard = []
    for setting in GRID:
        fst = graph(topology, setting, transitions)  # by name: the decoder does not keep it alive
        decoder = kaldi_decoder.FasterDecoder(fst, options)
        found = []
        for part in scores.split(lengths.tolist()):
            decoder.decode(kaldi_decoder.DecodableCtc((part * setting.scale).numpy()))
            _, path = decoder.get_best_path()
            _, _, words, _ = kaldifst.get_linear_symbol_sequence(path)
            found.append(tuple(word - 1 for word in words))
        heard.append(found)
    return heard


def bare_products(model: nn.Sequential, x: Tensor) -> Callable[[], None]:
    """One product a layer, no biases, no activations; in the blocks of the forward pass, as cached as they are."""
    matrices = [model.get_parameter(f"{name}.weight").detach() for name in linear_layers(model)]

    def multiply() -> None:
        for rows in x.split(1000):
            for matrix in matrices:
                rows = rows @ matrix.T

    return multiply


def measured(contenders: Contenders, repeats: int) -> tuple[dict[str, float], dict[str, object]]:
    """Run the contenders in turn; give each one's shortest time [s] and last result."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    results = {}
    for _ in range(repeats):
        for name, contender in contenders.items():
            start = time.perf_counter()
            results[name] = contender()
            seconds[name].append(time.perf_counter() - start)
    return {name: min(times) for name, times in seconds.items()}, results


def show(title: str, per: str, rows: Sequence[Row]) -> None:
    print(f"\n{title}\n{'':52}{per:>22}{'of the first':>14}")
    for row in rows:
        print(f"{row['contender']:52}{row['ms']:>22.3f}{float(row['ms']) / float(rows[0]['ms']):>13.2f}x")


def trained(spec: str, corpus: Corpus) -> nn.Sequential:
    generator = torch.Generator().manual_seed(0)
    model = build(spec, inputs=corpus.inputs, classes=corpus.topology.states, generator=generator)
    x, _ = corpus.frames(corpus.train)
    recipe = Recipe(epochs=2, optimizer="adam", learning_rate=1e-3, warmup=0.1, clip=1.0)
    train(model, Frames(x=x, y=corpus.train.labels), recipe, generator=generator)
    return model


def decoding(model: nn.Sequential, corpus: Corpus, repeats: int, utterances: int) -> list[Row]:
    x, lengths = corpus.frames(corpus.test)
    [outputs] = logits(model, x, [{}])
    scores = outputs.log_softmax(1) - corpus.log_priors
    known = (corpus.topology, corpus.transitions)
    every = max(1, len(lengths) // utterances) if utterances else 1
    some = range(0, len(lengths), every)
    parts = scores.split(lengths.tolist())
    sample = (torch.cat([parts[i] for i in some]), lengths[list(some)])
    ours = f"{len(lengths)} utterances at once"
    counts = {ours: len(lengths), "one utterance, one decoder at a time": len(some)}
    contenders: Contenders = {
        ours: lambda: decode(scores, lengths, corpus.topology, GRID, corpus.transitions),
        "one utterance, one decoder at a time": lambda: one_by_one(*sample, *known),
    }
    if importlib.util.find_spec("kaldi_decoder") and importlib.util.find_spec("kaldifst"):
        contenders["kaldi-decoder, beam 30"] = lambda: kaldi(*sample, *known)
        counts["kaldi-decoder, beam 30"] = len(some)
    else:
        print("kaldi-decoder is not installed: left out (pip install kaldi-decoder)")
    seconds, results = measured(contenders, repeats)
    rows: list[Row] = [
        {"contender": name, "ms": 1000 * seconds[name] / len(GRID) / counts[name]} for name in contenders
    ]
    show(f"Decoding, {len(GRID)} decoders", "ms/utterance/decoder", rows)
    heard: Heard = results.pop(ours)
    for name, others in results.items():
        pairs = [(mine[i], theirs[at]) for mine, theirs in zip(heard, others, strict=True) for at, i in enumerate(some)]
        print(f"heard alike, {name}: {sum(mine == theirs for mine, theirs in pairs)} of {len(pairs)}")
    rates = [word_errors(corpus.test.words, words).wer_percent for words in heard]
    print(f"word error rate of the best decoder, briefly trained net: {min(rates):.1f} %")
    return rows


def pruned(model: nn.Sequential) -> Iterator[dict[str, Tensor]]:
    """Prune ever more, so that no setting is measured twice."""
    weights = prunable(model)
    rms = weight_rms(list(weights.values()))
    for step in count():
        yield masked(weights, below_threshold(weights, (0.3 + 0.05 * step) * rms, "abs"))


def full_settings(model: nn.Sequential, corpus: Corpus, repeats: int) -> list[Row]:
    """Dev and test part, all decoders."""
    (dev, dev_lengths), (test, test_lengths) = corpus.frames(corpus.dev), corpus.frames(corpus.test)
    x, lengths = torch.cat([dev, test]), torch.cat([dev_lengths, test_lengths])
    references, settings = [*corpus.dev.words, *corpus.test.words], pruned(model)
    latest: dict[str, object] = {}

    def forward() -> None:
        [outputs] = logits(model, x, [next(settings)])
        latest["scores"] = outputs.log_softmax(1) - corpus.log_priors

    def heard() -> None:
        latest["heard"] = decode(latest["scores"], lengths, corpus.topology, GRID, corpus.transitions)

    def whole() -> None:
        forward()
        heard()

    seconds, _ = measured(
        {
            "prune, forward, decode": whole,
            "  prune and forward": forward,
            "  decode": heard,
            "count errors": lambda: [word_errors(references, words) for words in latest["heard"]],
        },
        repeats,
    )
    rows: list[Row] = [{"contender": name, "ms": 1000 * best} for name, best in seconds.items()]
    show(f"A full setting: {len(lengths)} utterances, {len(x)} frames, {len(GRID)} decoders", "ms", rows)
    return rows


def forward_pass(spec: str, model: nn.Sequential, x: Tensor, repeats: int) -> list[Row]:
    setting = next(pruned(model))
    contenders: Contenders = {
        f"bare matrix products, {spec}": bare_products(model, x),
        f"forward pass, {spec}": lambda: list(logits(model, x, [setting])),
    }
    seconds, _ = measured(contenders, 2 * repeats)
    rows: list[Row] = [{"contender": name, "ms": 1000 * best} for name, best in seconds.items()]
    show(f"Forward pass, {len(x)} frames", "ms/setting", rows)
    return rows


def one_layer(model: nn.Sequential, x: Tensor, repeats: int) -> list[Row]:
    """Each layer pruned alone at two thresholds; naming all the weights leaves nothing to reuse."""
    weights, settings = prunable(model), pruned(model)
    levels = [next(settings), next(settings)]
    alone = [{name: level[name]} for name in weights for level in levels]
    contenders: Contenders = {
        "layers before the pruned one reused": lambda: list(logits(model, x, alone)),
        "every layer anew": lambda: list(logits(model, x, ({**weights, **setting} for setting in alone))),
    }
    seconds, results = measured(contenders, repeats)
    reused, anew = results.values()
    for mine, theirs in zip(reused, anew, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)
    rows: list[Row] = [{"contender": name, "ms": 1000 * best / len(alone)} for name, best in seconds.items()]
    show(f"Settings of one layer, each of {len(weights)} layers {len(levels)} times", "ms/setting", rows)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="fsdd")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--utterances", type=int, default=30)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    # The parts that are heard in full; fewer words to train on, and not aligned twice, take a quarter of the time.
    corpus, _, _ = make_corpus(load_recordings(options.data), Shape(train_words=2000, realignments=1), progress=False)
    first, *others = MODELS
    model = trained(first, corpus)
    print(f"{corpus.name}, {corpus.topology.states} states, {options.threads} thread(s); best of {options.repeats}")
    rows = decoding(model, corpus, options.repeats, options.utterances)
    rows += full_settings(model, corpus, options.repeats)
    x, _ = corpus.frames(corpus.test)
    rows += forward_pass(first, model, x, options.repeats)
    for spec in others:
        rows += forward_pass(spec, trained(spec, corpus), x, options.repeats)
    rows += one_layer(model, x, options.repeats)
    if options.json:
        files.write_json(options.json, rows)


if __name__ == "__main__":
    main()
