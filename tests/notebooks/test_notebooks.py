"""Every notebook runs from its own defaults' shape on tiny parameters, and leaves what the book reads."""

import json
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from safetensors.torch import load_file

from prunelab import claims
from prunelab.report import execute, notebooks, profiles, warm
from prunelab.report.parameters import with_texts
from prunelab.tables import load

TINY = {"models": ["mlp-8-6-relu", "mlp-8-6-tanh"], "seeds": [0, 1], "epochs": 3}
CORPUS = {"train_words": 400, "dev_words": 60, "test_words": 90, "train_snr_db": [], "test_snr_db": []}
SPEECH = {"corpus": "../speech-corpus", "nets": ["../train-recogniser"]}
SPEECH_TABLES = {
    "threshold_sweep": "../speech-threshold-sweep",
    "layer_sensitivity": "../speech-layer-sensitivity",
    "percentile": "../speech-percentile",
}
LENET_NETS = ["lenet-300-100-relu", "lenet-600-100-relu"]  # narrower nets are no subjects of the claims' rules
PRUNE = {"nets": ["../dense-lenets"], "targets": ["2660", "99%"], "rounds": [2], "epochs": 1, "final_epochs": 2}
# Runs of a notebook beside the one in its name: the other recipe, and removed weights trained again.
SOURCE = {"nets": ["../dense-source"], "recipe": "source", "tuned": ""}
BESIDE = {
    "dense-source": ("dense-lenets", {"recipe": "source"}),
    "pruned-source": ("prune-lenets", {**SOURCE, "live_paths": False}),
    "regrown": ("prune-lenets", {"nets": ["../../dense-lenets"], "tuned": "", "regrow": True}),
    "regrown-source": ("prune-lenets", {**SOURCE, "regrow": True}),
}
LENET_RUNS = {
    "dense": "../dense-lenets",
    "dense_source": "../.beside/dense-source",
    "small": "../dense-lenets",
    "pruned": "../prune-lenets",
    "pruned_source": "../.beside/pruned-source",
    "regrown": "../.beside/regrown",
    "regrown_source": "../.beside/regrown-source",
    "budgets": "../prune-lenets",
    "frontier": "../prune-lenets",
    "active": "../active-units",
    "removal": "../activation-removal",
}
LENET = {
    "dense-lenets": {"models": LENET_NETS, "seeds": [0, 1], "epochs": 3, "learning_rates": [0.2]},
    "tune-pruning": {
        "nets": ["../dense-lenets"],
        "target": "2660",
        "rounds": 2,
        "epochs": 1,
        "final_epochs": 2,
        "learning_rates": [0.2],
        "penalties": [0.0, 1e-4],
    },
    "prune-lenets": {**PRUNE, "tuned": "../tune-pruning"},
    "active-units": {"strong": ["../dense-lenets", "../prune-lenets"]},
    "activation-removal": {
        "strong": ["../dense-lenets", "../prune-lenets"],
        "models": [],
        "retrained_models": LENET_NETS[:1],
        "retrain_epochs": 1,
        "scratch_epochs": 2,
    },
    "lenet-report": {**LENET_RUNS, "targets": ["2660"]},
    "lenet-verdicts": {
        "dense": ["../dense-lenets", "../.beside/dense-source"],
        "pruned": ["../prune-lenets", "../.beside/pruned-source", "../.beside/regrown"],
        "active": "../active-units",
        "removal": "../activation-removal",
    },
}

