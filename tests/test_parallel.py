"""One device, eight devices and two processes of four compute the same, in every mode; meshes and layouts.

Stated tolerances: losses and parameters after 20 steps agree to 1e-5 (relative, or absolute below 1): sums over devices
are float32 sums in another order. Counts of correct images are equal.
"""

import os
import pathlib
import re
import socket
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import topology
import toy
import toy_runs

from zsl_jax import __main__, data, errors, methods
from zsl_jax.training import loop, parallel, problems, processes, states

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOPOLOGIES = {"8 devices": (1, 8), "2 processes of 4 devices": (2, 4)}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def environments(num_processes: int, num_devices: int) -> list[dict[str, str]]:
    """The environment of each process of a run on this machine."""
    # Compiled as these tests are, without the passes that would make a program run faster: each runs for milliseconds.
    flags = [flag for flag in os.environ["XLA_FLAGS"].split() if "device_count" not in flag]
    flags += [f"--xla_force_host_platform_device_count={num_devices}", "--xla_backend_optimization_level=0"]
    common = dict(os.environ) | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT), "XLA_FLAGS": " ".join(flags)}
    if num_processes == 1:
        return [common]
    address = f"127.0.0.1:{free_port()}"
    several = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": str(num_processes)}
    return [common | several | {"JAX_PROCESS_ID": str(i)} for i in range(num_processes)]


def trained_by_processes(path: pathlib.Path, num_processes: int, num_devices: int) -> dict[str, np.ndarray]:
    """What tests/topology.py saves on that many processes and devices."""
    command = [sys.executable, str(ROOT / "tests/topology.py"), str(path)]
    running = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for env in environments(num_processes, num_devices)
    ]
    outputs = [process.communicate(timeout=500)[0] for process in running]
    assert [process.returncode for process in running] == [0] * num_processes, "\n".join(outputs)
    with np.load(path) as results:
        return dict(results)


@pytest.fixture(scope="module")
def on_one_device():
    return topology.trained(["jit"], devices=1)


@pytest.fixture(scope="module", params=TOPOLOGIES)
def on_many(request, tmp_path_factory):
    num_processes, num_devices = TOPOLOGIES[request.param]
    if num_processes == 1:
        return topology.trained(parallel.MODES, devices=num_devices)
    return trained_by_processes(tmp_path_factory.mktemp("many") / "results.npz", num_processes, num_devices)


@pytest.mark.long
@pytest.mark.parametrize("mode", parallel.MODES)
def test_devices_and_processes_change_nothing(mode, on_many, on_one_device):
    compared, names = 0, {name.split("/")[1] for name in on_many} - {"streamed"}
    assert names >= set(topology.OF_PROCESSES)
    for name, found in on_many.items():
        if not name.startswith(f"{mode}/"):
            continue
        expected = on_one_device[name.replace(mode, "jit", 1)]
        if name.endswith("compilations"):
            assert found == expected == 1, name
        elif name.endswith(("correct", "/images")):
            np.testing.assert_array_equal(found, expected, err_msg=name)
        else:
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5, err_msg=name)
        compared += 1
    losses = {name: on_one_device[f"jit/{name}/loss"] for name in names}
    assert compared > 4 * len(losses)
    assert all(len(values) == 20 for values in losses.values())
    # The comparison means something: training moves the losses by far more than the tolerance.
    assert all(np.ptp(values) > 1e-2 for name, values in losses.items() if name != "eszsl")


@pytest.fixture(scope="module")
def task():
    return data.test_task(toy.dataset())


def trained_here(method, task, mesh, mode="jit"):
    training = states.Training(method, task, key=jax.random.key(0), batch_size=16, mesh=mesh, mode=mode)
    *_, (_, state, _) = loop.fit(training, epochs=2)
    return jax.device_get(loop.finish(training, state))


