"""Encoders compute what timm, torchvision, open_clip and transformers do: against outputs that these left behind."""

import json

import formula_tensors
import jax
import make_framework_outputs as maker
import numpy as np
import pytest
import safetensors.numpy

from zsl_jax import encoders, similarity
from zsl_jax.encoders import bert, clip_files, towers, weights

SPECS = json.loads(maker.SPECS.read_text())
with np.load(maker.OUTPUTS) as archive:
    OUTPUTS = {name: archive[name] for name in archive.files}


def close(found, name):
    there = OUTPUTS[name]
    np.testing.assert_allclose(found, there, rtol=1e-4, atol=1e-4 * np.abs(there).max(), err_msg=name)


def named(kind):
    return [name for name, spec in SPECS.items() if spec["kind"] == kind]


def folder_of(spec, place):
    """A folder as the framework publishes a model."""
    for file, config in spec["config"].items():
        (place / file).write_text(json.dumps(config))
    safetensors.numpy.save_file(formula_tensors.tensors(spec["tensors"]), place / "model.safetensors")
    return place


def applied(module, tensors, inputs, **knobs):
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), *inputs, **knobs))
    variables = weights.assign(tensors, shapes, "the framework")
    return jax.jit(lambda variables, inputs: module.apply(variables, *inputs, **knobs))(variables, inputs)


@pytest.mark.long
@pytest.mark.parametrize("name", named("encoder"))
def test_encoders_of_images(name):
    spec = SPECS[name]
    knobs = dict(spec["encoder"])
    blocks = knobs.pop("blocks", None)
    module = encoders.factory(knobs.pop("name"))(**knobs)
    module = module.copy(blocks=tuple(blocks)) if blocks else module
    tensors = formula_tensors.tensors(spec["tensors"])
    close(applied(module, tensors, (formula_tensors.images(spec["side"]),), train=False), f"{name}/images")


@pytest.mark.long
@pytest.mark.parametrize("name", named("clip"))
def test_towers_of_images_and_texts(name, tmp_path):
    spec = SPECS[name]
    model = clip_files.load(folder_of(spec, tmp_path))
    for half, given in (("image", formula_tensors.images(spec["side"])), ("text", np.array(spec["tokens"], np.int32))):
        found = jax.jit(getattr(model, half).apply)(model.variables(half), given)
        close(found, f"{name}/{half}s")


@pytest.mark.long
@pytest.mark.parametrize("pool", bert.POOLS)
@pytest.mark.parametrize("name", named("bert"))
def test_sentence_encoders(name, pool):
    spec = SPECS[name]
    size = bert.Size(**{field: spec["config"]["config.json"][field] for field in bert.Size._fields})
    tensors = formula_tensors.tensors(spec["tensors"])
    tensors = {key: tensor for key, tensor in tensors.items() if not key.startswith(towers._NOT_OURS)}
    mask = np.array(spec["mask"], bool)
    found = applied(bert.Bert(size, pool), tensors, (formula_tensors.ids(mask.shape[1], size.vocab_size), mask))
    close(similarity.l2_normalize(found), f"{name}/{pool}")


@pytest.mark.parametrize("name", maker.TORCH_FILES)
def test_files_of_torch_are_read_without_torch(name):
    found, whole = weights.read(maker.TORCH_FILES[name]), formula_tensors.tensor("whole", (3, 4))
    wanted = {"whole": whole, "transposed": whole.T, "part": whole[1:, ::2], "half": whole.astype(np.float16)}
    wanted |= {"brain": whole.astype(jax.numpy.bfloat16), "count": np.array(7)}
    assert found.keys() == wanted.keys()
    for key, tensor in wanted.items():
        assert found[key].dtype == tensor.dtype, key
        np.testing.assert_array_equal(found[key], tensor, err_msg=key)


def test_the_stored_outputs_are_small_and_of_every_case():
    assert {name.partition("/")[0] for name in OUTPUTS} == set(SPECS)
    assert {spec["kind"] for spec in SPECS.values()} == {"encoder", "clip", "bert"}
    assert maker.SPECS.stat().st_size + maker.OUTPUTS.stat().st_size < 200_000


@pytest.mark.long
def test_the_frameworks_of_today_give_the_stored_outputs():
    for package in ("torch", "timm", "torchvision", "open_clip", "transformers"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    for name, case in maker.cases().items():
        assert case.spec["tensors"] == SPECS[name]["tensors"], name
        for output, values in case.outputs.items():
            close(values, f"{name}/{output}")