UNITS_NET = "conv-6k3p-8k3-12"
UNITS = {
    "units-penalties": {
        "model": UNITS_NET,
        "seeds": [0, 1],
        "iterations": 60,
        "every": 20,
        "all_every": 20,
        "choose_every": 5,
        "store": [20],
        "scoring": 100,
        "examples": 100,
    },
    "units-fine-tuning": {
        "nets": ["../units-penalties"],
        "seeds": [],
        "steps": [],
        "tuning_steps": [2, 5],
        "scoring": 100,
        "examples": 100,
    },
    "units-iterative": {
        "nets": ["../units-penalties"],
        "seeds": [],
        "step": 60,
        "round_fraction": 0.1,
        "measured": [0.1, 0.2],
        "tuning_steps": 3,
        "scoring": 100,
        "examples": 100,
    },
    "units-corrections": {
        "nets": ["../units-penalties"],
        "seeds": [],
        "tuning_steps": [3],
        "scoring": 100,
        "examples": 100,
        "agreement_examples": 50,
    },
    "units-steps": {"iterations": 200},
    "units-report": {
        "penalties": ["../units-penalties"],
        "vgg": "../units-penalties",
        "fine_tuning": ["../units-fine-tuning"],
        "iterative": ["../units-iterative"],
        "corrections": ["../units-corrections"],
        "steps": "../units-steps",
    },
    "units-verdicts": {
        "penalties": ["../units-penalties"],
        "fine_tuning": ["../units-fine-tuning"],
        "iterative": ["../units-iterative"],
    },
}
FUNCTIONS = {
    "pruning-kinds": {
        "model": "mlp-8-6-relu",
        "seeds": [0, 1],
        "epochs": 3,
        "sparsities": [0.5, 0.9],
        "retrained_sparsities": [0.9],
        "retraining_steps": 2,
        "l1": [1e-4],
        "l2": [1e-3],
    },
    "kinds-report": {"runs": ["../pruning-kinds"], "names": ["lenet"]},
    "choose-thresholds": {"models": ["mlp-8-6-relu"], "seeds": [0, 1], "epochs": 3, "tests": 5, "scoring": 100},
    "hardware": {
        "models": ["mlp-12-8-relu"],
        "iterations": 100,
        "sparsities": [0.5, 0.8],
        "scoring": 100,
        "examples": 100,
        "batches": [1, 4],
        "calls": [1, 1],
        "rounds": 2,
        "memory_sparsities": [],
        "memory_batch": 4,
    },
    "functions-report": {"choices": ["../choose-thresholds"], "hardware": ["../hardware"], "names": ["lenet"]},
    "functions-verdicts": {
        "kinds": "../kinds-report",
        "choices": "../functions-report",
        "hardware": "../functions-report",
    },
}
WORDS = {
    "search-pruning": {"boards": [4], "items": [4], "moves": [5], "seeds": [0, 1]},
    "tree-pruning": {"seeds": [0, 1], "points": 3},
}