@pytest.mark.parametrize(
    "mode", ["shard_map", *(pytest.param(mode, marks=pytest.mark.long) for mode in ("jit", "pmap"))]
)
def test_examples_that_do_not_fit_are_divided_and_nothing_changes(mode, task, monkeypatch):
    method, mesh = methods.normalized(methods.ale()), parallel.make_mesh(mode=mode)
    copied = trained_here(method, task, mesh, mode)
    monkeypatch.setattr(parallel, "must_divide", lambda tree, mesh: True)
    layout = parallel.Layout(mesh, mode, True)
    inputs = parallel.place_examples(task.train, layout).inputs
    assert inputs.addressable_shards[0].data.size == -(-len(task.train.labels) // 8) * task.train.inputs.shape[1]
    divided = trained_here(method, task, mesh, mode)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), divided, copied)


@pytest.mark.long
def test_large_matrices_are_split_along_model_and_nothing_changes(task, monkeypatch):
    method = methods.normalized(methods.ale())
    expected = trained_here(method, task, parallel.make_mesh())
    monkeypatch.setattr(parallel.placement, "_SPLIT_FROM", 50)
    mesh = parallel.make_mesh(model=2)
    weights = parallel.place_state(np.zeros((10, 6)), mesh)
    assert weights.addressable_shards[0].data.shape == (5, 6)
    split = trained_here(method, task, mesh)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), split, expected)


def test_a_table_of_21841_classes_takes_a_share_of_it_on_each_device():
    """Nothing is computed: the compiler says what each of 8 devices holds of a step over ImageNet-21k's classes."""
    mesh = parallel.make_mesh(model=8)
    batch, num_features, width, count = 64, 256, 4096, 21841
    table = jax.ShapeDtypeStruct((count, width), np.float32, sharding=parallel.state_sharding((count, width), mesh))
    weights = jax.ShapeDtypeStruct((num_features, width), np.float32)
    inputs = jax.ShapeDtypeStruct((batch, num_features), np.float32)
    compiled = jax.jit(lambda w, x, t: (x @ w) @ t.T).lower(weights, inputs, table).compile()
    whole = 4 * (count * width + num_features * width + batch * num_features)
    assert compiled.memory_analysis().argument_size_in_bytes < whole / 7
    assert compiled.memory_analysis().temp_size_in_bytes < whole / 7


def test_where_compiled_programs_are_kept(tmp_path, monkeypatch, capsys):
    before = jax.config.jax_compilation_cache_dir
    with parallel.left_as_found():
        jax.config.update("jax_compilation_cache_dir", "as the user said")
        parallel.keep_compiled("auto")
        assert jax.config.jax_compilation_cache_dir == "as the user said"
        jax.config.update("jax_compilation_cache_dir", None)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        parallel.keep_compiled("auto")
        assert tmp_path / "zsl_jax" / "compiled" in pathlib.Path(jax.config.jax_compilation_cache_dir).parents
        assert jax.config.jax_compilation_cache_max_size > 0  # without it jax does not lock the folder
        parallel.keep_compiled(str(tmp_path))
        assert pathlib.Path(jax.config.jax_compilation_cache_dir).parent == tmp_path
        (tmp_path / "file").touch()
        parallel.keep_compiled(str(tmp_path / "file" / "below"))
        assert "below cannot be written (Not a directory)" in capsys.readouterr().err
        assert not jax.config.jax_enable_compilation_cache
        jax.config.update("jax_enable_compilation_cache", True)
        parallel.keep_compiled("none")
        assert not jax.config.jax_enable_compilation_cache
    assert jax.config.jax_compilation_cache_dir == before


def test_products_are_made_in_the_precision_that_was_asked_for():
    def products(precision):
        parallel.multiply_in(precision)
        x = jax.ShapeDtypeStruct((8, 8), jnp.float32)
        lowered = jax.jit(lambda x: x @ x).trace(x).lower(lowering_platforms=("cuda",)).as_text()
        return re.findall(r"precision = \[(\w+), \1\]", lowered)

    before = jax.config.jax_default_matmul_precision
    with parallel.left_as_found():
        assert [products(name)[0] for name in parallel.PRECISIONS] == ["HIGHEST", "HIGH", "DEFAULT"]
    assert jax.config.jax_default_matmul_precision == before


def test_a_problem_is_made_in_the_precision_of_its_config():
    with parallel.left_as_found():
        problems.make_problem(toy_runs.recipe("eszsl", precision="tf32"), dataset=toy.dataset())
        assert jax.config.jax_default_matmul_precision == parallel.PRECISIONS["tf32"]


