"""The pictures of the recipes are current, complete, well-formed and independent of key order."""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import combinations

import draw_recipe
import pytest
import yaml
from study_files import write_config
from tree import ROOT

from postgrad.study.study import Study
from postgrad.verbs.registry import VERBS

RECIPES = sorted(path.stem for path in (ROOT / "config/recipes").glob("*.yaml"))
SVG = "{http://www.w3.org/2000/svg}"


def small(folder, change=None):
    graph = Study(
        {"study": "test", "check_data": False}, root=write_config(folder, recipe=change)
    ).graphs["small"]
    return ET.fromstring(draw_recipe.svg(graph))


def classes(picture, tag):
    """The words in `class` of every element of one kind that has any."""
    return [
        element.get("class").split() for element in picture.iter(SVG + tag) if element.get("class")
    ]


def nodes(picture):
    """{name: its group} of every box, bases and splits too."""
    return {
        group.find(SVG + "text").text: group
        for group in picture.iter(SVG + "g")
        if group.get("class") == "node"
    }


def words(picture):
    return [text for element in picture.iter(SVG + "text") for text in element.itertext()]


def draw_in(folder, *recipes):
    """Run the command in a copy of the configuration, as `make graph` does."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow/scripts")}
    command = [sys.executable, str(ROOT / "docs/draw_recipe.py"), *recipes]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return tmp_path


def test_every_recipe_has_its_picture_and_no_other_is_left():
    assert sorted(path.stem for path in (ROOT / "docs/graphs").iterdir()) == RECIPES


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_committed_picture_is_current(recipe, monkeypatch):
    monkeypatch.chdir(ROOT)
    drawn = draw_recipe.svg(draw_recipe.graph_of(recipe))
    committed = (ROOT / f"docs/graphs/{recipe}.svg").read_bytes()
    assert committed == drawn.encode(), (
        f"the recipe {recipe} has changed: run make graph and commit docs/graphs"
    )


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_name_stands_once_in_a_box_of_its_own(recipe, monkeypatch):
    monkeypatch.chdir(ROOT)
    picture = ET.fromstring((ROOT / f"docs/graphs/{recipe}.svg").read_bytes())
    graph = draw_recipe.graph_of(recipe)
    written = words(picture)
    assert graph.raw and {name: written.count(name) for name in graph.raw} == dict.fromkeys(
        graph.raw, 1
    )
    rects = [group.find(SVG + "rect") for group in nodes(picture).values()]
    boxes = [[int(rect.get(key)) for key in ("x", "y", "width", "height")] for rect in rects]
    assert len(boxes) > len(graph.raw)
    for (x, y, width, height), (left, top, wide, tall) in combinations(boxes, 2):
        assert x + width < left or left + wide < x or y + height < top or top + tall < y


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_picture_holds_no_script_and_fetches_nothing(recipe):
    text = (ROOT / f"docs/graphs/{recipe}.svg").read_text(encoding="utf-8")
    tags = {element.tag.removeprefix(SVG) for element in ET.fromstring(text).iter()}
    assert tags <= {"svg", "title", "desc", "style", "g", "rect", "path", "circle", "text", "tspan"}
    assert "href" not in text and "url(" not in text and "@import" not in text


def test_every_line_of_the_small_recipe(tmp_path):
    """Counted by eye in tests/study_files.py, a node's bases, posts, teachers and members."""
    lines = small(tmp_path).find(f"{SVG}g[@class='lines']")
    kinds = [names[1] for names in classes(lines, "path")]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "base": 6,
        "data": 9,
        "teachers": 2,
        "members": 1,
    }


def test_a_budget_is_dotted(tmp_path):
    def drawn(recipe):
        recipe["datasets"]["drawn"] = {
            **recipe["datasets"]["agreed"],
            "keep": "random",
            "budget": "agreed",
        }

    lines = [names for names in classes(small(tmp_path, drawn), "path") if "budget" in names]
    assert lines == [
        ["line", "budget", "v-label"],
        ["line", "budget", "v-base"],
    ]  # the second in the legend