pytestmark = pytest.mark.graph


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run the notebooks one after another, each reading what those before it left, in forked kernels."""
    with warm.started(execute.environment(1)) as kernels, pytest.MonkeyPatch.context() as patch:
        for name, value in kernels.items():
            patch.setenv(name, value)
        yield made(tmp_path_factory.mktemp("results"))


def made(folder: Path) -> Path:
    train = {"model": "mlp-8-6-relu", "seeds": [0, 1], "epochs": 3, "learning_rates": [0.2, 0.4]}
    tables = {
        "threshold_sweep": "../threshold-sweep",
        "layer_sensitivity": "../layer-sensitivity",
        "percentile": "../percentile",
    }
    for name, parameters in LENET.items():
        run(folder / name, name, parameters)
        for beside, (notebook, others) in BESIDE.items():
            if notebook == name:
                run(folder / ".beside" / beside, name, {**parameters, **others})
    for name, parameters in (UNITS | FUNCTIONS | WORDS).items():
        run(folder / name, name, parameters)
    for name, parameters in {
        "train-lenet": train,
        "threshold-sweep": {**TINY, "scales": [0.3, 1.0, 3.0]},
        "layer-sensitivity": {"nets": ["../train-lenet"], "scales": [0.5, 0.97]},
        "percentile": {**TINY, "fractions": [0.2, 0.9]},
        "images-report": {**tables, "nets": ["../train-lenet"]},
        "speech-corpus": CORPUS,
        "train-recogniser": {
            "corpus": "../speech-corpus",
            "model": "acoustic-3x24-relu",
            "seeds": [0, 1],
            "epochs": 3,
            "learning_rates": [0.004, 0.008],
        },
        "speech-threshold-sweep": {**SPEECH, "scales": [0.4, 0.97, 2.0]},
        "speech-layer-sensitivity": {**SPEECH, "scales": [0.97, 2.0]},
        "speech-percentile": {**SPEECH, "fractions": [0.3, 0.8]},
        "speech-rescaled": {**SPEECH, "fractions": [0.3, 0.8]},
        "speech-outputs": {**SPEECH, "scales": [0.4, 2.0]},
        "speech-correction": {**SPEECH, "scales": [0.4, 2.0], "threshold_sweep": "../speech-threshold-sweep"},
        "speech-report": {**SPEECH, **SPEECH_TABLES, "rescaled": "../speech-rescaled"},
        "outputs-report": {"outputs": "../speech-outputs", "correction": "../speech-correction"},
    }.items():
        run(folder / name, name, parameters)
    for name in sorted(set(notebooks.names()) - {path.name for path in folder.iterdir()}):
        run(folder / name, name, as_in_quick(name))
    return folder


def as_in_quick(notebook: str) -> dict[str, object]:
    """What the quick profile asks of a notebook, of the runs made here."""
    quick = profiles.read("quick")
    asked = next(run.parameters for run in quick.runs if run.notebook == notebook and not run.published)

    def here(text: str) -> str:
        return f"../{quick.run(text[1:]).notebook}" if text.startswith("@") else text

    return {name: with_texts(value, here) for name, value in asked.items()}


def run(out: Path, notebook: str, parameters: dict[str, object]) -> None:
    execute.execute(notebook, parameters, out=out, run=out.name, command=f"prunelab run {notebook}", progress=False)


@pytest.mark.parametrize("name", notebooks.names())
def test_a_notebook_leaves_tables_that_load_and_a_record_of_how_it_was_made(results: Path, name: str) -> None:
    tables = sorted((results / name / "tables").glob("*.csv"))
    record = json.loads((results / name / "provenance.json").read_text(encoding="utf-8"))

    assert tables
    assert all(len(load(table)) for table in tables)
    assert record["command"] == f"prunelab run {name}"
    assert record["wall_seconds"] > 0


@pytest.mark.parametrize("name", notebooks.names())
def test_a_figure_has_alt_text_a_caption_and_its_data_in_the_same_run(results: Path, name: str) -> None:
    for figure in sorted((results / name / "figures").glob("*.svg")):
        described = json.loads(figure.with_suffix(".json").read_text(encoding="utf-8"))

        assert len(described["alt"]) >= 40
        assert described["caption"]
        assert (results / name / "tables" / f"{described['table']}.csv").is_file()


@pytest.mark.parametrize("name", notebooks.names())
def test_an_executed_notebook_holds_no_error_and_no_word_from_stderr(results: Path, name: str) -> None:
    book = nbformat.read(results / name / "notebook.ipynb", as_version=4)
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]

    assert outputs
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


def test_nets_trained_by_one_notebook_are_what_another_measures(results: Path) -> None:
    dense = load(results / "train-lenet" / "tables" / "dense.csv").set_index("seed")
    layers = load(results / "layer-sensitivity" / "tables" / "layer-sensitivity.csv")
    baselines = layers.groupby("seed")["baseline_error_percent"].first()

    assert baselines.to_dict() == dense["error_percent"].to_dict()


def test_nets_pruned_by_one_notebook_have_the_weights_that_its_table_counts(results: Path) -> None:
    pruned = load(results / "prune-lenets" / "tables" / "pruned.csv")
    stored = {
        path.stem: sum(
            int(tensor.count_nonzero()) for name, tensor in load_file(path).items() if name.endswith("weight")
        )
        for path in (results / "prune-lenets" / "nets").glob("*.safetensors")
    }

    assert stored == {
        f"{row.model}-{row.mode}-{row.budget}-{row.target}-seed{row.seed}": row.kept for row in pruned.itertuples()
    }


def test_recognisers_trained_by_one_notebook_are_what_another_measures(results: Path) -> None:
    dense = load(results / "train-recogniser" / "tables" / "dense.csv").set_index("seed")
    sweep = load(results / "speech-threshold-sweep" / "tables" / "threshold-sweep.csv")
    baselines = sweep.groupby("seed")["baseline_error_percent"].first()

    assert baselines.to_dict() == dense["error_percent"].to_dict()


VERDICTS = {
    "verdicts": "images",
    "speech-verdicts": "sparseness",
    "outputs-verdicts": "outputs",
    "lenet-verdicts": "lenet",
    "units-verdicts": "mean-replacement",
    "functions-verdicts": "functions",
}


@pytest.mark.parametrize(("run", "study"), VERDICTS.items())
def test_a_study_s_claims_are_decided_on_the_tables_that_its_verdicts_name(results: Path, run: str, study: str) -> None:
    verdicts = json.loads((results / run / "claims.json").read_text(encoding="utf-8"))

    assert [verdict["id"] for verdict in verdicts] == [claim.id for claim in claims.load() if claim.study == study]
    for verdict in verdicts:
        assert {"study", "id", "verdict", "effect", "low", "high", "unit", "n_seeds", "published", "table"} <= set(
            verdict
        )
        assert (results / verdict["table"]).is_file()


def test_running_a_notebook_again_gives_the_same_bytes(results: Path, tmp_path: Path) -> None:
    again = execute.execute(
        "threshold-sweep",
        {**TINY, "scales": [0.3, 1.0, 3.0]},
        out=tmp_path / "threshold-sweep",
        run="threshold-sweep",
        command="prunelab run threshold-sweep",
        progress=False,
    )
    before = {
        path.relative_to(results / again.name): path.read_bytes()
        for path in sorted((results / again.name).rglob("*"))
        if path.is_file() and path.name != "provenance.json"
    }

    assert before
    assert all((again / path).read_bytes() == content for path, content in before.items())


def test_what_a_quick_book_shows_a_full_one_has_too() -> None:
    quick, full = ({run.name: run.notebook for run in profiles.read(name).runs} for name in ("quick", "full"))

    assert quick.items() <= full.items()