BAD = {
    "mode": ({"mode": "jits"}, "unknown parallel.mode 'jits': did you mean 'jit'"),
    "devices": ({"devices": 9}, "parallel.devices=9 is more than there are: 8"),
    "model": ({"model": 3}, "parallel.model=3 does not divide 8 devices: the nearest is 2"),
    "model in pmap": ({"model": 2, "mode": "pmap"}, "needs parallel.mode=jit, not pmap"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mesh_that_cannot_be_is_one_line(case):
    options, words = BAD[case]
    with pytest.raises(errors.UserError, match=words):
        parallel.make_mesh(**options)


LINES = {
    "mode": (("--config.parallel.mode=jits",), "config.parallel.mode=jits is not jit or pmap or shard_map"),
    "devices": (("--config.parallel.devices=9",), "more than there are: 8"),
    "batch": (("--config.train.batch_size=60",), "cannot be split over 8 devices: the nearest that can is 64"),
    "profile": (("--config.profile.steps=5:5",), "is not FIRST:LAST"),
    "hosts": (("--config.parallel.hosts=two",), "is not auto or all or one"),
}


@pytest.mark.parametrize("case", LINES)
def test_a_mistake_in_the_line_is_one_line_and_nothing_is_written(case, tmp_path, capsys):
    arguments, words = LINES[case]
    line = ("train", f"--config={ROOT / 'configs/ale.py'}:digits", f"--workdir={tmp_path / 'run'}", *arguments)
    assert __main__.main(line) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


VARIABLES = {
    "one": ({}, "auto", None),
    "a job of one task": ({"SLURM_STEP_NUM_TASKS": "1"}, "auto", None),
    "slurm": ({"SLURM_STEP_NUM_TASKS": "8"}, "auto", {}),
    "a pod": ({"TPU_WORKER_HOSTNAMES": "a,b"}, "auto", {}),
    "one host of a pod": ({"TPU_WORKER_HOSTNAMES": "a"}, "auto", None),
    "asked for": ({}, "all", {}),
    "not wanted": ({"SLURM_STEP_NUM_TASKS": "8"}, "one", None),
    "named": (
        {"JAX_COORDINATOR_ADDRESS": "h:1", "JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "1"},
        "auto",
        {"coordinator_address": "h:1", "num_processes": 2, "process_id": 1},
    ),
    "half": (
        {"JAX_NUM_PROCESSES": "2"},
        "auto",
        "JAX_NUM_PROCESSES without JAX_COORDINATOR_ADDRESS and JAX_PROCESS_ID",
    ),
    "no such process": (
        {"JAX_COORDINATOR_ADDRESS": "h:1", "JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "2"},
        "auto",
        "JAX_PROCESS_ID=2 is no number below",
    ),
    "no port": (
        {"JAX_COORDINATOR_ADDRESS": "h", "JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "1"},
        "auto",
        "JAX_COORDINATOR_ADDRESS=h is not HOST:PORT",
    ),
}


@pytest.mark.parametrize("case", VARIABLES)
def test_the_environment_says_which_processes_there_are(case):
    environment, hosts, expected = VARIABLES[case]
    if isinstance(expected, str):
        with pytest.raises(errors.UserError, match=expected):
            processes.process_arguments(hosts, environment)
    else:
        assert processes.process_arguments(hosts, environment) == expected


@pytest.mark.long
@pytest.mark.parametrize("process", [0, 1])
def test_a_run_whose_other_host_is_missing_says_so_after_a_timeout(process, tmp_path):
    command = [sys.executable, "-m", "zsl_jax", "train", f"--config={ROOT / 'configs/ale.py'}:digits"]
    command += [f"--workdir={tmp_path / 'run'}", "--config.parallel.timeout_s=3"]
    env = environments(2, 1)[process]
    result = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert result.returncode == 2
    assert f"process {process} of 2 at 127.0.0.1:" in result.stderr
    assert "has not met all others within config.parallel.timeout_s=3 s" in result.stderr
    assert not (tmp_path / "run").exists()
