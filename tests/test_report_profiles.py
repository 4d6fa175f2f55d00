"""Profiles: what is read from them, and what they refuse in one line."""

from pathlib import Path

import pytest

from prunelab import files
from prunelab.report import profiles
from prunelab.report import runs as report_runs
from refusals import refused


def write(root: Path, runs: str, name: str = "mine") -> None:
    (root / "profiles" / f"{name}.yml").write_text(f"description: mine\nthreads: 2\nruns:\n{runs}")


def test_runs_come_after_those_they_read(root: Path):
    plan = profiles.read("quick")

    assert [run.name for run in plan.runs] == ["one", "two", "total"]
    assert plan.run("total").inputs == ("one", "two")
    assert plan.run("one").inputs == ()


def test_a_reference_becomes_the_path_from_the_folder_of_the_run(root: Path):
    (root / "published/results/full/one").mkdir(parents=True)
    write(
        root,
        "  one: {notebook: count}\n  last: {notebook: total, parameters: {sums: ['@one', '@published/full/one']}}\n",
    )

    run = profiles.read("mine").run("last")

    assert run.inputs == ("one",)
    assert run.published == (root / "published/results/full/one",)
    assert profiles.resolve(run) == {"sums": ["../one", "../../../published/results/full/one"]}


def test_a_reference_holds_from_another_folder_too(root: Path):
    run = profiles.read("quick").run("total")

    elsewhere = profiles.resolve(run, root / "results/custom/total")
    scratch = profiles.resolve(run, root / "scratch/total", inputs=root / "scratch")

    assert elsewhere == {"sums": ["../../quick/one", "../../quick/two"]}
    assert scratch == {"sums": ["../one", "../two"]}


def test_references_are_found_inside_lists_and_mappings(root: Path):
    write(root, "  a: {notebook: count}\n  b: {notebook: total, parameters: {sums: [{net: ['@a']}, '@a']}}\n")

    assert profiles.read("mine").run("b").inputs == ("a",)


def test_runs_of_a_profile_that_goes_with_another_belong_to_both_and_keep_one_place(root: Path):
    write(root, "  drawn: {notebook: count, parameters: {numbers: [1]}}\n", "shared")
    (root / "profiles/mine.yml").write_text(
        "with: [shared]\nruns:\n  last: {notebook: total, parameters: {sums: ['@drawn']}}\n"
    )

    plan = profiles.read("mine")

    assert [(run.name, run.profile, run.threads) for run in plan.runs] == [("drawn", "shared", 2), ("last", "mine", 1)]
    assert plan.run("drawn").folder == profiles.read("shared").run("drawn").folder
    assert [run.name for run in plan.measured()] == ["last"]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("published", r"with must be a list of profiles, as \[published\]; got 'published'"),
        ("[qiuck]", r"no profile 'qiuck' in profiles/; did you mean 'quick'\?"),
        ("[quick]", r"the run 'one' is one of profile 'quick' already; give it another name"),
        ("[twice]", r"a profile that others go with stands alone; 'twice' goes with some itself"),
    ],
)
def test_a_profile_goes_with_whole_ones_whose_runs_have_other_names(root: Path, key: str, message: str):
    (root / "profiles/twice.yml").write_text("with: [quick]\nruns: {}\n")
    (root / "profiles/mine.yml").write_text(f"with: {key}\nruns:\n  one: {{notebook: count}}\n")

    with pytest.raises(ValueError, match=message):
        profiles.read("mine")


def test_a_run_is_given_a_core_a_net_a_tried_setting_or_a_thread(root: Path):
    for name in ("trains", "prunes"):
        (root / f"notebooks/{name}.py").write_text("import prunelab.parts\n")
    write(
        root,
        "  three: {notebook: trains, threads: 1, parameters: {models: [a, b, c], seeds: [0, 1]}}\n"
        "  rates: {notebook: trains, threads: 1, parameters: {seeds: [0], learning_rates: [0.1, 0.2, 0.4]}}\n"
        "  all: {notebook: prunes, threads: 1, parameters: {nets: ['@three', '@rates'], seeds: []}}\n"
        "  some: {notebook: prunes, threads: 1, parameters: {nets: ['@three'], seeds: [1]}}\n"
        "  threads: {notebook: prunes, threads: 4, parameters: {nets: ['@three']}}\n"
        "  sums: {notebook: count, threads: 1}\n"
        "  timed: {notebook: count, threads: 1, alone: true}\n",
    )
    plan = profiles.read("mine")

    given = {run.name: plan.cores(run, 64) for run in plan.runs}
    assert given == {"three": 6, "rates": 3, "all": 9, "some": 1, "threads": 4, "sums": 1, "timed": 64}
    assert {plan.cores(run, 2) for run in plan.runs if run.threads == 1} == {1, 2}
    path = root / "profiles/mine.yml"
    path.write_text(f"at_once: 2\n{path.read_text()}")
    assert profiles.read("mine").cores(plan.run("three"), 64) == 2


