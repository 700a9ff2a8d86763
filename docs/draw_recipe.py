"""Draw recipes: the nodes of each and what they are made from, as docs/graphs/<recipe>.svg.

make graph               every recipe of config/recipes
make graph RECIPE=mine   one

From left to right: bases, splits, then each node right of all that it reads; one band a task. A box
is a name, not a job. The order of keys in the recipe's file does not change the picture, and every
machine draws the same bytes.
"""

import os
import random
import sys
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple

import jinja2

from postgrad.config.errors import ConfigError
from postgrad.config.yaml_files import as_list
from postgrad.study.study import Study
from postgrad.verbs.registry import VERBS

TEMPLATE = Path(__file__).parent / "recipe.svg.j2"
ROW, LANE, BOX, GUTTER, MARGIN = (
    44,
    14,
    34,
    52,
    20,
)  # pixels: box to box, line to line, a box, between columns, around
LETTER, SMALL = (
    7.3,
    6.1,
)  # pixels a letter at 12 and at 10: 0.6 em and a little, as wide as monospaced fonts are


class Edge(NamedTuple):
    """A line of the picture, from a node to one that reads it."""

    source: str
    target: str
    kind: str  # base, data, teachers, members or budget


class Spot(NamedTuple):
    """A box; or a lane, on which all lines from one source to one band cross a column."""

    column: int
    band: str  # the recipe's name of a task; "" for bases
    name: str
    lane: bool = False


def graph_of(recipe):
    """Return the graph of a recipe at the paper's size, where every node runs.

    Raise `ConfigError` if the recipe has an error.
    """
    return Study({"study": "a800", "recipes": [recipe], "check_data": False}).graphs[recipe]


def edges_of(graph):
    """Return the edges between a node and what it reads, each once, sorted."""
    found = set()
    for name, (verb, body) in graph.raw.items():
        record = VERBS.nodes[verb]
        own = {"datasets": "data", "models": "base", "predictors": "members"}[record.section]
        for key, kind in (
            (verb, own),
            ("data", "data"),
            ("fit", "data"),
            ("folds", "data"),
            ("teachers", "teachers"),
            ("budget", "budget"),
            (record.asks, "base"),
        ):
            found |= {Edge(source, name, kind) for source in as_list(body.get(key, []))}
        if "/" in body.get("target", ""):
            found.add(Edge(body["target"], name, "data"))
    return sorted(found)


# -- where everything stands
# --------------------------------------------------------------------------


def boxes_of(edges):
    """Return the spot of each name.

    A node stands right of all that it reads, in the band of the splits from which it is made.
    """
    boxes = {}

    def box(name):
        if name not in boxes:
            read = [(box(edge.source), edge.kind) for edge in edges if edge.target == name]
            column = 1 + max([1, *(spot.column for spot, _ in read)]) if read else int("/" in name)
            bands = [spot.band for spot, kind in read if kind != "base"] or [
                name.rpartition("/")[0]
            ]
            boxes[name] = Spot(column, min(bands), name)
        return boxes[name]

    return {name: box(name) for edge in edges for name in (edge.source, edge.target)}


def way(start, end):
    """Return the spots that a line passes from one box to another."""
    return [
        start,
        *(Spot(i, end.band, start.name, True) for i in range(start.column + 1, end.column)),
        end,
    ]


def neighbours(ways):
    """Return the sorted spots that are next to each spot on any way."""
    near = {spot: set() for spots in ways for spot in spots}
    for spots in ways:
        for a, b in pairwise(spots):
            near[a].add(b)
            near[b].add(a)
    return {spot: sorted(near[spot]) for spot in sorted(near)}


def ranks(rows):
    """Return how far down in its column each spot stands.

    Bands lie one below the other, in the order of their names.
    """
    return {spot: (spot.band, i) for row in rows.values() for i, spot in enumerate(row)}


def crossings(rows, near):
    """Return the number of pairs of lines that cross."""
    rank = ranks(rows)
    lines = [(a.column, rank[a], rank[b]) for a in near for b in near[a] if b.column > a.column]
    return sum(a < c and b > d for i, a, b in lines for j, c, d in lines if i == j)


def sifted(rows, near):
    """Return the rows after moving spots to where their lines cross least.

    Spots are moved one by one until no move removes a crossing.
    """
    rows, moved = {key: list(row) for key, row in rows.items()}, True

    def crossed(upper, lower):
        return sum(
            a.column == b.column and rank[a] > rank[b] for a in near[upper] for b in near[lower]
        )

    while moved:
        moved = False
        for spot in near:
            rank, row = ranks(rows), rows[spot.column, spot.band]
            others = [other for other in row if other != spot]
            costs = [
                0,
                *accumulate(crossed(other, spot) - crossed(spot, other) for other in others),
            ]
            best = costs.index(min(costs))
            if costs[best] < costs[row.index(spot)]:
                row[:], moved = [*others[:best], spot, *others[best:]], True
    return rows


def ordered(near):
    """Return the spots of each (column, band) from top to bottom, so that few lines cross.

    In ctyun the first sifting leaves 57 crossings and 60 shakes leave 41; no other seed or number
    of shakes left fewer. igraph's layout_sugiyama, band by band, leaves 64 to 94, depending on the
    order of its input. random() gives the same numbers in every version of Python.
    """
    rows, draw = {}, random.Random(1)
    for spot in near:
        rows.setdefault((spot.column, spot.band), []).append(spot)
    rows = sifted(rows, near)
    for _ in range(60):
        shaken = {}
        for key, row in rows.items():
            places = [
                i + 4 * draw.random() for i in range(len(row))
            ]  # neighbours up to 3 apart may change places
            shaken[key] = [spot for _, spot in sorted(zip(places, row))]
        rows = min(sifted(shaken, near), rows, key=lambda rows: crossings(rows, near))
    return rows