def test_a_calibration_stands_behind_its_predictor_and_all_that_it_is_fitted_on(tmp_path):
    def drawn(recipe):
        body = {"calibrate": "one", "fit": "rain/dev", "method": "prior", "lambda": [1.0]}
        recipe["predictors"]["even"] = {**body, "target": "uniform"}
        recipe["predictors"]["given"] = {**body, "target": {"no": 0.5, "yes": 0.5}}
        recipe["predictors"]["pooled"] = {**body, "target": "rain/unlabeled"}

    titles = [group.find(SVG + "title").text for group in nodes(small(tmp_path, drawn)).values()]
    assert {
        "even: calibrate one (members),  rain/dev",
        "given: calibrate one (members),  rain/dev",
    } <= {*titles}
    assert "pooled: calibrate one (members),  rain/dev,  rain/unlabeled" in titles


def test_axes_controls_and_scores_are_marked(tmp_path):
    def two_rates(recipe):
        recipe["models"]["plain"]["each"] = {"lr": [1.0e-5, 2.0e-5]}

    picture = small(tmp_path, two_rates)
    marks = nodes(picture)
    assert [text.text for text in marks["plain"].findall(SVG + "text")] == [
        "plain",
        "finetune",
        "lr ×2, ×2 seeds",
    ]
    assert [text.text for text in marks["one"].findall(SVG + "text")] == ["one", "finetune"]
    assert {name for name in marks if marks[name].find(SVG + "circle") is not None} == {
        "plain",
        "expert",
        "again",
    }
    assert {name for name in marks if "control" in marks[name].find(SVG + "rect").get("class")} == {
        "again"
    }


def test_every_verb_has_a_colour():
    style = (ROOT / "docs/recipe.svg.j2").read_text()
    assert [
        verb
        for verb in (*VERBS.nodes, "base", "split")
        if f".v-{verb} " not in style and f".v-{verb}," not in style
    ] == []


def test_the_order_of_keys_does_not_matter(copy):
    def reverse(value):
        if isinstance(value, dict):
            return {key: reverse(value[key]) for key in reversed(value)}
        return value

    for recipe in RECIPES:
        path = copy / f"config/recipes/{recipe}.yaml"
        turned = reverse(yaml.safe_load(path.read_text()))
        path.write_text(yaml.safe_dump(turned, sort_keys=False))
    done = draw_in(copy)
    assert done.returncode == 0, done.stderr
    for recipe in RECIPES:
        assert (copy / f"docs/graphs/{recipe}.svg").read_bytes() == (
            ROOT / f"docs/graphs/{recipe}.svg"
        ).read_bytes()


def test_a_broken_recipe_leaves_no_picture_and_its_faults_alone(copy):
    path = (
        copy / "config/recipes/zero.yaml"
    )  # last in the alphabet: the others could have been written before
    path.write_text((copy / "config/recipes/ctyun.yaml").read_text().replace("reader:", "redaer:"))
    done = draw_in(copy)
    assert done.returncode == 1 and done.stdout == ""
    assert "did you mean 'redaer'?" in done.stderr and "Traceback" not in done.stderr
    assert all(line.startswith("config/recipes/zero.yaml: ") for line in done.stderr.splitlines())
    assert not (copy / "docs").exists()


def test_one_recipe_may_be_named(copy):
    shutil.copy(copy / "config/recipes/ctyun.yaml", copy / "config/recipes/mine.yaml")
    assert draw_in(copy, "mine").stdout == "docs/graphs/mine.svg\n"
    assert [path.name for path in (copy / "docs/graphs").iterdir()] == ["mine.svg"]
    assert (
        "there is no file config/recipes/mien.yaml; did you mean 'mine'?"
        in draw_in(copy, "mien").stderr
    )