def test_a_run_asks_a_cluster_for_what_its_published_record_says_with_a_margin(root: Path):
    write(
        root,
        "  known: {notebook: count, threads: 1, alone: true}\n"
        "  new: {notebook: total, threads: 1, parameters: {device: cuda}}\n",
    )
    folder = root / "published/results/mine/known"
    folder.mkdir(parents=True)
    record = {"peak_memory_bytes": 1000 * 2**20, "wall_seconds": 600}
    files.write_json(folder / "provenance.json", record)
    plan = profiles.read("mine")

    known, new = (report_runs.resources(plan.run(name), 2) for name in ("known", "new"))

    assert known == {"mem_mb": 2500, "runtime": 35, "slurm_extra": "--exclusive"}
    assert new == {"mem_mb": 4596, "runtime": 95, "gpu": 1}


def test_a_number_with_an_exponent_is_a_number(root: Path):
    write(root, "  a: {notebook: count, parameters: {seconds: 1e-3}}\n")

    assert profiles.read("mine").run("a").parameters == {"seconds": 0.001}


def test_threads_are_those_of_the_run_else_of_the_profile(root: Path):
    write(root, "  a: {notebook: count, threads: 3}\n  b: {notebook: count}\n")

    assert {run.name: run.threads for run in profiles.read("mine").runs} == {"a": 3, "b": 2}


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ("  a: {notebok: count}", r"run 'a': unknown key 'notebok'; did you mean 'notebook'\?"),
        ("  a: {notebook: cuont}", r"no notebook 'cuont' in notebooks/; did you mean 'count'\?"),
        ("  A_1: {notebook: count}", r"named with a-z, 0-9 and single hyphens between them; got 'A_1'"),
        ("  1: {notebook: count}", r"named with a-z.*; got 1"),
        ("  a: {notebook: total, parameters: {sums: ['@bee']}}\n  bees: {notebook: count}", r"did you mean 'bees'\?"),
        (
            "  a: {notebook: total, parameters: {sums: ['@published/x']}}",
            r'named "@published/<profile>/<run>"; got "@published/x"',
        ),
        ("  a: {notebook: count}\n  a: {notebook: count}", r"'a' is given twice"),
        ("  a: {notebook: count, threads: 0}", r"threads is a whole number of at least 1; got 0"),
        ("  a: {notebook: count, alone: 1}", r"alone is true where nothing may run beside it, else false; got 1"),
        ("  a: [count]", r"run 'a' must be a mapping of names to values; got \['count'\]"),
        ("  - a", r"runs must be a mapping"),
        ("  a: {notebook: count", r"is not valid YAML"),
    ],
)
def test_a_wrong_profile_is_refused_in_one_line_that_names_the_place(root: Path, runs: str, message: str):
    write(root, runs)

    with refused(f"^profiles/mine.yml.*{message}"):
        profiles.read("mine")


def test_runs_that_need_each_other_are_named_in_a_circle(root: Path):
    write(root, "".join(f"  {a}: {{notebook: total, parameters: {{sums: '@{b}'}}}}\n" for a, b in ("ab", "bc", "ca")))

    with pytest.raises(ValueError, match=r"need each other in a circle: \w → \w → \w → \w$"):
        profiles.read("mine")


def test_an_unknown_key_of_the_profile_itself_is_refused(root: Path):
    (root / "profiles/mine.yml").write_text("descripton: mine\nruns: {}\n")

    with pytest.raises(ValueError, match=r"unknown key 'descripton'; did you mean 'description'\?"):
        profiles.read("mine")


def test_unknown_names_are_answered_with_the_nearest(root: Path):
    with pytest.raises(ValueError, match=r"no profile 'qiuck' in profiles/; did you mean 'quick'\?"):
        profiles.read("qiuck")
    with pytest.raises(ValueError, match=r"profile 'quick' has no run 'totals'; did you mean 'total'\?"):
        profiles.read("quick").run("totals")


def test_results_that_are_not_published_yet_stop_the_run_that_reads_them_alone(root: Path):
    write(root, "  a: {notebook: count}\n  b: {notebook: total, parameters: {sums: ['@published/mine/a']}}\n")

    plan = profiles.read("mine")

    assert report_runs.needed(plan.run("a"), root) == {}
    with pytest.raises(FileNotFoundError, match="publish them with: prunelab publish --profile mine --run a"):
        report_runs.needed(plan.run("b"), root)


def test_relative_paths_of_a_profile_start_from_the_projects_top_folder(root: Path):
    files.write_text(root / "my-images/a/0.txt", "an image")
    write(root, "  a: {notebook: total, parameters: {sums: [./my-images]}}\n")
    run = profiles.read("mine").run("a")

    assert profiles.resolve(run) == {"sums": ["../../../my-images"]}
    assert profiles.resolve(run, root / "results/mine/.verify/a") == {"sums": ["../../../../my-images"]}
    assert root / "my-images/a/0.txt" in report_runs.sources_of(run)


def test_a_changed_file_at_a_path_of_the_profile_makes_the_run_another_one(root: Path):
    image = files.write_text(root / "my-images/a/0.txt", "an image")
    write(root, "  a: {notebook: total, parameters: {sums: [./my-images]}}\n")
    run = profiles.read("mine").run("a")
    before = report_runs.identity(run)

    image.write_text("another image")

    assert report_runs.identity(run) != before


def test_a_path_of_a_profile_that_leads_nowhere_is_named(root: Path):
    write(root, "  a: {notebook: total, parameters: {sums: [./none]}}\n")

    with pytest.raises(
        FileNotFoundError, match=r"^nothing at './none' from .*; relative paths of a profile start there$"
    ):
        profiles.resolve(profiles.read("mine").run("a"))