def spread(wanted, row):
    """Return the heights nearest to the wanted ones that keep the order and distances of a row.

    Nearest means least squares. This is isotonic regression by pooling adjacent violators: spots
    that would overlap move as one block to their mean.
    """
    offsets, blocks = [0], []
    for a, b in pairwise(row):
        offsets.append(offsets[-1] + (ROW, (ROW + LANE) / 2, LANE)[a.lane + b.lane])
    for want, offset in zip(wanted, offsets):
        blocks.append((want - offset, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, n), (b, m) = blocks.pop(-2), blocks.pop()
            blocks.append(((a * n + b * m) / (n + m), n + m))
    return [
        mean + offset
        for mean, offset in zip((mean for mean, n in blocks for _ in range(n)), offsets)
    ]


def heights(rows, near):
    """Return the y of the middle of each spot, and the (top, bottom) of each band.

    Every spot is near its neighbours, and bands lie one below the other.
    """

    def settle(row, y):
        """Move a row to the mean heights of its neighbours.

        Lanes pull lanes hard, so that long lines run straight.
        """
        wanted = []
        for spot in row:
            pull = {
                other: 8 if spot.lane and other.lane else 1 for other in near[spot] if other in y
            }
            wanted.append(
                sum(y[other] * weight for other, weight in pull.items())
                / max(sum(pull.values()), 1)
            )
        y.update(zip(row, spread(wanted, row)))

    heights, bands, top = {}, {}, 50
    for band in sorted({band for _, band in rows} - {""}):
        inside, y = [row for (_, other), row in sorted(rows.items()) if other == band], {}
        for row in [*inside, *inside[::-1]] * 20:
            settle(row, y)
        down = top + 50 - min(y.values())  # 50: the band's title, and half a box
        heights.update((spot, height + down) for spot, height in y.items())
        bands[band] = (top, round(round(max(y.values()) + down, 3)) + 30)
        top = bands[band][1] + 10
    settle(rows[0, ""], heights)
    # Twice: a last digit, which sum() of Python 3.12 adds up otherwise than 3.11, never turns a
    # half around.
    return {spot: round(round(height, 3)) for spot, height in heights.items()}, bands


# -- the picture
# --------------------------------------------------------------------------------------


def axes(graph, name):
    """Return how often a name is multiplied, as in `×3 seeds` or `lr ×2`."""
    values = {}
    for id in graph.ids.get(name, []):
        for key, value in graph.nodes[id].axes.items():
            values.setdefault(key, set()).add(str(value))
    counts = {key: len(found) for key, found in sorted(values.items()) if len(found) > 1}
    return ", ".join(f"×{n} seeds" if key == "seed" else f"{key} ×{n}" for key, n in counts.items())


def svg(graph):
    """Return the picture of a recipe's graph as the text of an SVG file."""
    edges = edges_of(graph)
    boxes = boxes_of(edges)
    ways = {edge: way(boxes[edge.source], boxes[edge.target]) for edge in edges}
    near = neighbours(ways.values())
    y, bands = heights(ordered(near), near)
    verb = {
        name: graph.raw[name][0] if name in graph.raw else "split" if "/" in name else "base"
        for name in boxes
    }
    mark = {name: axes(graph, name) for name in boxes}
    room = {
        name: max(LETTER * len(name), SMALL * len(f"{verb[name]}   {mark[name]}")) + 24
        for name in boxes
    }
    columns = range(1 + max(spot.column for spot in near))
    widths = [
        round(max(room[name] for name, spot in boxes.items() if spot.column == i)) for i in columns
    ]
    lefts = [MARGIN + sum(widths[:i]) + GUTTER * i for i in columns]

    def path(edge):
        """Return a curve across each gutter and a straight line along each lane.

        Lines enter a box side by side.
        """
        ports = sorted(
            (other for other in edges if other.target == edge.target),
            key=lambda e: (y[ways[e][-2]], e),
        )
        port = round((ports.index(edge) - (len(ports) - 1) / 2) * min(8, 24 / len(ports)))
        drawn = f"M{lefts[ways[edge][1].column] - GUTTER} {y[ways[edge][0]]}"
        for a, b in pairwise(ways[edge]):
            right, left, end = (
                lefts[b.column] - GUTTER,
                lefts[b.column],
                y[b] + (0 if b.lane else port),
            )
            bend = (left + right) // 2
            drawn += f"H{right}C{bend} {y[a]} {bend} {end} {left} {end}"
        return drawn

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        graph=graph,
        edges=[(edge, path(edge)) for edge in edges],
        boxes=sorted(boxes.values(), key=lambda spot: (spot.column, y[spot])),
        bands=[
            (band, graph.study.task(graph.tasks[band])["title"], *span)
            for band, span in bands.items()
        ],
        verb=verb,
        mark=mark,
        verbs=[word for word in VERBS.nodes if word in verb.values()],
        controls={name for chain in graph.compare.values() for name in chain["controls"]},
        y=y,
        lefts=lefts,
        widths=widths,
        height=BOX,
        right=lefts[-1] + widths[-1] + MARGIN,
        bottom=max(bottom for _, bottom in bands.values()),
    )


def main(recipes):
    """Draw all recipes before writing any, so that an error leaves all pictures as they were."""
    recipes = recipes or sorted(path.stem for path in Path("config/recipes").glob("*.yaml"))
    try:
        pictures = {Path(f"docs/graphs/{recipe}.svg"): svg(graph_of(recipe)) for recipe in recipes}
    except ConfigError as fault:
        sys.exit(str(fault))
    for path, picture in pictures.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".tmp").write_text(picture, encoding="utf-8", newline="\n")
        os.replace(path.with_suffix(".tmp"), path)
        print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
