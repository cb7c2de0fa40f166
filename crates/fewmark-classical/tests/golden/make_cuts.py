"""Writes cuts.json: the best sets of small problems by SciPy's maximum flow, to compare the energy of the convex solvers with.

The length of an outline is that of Boykov and Kolmogorov (2003) on eight neighbours: edges of weight pi / 8 along the axes and
pi / (8 sqrt 2) along the diagonals. Made with numpy 2.4.6, scipy 1.17.1. Arrays are stored flat, x running fastest.
"""
import json
import pathlib

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

# Capacities are whole numbers: weights are rounded to this part of 1.
UNIT = 1e-6
NEIGHBOURS = [(0, 1, np.pi / 8), (1, 0, np.pi / 8), (1, 1, np.pi / 8 / 2**0.5), (1, -1, np.pi / 8 / 2**0.5)]

rng = np.random.default_rng(5)


def best_set(data, mu):
    """The set of least sum(data in the set) + mu * length: voxels that the source still reaches."""
    rows, columns = data.shape
    number = np.arange(data.size).reshape(data.shape)
    source, sink = data.size, data.size + 1
    tails, heads, capacities = [], [], []

    def connect(tail, head, weight):
        tails.append(np.ravel(tail))
        heads.append(np.ravel(head))
        capacities.append(np.broadcast_to(np.rint(weight / UNIT), np.shape(tails[-1])))

    for down, right, weight in NEIGHBOURS:
        here = number[: rows - down, max(0, -right) : columns - max(0, right)]
        there = number[down:, max(0, right) : columns + min(0, right)]
        connect(here, there, mu * weight)
        connect(there, here, mu * weight)
    inside = data < 0
    connect(np.full(inside.sum(), source), number[inside], -data[inside])
    connect(number[~inside], np.full((~inside).sum(), sink), data[~inside])
    tails, heads, capacities = (np.concatenate(part) for part in (tails, heads, capacities))
    graph = coo_array((capacities.astype(np.int32), (tails, heads)), shape=(sink + 1, sink + 1)).tocsr()
    residual = graph - maximum_flow(graph, source, sink).flow
    residual.data = np.maximum(residual.data, 0)
    residual.eliminate_zeros()
    reached = breadth_first_order(residual, source, return_predecessors=False)
    return np.isin(number, reached)


problems = []
for rows, columns, mu in [(12, 16, 0.3), (20, 20, 1.0), (9, 31, 0.4), (24, 18, 0.6)]:
    y, x = np.mgrid[:rows, :columns]
    ball = np.hypot(x - columns / 2, y - rows / 2) < min(rows, columns) / 3
    data = np.round(np.where(ball, -0.5, 0.5) + rng.uniform(-1, 1, ball.shape), 3)
    cut = best_set(data, mu)
    problems.append({
        "size": [columns, rows, 1],
        "mu": mu,
        "data": [float(value) for value in data.ravel()],
        "set": "".join("1" if inside else "0" for inside in cut.ravel()),
    })
path = pathlib.Path(__file__).with_name("cuts.json")
path.write_text(json.dumps(problems, separators=(",", ":")) + "\n")
