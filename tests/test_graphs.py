"""Graphs of words around classes: files, neighbours by random walks, encoders that read them, and ZSL-KG."""

import dataclasses
import gzip
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_trainer

from zsl_jax import __main__, data, encoders, errors, methods
from zsl_jax.class_encoders import graphs
from zsl_jax.encoders import class_sources
from zsl_jax.encoders import graphs as graph_encoders

EDGES = np.array([[0, 1], [0, 2], [1, 3], [3, 4], [4, 5]])
PATH = graphs.Graph(tuple("abcdefg"), EDGES)  # g has no edge


def share_of_walks(edges, start, length):
    """The probability that a walk reaches each node, by all walks."""
    near = {node: [b for a, b in [*edges, *edges[:, ::-1]] if a == node] for node in range(7)}
    found = np.zeros(7)

    def go(at, left, chance, seen):
        if not left or not near[at]:
            found[list(seen)] += chance
            return
        for following in near[at]:
            go(following, left - 1, chance / len(near[at]), seen | {following})

    go(start, length, 1.0, frozenset())
    found[start] = 0
    return found


@pytest.mark.long
def test_neighbours_are_those_that_most_walks_reach():
    found = graphs.neighborhoods(jax.random.key(0), PATH, most=4, walks=2000, length=3)
    assert found.nodes[:, 0].tolist() == list(range(7))
    for start in range(7):
        share = share_of_walks(EDGES, start, 3)
        wanted = [node for node in np.argsort(-share, kind="stable") if share[node] > 0][:3]
        given = found.nodes[start, 1:][found.where[start, 1:]].tolist()
        np.testing.assert_allclose(share[given], share[wanted], atol=0.05)
        assert len(set(given)) == len(given) == len(wanted)
    assert found.where[6].tolist() == [True, False, False, False]
    steps = dict(zip(found.nodes[0].tolist(), found.steps[0].tolist()))
    assert (steps[0], steps[1], steps[3]) == (0, 1, 2)


def test_the_same_seed_draws_the_same_walks_and_another_edge_moves_no_node_far_from_it():
    sizes = {"most": 5, "walks": 8, "length": 2}
    first, again = (graphs.neighborhoods(jax.random.key(3), PATH, **sizes) for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, first, again)
    other = graphs.neighborhoods(jax.random.key(4), PATH, **sizes)
    assert any(not np.array_equal(a, b) for a, b in zip(first, other))
    # A new node h hangs on f: what is more than two steps away has the walks that it had.
    more = graphs.Graph((*PATH.names, "h"), np.array([*EDGES, [5, 7]]))
    grown = graphs.neighborhoods(jax.random.key(3), more, **sizes)
    for one, other in zip(first, grown):
        np.testing.assert_array_equal(one[:3], other[:3])
    assert 5 in grown.nodes[7]


def graph_inputs(seed=0, width=6):
    near = graphs.neighborhoods(jax.random.key(seed), PATH, most=4, walks=16, length=2)
    features = np.random.default_rng(seed).standard_normal((7, width)).astype(np.float32)
    return {"rows": np.array([2, 0, 6]), "features": features, **near._asdict()}


def softmax(x):
    return np.exp(x - x.max()) / np.exp(x - x.max()).sum()


def by_loops(layer, params, inputs, row):
    """One node, its neighbours one by one."""

    def dense(x, name):
        return x @ params[name]["kernel"] + params[name].get("bias", 0)

    def norm(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
        return x * params[name]["scale"] + params[name]["bias"]

    def around(node):
        return inputs["nodes"][node][inputs["where"][node]], inputs["steps"][node][inputs["where"][node]]

    def step(h, far, name):
        if layer == "sgc":
            return dense(h.mean(0), name) if name == "second" else h.mean(0)
        if layer == "gcn":
            return dense(h.mean(0), name)
        if layer == "dgp":
            return dense(softmax(params[f"{name}_steps"][far]) @ h, name)
        if layer == "gat":
            seen = h @ params[f"{name}_values"]["kernel"]
            logits = seen[:1] @ params[f"{name}_ask"]["kernel"] + seen @ params[f"{name}_answer"]["kernel"]
            logits = np.where(logits > 0, logits, 0.2 * logits)[:, 0]
            return softmax(logits) @ seen + params[f"{name}_bias"]
        h = h @ params[f"{name}_project"]["kernel"]
        query, key, value = (dense(h, f"{name}_{part}") for part in ("query", "key", "value"))
        share = np.stack([softmax(row) for row in query @ key.T / np.sqrt(h.shape[1])])
        h = norm(h + dense(share @ value, f"{name}_output"), f"{name}_attended")
        h = norm(h + dense(np.maximum(dense(h, f"{name}_up"), 0), f"{name}_down"), f"{name}_forward")
        return dense(h.mean(0), name)

    if layer == "node":
        return dense(inputs["features"][row], "out")
    hidden = []
    for node in around(row)[0]:
        x = step(inputs["features"][around(node)[0]], around(node)[1], "first")
        hidden.append(x if layer == "sgc" else np.where(x > 0, x, 0.01 * x))
    return step(np.stack(hidden), around(row)[1], "second")


@pytest.mark.parametrize("layer", graph_encoders.LAYERS)
@pytest.mark.long
def test_layers_are_their_formulas_for_each_node_alone(layer):
    inputs = graph_inputs()
    module = encoders.factory(layer)(width=5, hidden_width=4)
    variables = module.init(jax.random.key(1), inputs, train=False)
    # Parameters that begin at 0 or 1 would hide what they do.
    keys = iter(jax.random.split(jax.random.key(2), 100))
    params = jax.tree.map(lambda x: x + 0.5 * jax.random.normal(next(keys), x.shape), variables["params"])
    found = module.apply({"params": params}, inputs, train=False)
    held = jax.tree.map(np.asarray, params)
    for at, row in enumerate(inputs["rows"]):
        np.testing.assert_allclose(found[at], by_loops(layer, held, inputs, row), rtol=1e-4, atol=1e-5)
    one = module.apply({"params": params}, inputs | {"rows": inputs["rows"][1:2]}, train=False)
    np.testing.assert_allclose(one[0], found[1], rtol=1e-5, atol=1e-6)
    # What fills up a list of neighbours says nothing.
    filled = np.where(inputs["where"], inputs["nodes"], 3)
    other = module.apply({"params": params}, inputs | {"nodes": filled}, train=False)
    np.testing.assert_allclose(other, found, rtol=1e-5, atol=1e-6)
    dropped = encoders.factory(layer)(width=5, hidden_width=4, dropout=0.5)
    trained = dropped.apply({"params": params}, inputs, train=True, rngs={"dropout": jax.random.key(0)})
    assert np.abs(trained - found).max() > 1e-3


def planted(edges="given", seed=0):
    """Classes whose own features say nothing: what they are stands with their neighbours, four words each."""
    rng = np.random.default_rng(seed)
    num_classes, around = 34, 4
    meaning = rng.standard_normal((num_classes, 6))
    own = rng.standard_normal((num_classes, 6))
    words = np.repeat(meaning, around, axis=0) + 0.2 * rng.standard_normal((num_classes * around, 6))
    links = [[c, num_classes + around * c + k] for c in range(num_classes) for k in range(around)]
    links += [[num_classes + around * c, num_classes + around * c + k] for c in range(num_classes) for k in (1, 2)]
    graph = graphs.Graph(tuple(f"n{i}" for i in range(num_classes * (1 + around))), np.array(links))
    graph = graphs.rewired(graph, seed=seed) if edges == "random" else graph
    near = graphs.neighborhoods(jax.random.key(seed), graph, most=6, length=2)
    shared = {"features": np.float32(np.concatenate([own, words])), **near._asdict()}
    is_seen = np.arange(num_classes) < 30
    table = data.ClassTable(np.arange(num_classes, dtype=np.int32), is_seen, graph.names[:num_classes], shared=shared)
    labels = np.repeat(np.arange(num_classes, dtype=np.int32), 12)
    inputs = meaning[labels] @ rng.standard_normal((6, 8)) + 0.3 * rng.standard_normal((len(labels), 8))
    test = np.arange(len(labels)) % 4 == 0
    splits = {
        "train": np.flatnonzero(is_seen[labels] & ~test),
        "test_seen": np.flatnonzero(is_seen[labels] & test),
        "test_unseen": np.flatnonzero(~is_seen[labels]),
    }
    return data.test_task(data.Dataset("planted", np.float32(inputs), labels, table, splits))


def fitted(layer, task):
    parts = small_trainer.small_parts(encoder=encoders.MLP(widths=(8,)))
    method = methods.zsl_kg(parts, encoders.factory(layer)(width=16, hidden_width=16, dropout=0.1), width=8)
    return method, small_trainer.fitted(method, task, epochs=40, batch_size=32)


def unseen_accuracy(method, state, task):
    found = task.sets["test_unseen"]
    scores = methods.score(method, state, found.inputs, task.unseen_classes)
    return small_trainer.top1(scores, found.labels, first=task.num_seen)


@pytest.mark.long
@pytest.mark.parametrize("layer", ["gcn", "gat", "sgc", "dgp", "trgcn"])
def test_neighbours_tell_unseen_classes_and_random_ones_do_not(layer):
    task, at_random = planted(seed=1), planted("random", seed=1)
    assert unseen_accuracy(*fitted(layer, task), task) > 0.6  # chance is .25
    assert unseen_accuracy(*fitted(layer, at_random), at_random) < 0.5
    if layer == "gcn":
        assert unseen_accuracy(*fitted("node", task), task) < 0.5


@pytest.mark.long
def test_a_node_that_comes_later_is_described_without_another_training():
    task = planted()
    method, state = fitted("trgcn", task)
    table, shared = task.unseen_classes, task.classes.shared
    # A twin of the first unseen class: another node, with features of no use, beside the same neighbours.
    node, count = int(table.embedding[0]), len(shared["nodes"])
    row = {name: shared[name][node : node + 1].copy() for name in ("nodes", "where", "steps")}
    row["nodes"] = np.where(row["nodes"] == node, count, row["nodes"])
    grown = {name: np.concatenate([shared[name], row[name]]) for name in row}
    grown["features"] = np.concatenate([shared["features"], shared["features"][node : node + 1]])
    later = dataclasses.replace(
        table, embedding=np.append(table.embedding, np.int32(count)), is_seen=np.zeros(5, bool), shared=grown, names=()
    )
    described = method.describe(state, later)
    np.testing.assert_allclose(described[:4], method.describe(state, table), atol=1e-5)
    np.testing.assert_allclose(described[4], described[0], rtol=1e-3, atol=1e-3)


def test_two_towers_read_a_graph_too():
    task = planted()
    tower = encoders.factory("gcn")(width=8, hidden_width=8, dropout=0.0)
    method = methods.two_tower(small_trainer.small_parts(), tower, loss="info_nce", width=8)
    batch = data.Batch(task.train.inputs[:8], task.train.labels[:8], np.ones(8, bool))
    state, losses = small_trainer.steps(method, task, batch, count=8)
    assert losses[-1] < losses[0]
    assert method.describe(state, task.unseen_classes).shape == (4, 8)


def test_a_graph_encoder_needs_a_graph():
    with pytest.raises(errors.UserError, match="takes nodes of a graph: --config"):
        encoders.factory("trgcn")().init(jax.random.key(0), jnp.ones((2, 3)), train=False)


def write_folder(folder, nodes=("/c/en/polar_bear/n", "/c/en/bear", "/c/en/ice"), edges=((0, 1), (0, 2), (1, 1))):
    folder.mkdir(exist_ok=True)
    lines = "".join(f"{10 * row},{node}\n" for row, node in enumerate(nodes))
    (folder / "nodes.csv").write_text("id,uri\n" + lines)
    (folder / "edges.csv").write_text("start_id,relation_id,end_id\n" + "".join(f"{a},0,{b}\n" for a, b in edges))
    return folder


def test_every_form_of_a_graph_says_the_same(tmp_path):
    wanted = {("polar bear", "bear"), ("polar bear", "ice")}
    write_folder(tmp_path / "folder")
    triples = [("/c/en/polar_bear/n", "/c/en/bear"), ("/c/en/polar_bear/n", "/c/en/ice")]
    (tmp_path / "a.csv").write_text("subject,relation,object\n" + "".join(f"{a},IsA,{b}\n" for a, b in triples))
    (tmp_path / "a.tsv").write_text("s\tr\to\n" + "".join(f"{a}\tIsA\t{b}\n" for a, b in triples))
    lines = [f'/a/[{a},{b}]\t/r/IsA\t{a}\t{b}\t{{"weight": 1.0}}\n' for a, b in [*triples, ("/c/de/eis", "/c/en/ice")]]
    with gzip.open(tmp_path / "a.csv.gz", "wt", encoding="utf-8") as file:
        file.write("".join(lines))
    for name in ("folder", "a.csv", "a.tsv", "a.csv.gz"):
        found = graphs.load(tmp_path / name)
        called = [graphs.phrase(node) for node in found.names]
        assert {tuple(sorted((called[a], called[b]))) for a, b in found.edges} == {tuple(sorted(x)) for x in wanted}
        assert [called[row] for row in graphs.rows(found, ["001.Polar_bear", "ICE"])] == ["polar bear", "ice"]
    assert len({graphs.sha256(tmp_path / name) for name in ("folder", "a.csv", "a.tsv")}) == 3


BAD = {
    "nothing": (lambda p: p / "nowhere", "no graph .*a folder of nodes.csv and edges.csv"),
    "no edges": (lambda p: (write_folder(p / "g") / "edges.csv").unlink() or p / "g", "edges.csv is missing"),
    "self-loops": (lambda p: write_folder(p / "g", edges=[(0, 0), (1, 1)]), "2 edges all lead from a node to itself"),
    "an unknown node": (
        lambda p: write_folder(p / "g", edges=[(0, 1), (0, 3)]),
        "line 3: '3' is no row of nodes.csv, 0",
    ),
    "a name for a row": (lambda p: write_folder(p / "g", edges=[(0, "bear")]), "line 2: 'bear' is no row of nodes.csv"),
    "ids in another order": (
        lambda p: _written(write_folder(p / "g"), "nodes.csv", "id,uri\n2,a\n1,b\n0,c\n"),
        "0 in edges.csv is row 0 of nodes.csv, counted from 0, and the id of row 2",
    ),
    "a quote": (
        lambda p: _written(p, "a.csv.gz", gzip.compress(b's,r,o\n"a,r,b\nc,r,d",r,e\n')) / "a.csv.gz",
        "a quoted cell runs from line 2 to line 3",
    ),
    "an empty graph": (lambda p: write_folder(p / "g", edges=[]), "no edge is in it"),
    "no uri": (lambda p: _written(write_folder(p / "g"), "nodes.csv", "id,name\n1,a\n"), "a column uri is wanted"),
    "two columns": (lambda p: _written(p, "a.csv", "a,b\nc,d\n") / "a.csv", "the header subject,relation,object"),
    "no header": (lambda p: _written(p, "a.csv", "a,b,c\nc,d,e\n") / "a.csv", "no header, 'c' of its first line"),
    "digits": (lambda p: write_folder(p / "g", edges=[(0, "9" * 5000)]), "line 2: .* is no row of nodes.csv"),
    "a cell less": (lambda p: _written(p, "a.csv", "s,r,o\na,b\n") / "a.csv", "line 2: subject, relation, object"),
    "utf-16": (lambda p: _written(p, "a.csv", "s,r,o\na,b,c\n".encode("utf-16")) / "a.csv", "UTF-16"),
    "cut": (
        lambda p: _written(p, "a.csv.gz", gzip.compress(b"s,r,o\na,b,c\n" * 99)[:40]) / "a.csv.gz",
        "cannot be read",
    ),
}


def _written(folder, name, content):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_is_no_graph_is_one_line(case, tmp_path):
    make, words = BAD[case]
    with pytest.raises(errors.UserError, match=words) as raised:
        graphs.load(make(tmp_path))
    assert "\n" not in str(raised.value)


def test_a_class_without_a_node_or_a_word_is_named(tmp_path):
    graph = graphs.load(write_folder(tmp_path / "g"))
    with pytest.raises(errors.UserError, match="no node for 'polar beer'; the nearest is 'polar bear'"):
        graphs.rows(graph, ["ice", "polar beer"])
    (tmp_path / "words.txt").write_text("stone 1 0\nice 0 1\n")
    options = {"source": "graph", "graph": str(tmp_path / "g"), "words": str(tmp_path / "words.txt")}
    table = data.ClassTable(np.eye(3), np.array([True, True, False]), ("ice", "polar bear", "bear"))
    made = class_sources.make(class_sources.Options(**options))
    assert made(table.names, table).tolist() == [2, 0, 1]  # bear has no word, its neighbour's neighbour has
    assert made.shared["features"].shape == (3, 2)
    write_folder(tmp_path / "g", edges=[(0, 1)])
    alone = class_sources.make(class_sources.Options(**options))
    with pytest.raises(errors.UserError, match="no vector for any word of 'polar bear', nor of its neighbours"):
        alone(table.names, table)
    (tmp_path / "words.txt").write_text("stone 1 0\n")
    with pytest.raises(errors.UserError, match=r"words.txt has no vector for any word of the graph g"):
        class_sources.make(class_sources.Options(**options))


@pytest.mark.parametrize(
    ("recipe", "reader"), [("eszsl", "eszsl"), ("ale", "ale"), ("clip_pixels", "class_encoder.name=mlp")]
)
def test_what_reads_no_nodes_is_one_line(recipe, reader, tmp_path, capsys):
    graph = [f"--config.classes.graph={write_folder(tmp_path / 'g')}", "--config.classes.source=graph"]
    assert __main__.main(["train", f"--config={recipe}:digits,smoke", *graph, f"--workdir={tmp_path / 'run'}"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"nodes, which {reader} does not read: take the recipe zsl_kg" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_intents_by_their_neighbours_as_a_user_calls_it(tmp_path, capsys):
    rng = np.random.default_rng(0)
    classes = ("rain", "song", "film", "meal", "book", "game")
    around = {name: [f"{name[0]}{letter}{name[-1]}" for letter in "abcde"] for name in classes}
    nodes = [*classes, *(word for words in around.values() for word in words)]
    edges = [(classes.index(name), nodes.index(word)) for name, words in around.items() for word in words]
    write_folder(tmp_path / "graph", [f"/c/en/{node}" for node in nodes], edges)
    meaning = {name: rng.standard_normal(8) for name in classes}
    vectors = {word: meaning[name] + 0.3 * rng.standard_normal(8) for name in classes for word in [name, *around[name]]}
    (tmp_path / "words.txt").write_text("".join(f"{w} {' '.join(map(str, v))}\n" for w, v in vectors.items()))
    (tmp_path / "texts").mkdir()
    for part, names in (("train", classes[:3]), ("dev", classes[3:4]), ("test", classes[4:])):
        lines = [f"{name}\t{' '.join(rng.choice(around[name], 3))}\n" for name in names for _ in range(30)]
        (tmp_path / "texts" / f"{part}.txt").write_text("".join(lines))
    words = tmp_path / "words.txt"
    line = [
        "train",
        "--config=zsl_kg:texts",
        f"--config.data.file={tmp_path / 'texts'}",
        f"--config.towers.text={words}",
    ]
    line += [f"--config.classes.graph={tmp_path / 'graph'}", f"--config.classes.words={words}", "--config.plots=none"]
    line += [
        "--config.train.batch_size=16",
        "--config.optimizer.learning_rate=0.01",
        "--config.class_encoder.dropout=0.1",
    ]
    assert __main__.main([*line, "--config.train.epochs=10", f"--workdir={tmp_path / 'run'}"]) == 0
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert (record["setting"], record["selection"]["classes"]) == ("pretrained", ["meal"])
    assert record["metrics"]["zsl"]["top1"] > 0.8  # chance is .5
    assert str(tmp_path) not in json.dumps(record)
    (tmp_path / "new.txt").write_text(
        f"{around['book'][0]} {around['book'][1]}\n{around['meal'][0]} {around['meal'][2]}\n"
    )
    capsys.readouterr()
    asked = ["predict", f"--workdir={tmp_path / 'run'}", "--names", "book", "meal", str(tmp_path / "new.txt")]
    assert __main__.main(asked) == 0
    assert [row.split(",")[1] for row in capsys.readouterr().out.splitlines()[1:]] == ["book", "meal"]
    assert __main__.main([*asked[:3], "boook", "meal", asked[-1]]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "no node for 'boook'; the nearest is 'book'" in said
    assert __main__.main(["evaluate", f"--workdir={tmp_path / 'run'}"]) == 0
