"""Public checkpoints by name: the table is of these encoders, and a file that is not here is one line."""

import hashlib
import logging
import sys

import jax
import numpy as np
import pytest
import safetensors.numpy

from zsl_jax import __main__, encoders, errors
from zsl_jax.encoders import counts, pretrained, weights
from zsl_jax.verbs import command_line

TINY = "vit_tiny_patch16_224.augreg_in21k_ft_in1k"
# One of each kind; the others of a kind have the same encoder.
KINDS = (
    "mobilenetv2_100.ra_in1k",
    "resnet50d.ra2_in1k",
    "deit_tiny_distilled_patch16_224.fb_in1k",
    "vit_small_patch14_dinov2.lvd142m",
    "vit_base_patch32_clip_quickgelu_224.openai",
    "vit_base_patch16_siglip_224.webli",
    "vit_b_32",
)


@pytest.mark.parametrize("name", [TINY, *(pytest.param(name, marks=pytest.mark.long) for name in KINDS)])
def test_a_checkpoint_is_as_large_as_its_encoder(name):
    """What is listed in megabytes, from timm, is the number of parameters here and a classifier."""
    known = pretrained.named(name)
    module, size = encoders.factory(known.encoder)(**known.knobs), known.images.size
    images = jax.ShapeDtypeStruct((1, size, size, 3), np.uint8)
    out, variables = jax.eval_shape(lambda x: module.init_with_output(jax.random.key(0), x, train=False), images)
    classes = 512 if "clip" in name else 0 if "siglip" in name or "dinov2" in name else 1000
    heads = classes * (out.shape[1] + (classes != 512)) * (2 if "distilled" in name else 1)
    numbers = counts.parameters(variables) + sum(map(np.size, jax.tree.leaves(variables.get("batch_stats", {}))))
    assert 4e-6 * (numbers + heads) == pytest.approx(known.megabytes, abs=1.1)


def test_a_copy_is_read_from_the_folder_and_a_file_stands_for_itself(tmp_path, monkeypatch):
    monkeypatch.setenv(pretrained.FOLDER, str(tmp_path))
    copy = tmp_path / f"{TINY}.safetensors"
    safetensors.numpy.save_file({"norm.weight": np.ones(192, np.float32)}, copy)
    assert pretrained.path(TINY) == copy
    assert list(pretrained.read(TINY)) == ["norm.weight"]
    assert pretrained.path("some/where.npz").name == "where.npz"
    with pytest.raises(errors.UserError, match="149 missing"):
        encoders.load(TINY)


def test_a_file_of_torchvision_is_read_as_it_is_and_compared_with_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv(pretrained.FOLDER, str(tmp_path))
    known = pretrained.named("resnet50")
    assert (known.file, known.sha256, known.licence) == ("resnet50-11ad3fa6.pth", "11ad3fa6", "bsd-3-clause")
    says = rf"torchvision's, .*: put https://.*/{known.file} \(about 103 MB\) there as {tmp_path}/{known.file}"
    with pytest.raises(errors.UserError, match=says):
        pretrained.path("resnet50")
    copy = tmp_path / known.file
    copy.write_bytes(b"cut short")
    digits = hashlib.sha256(b"cut short").hexdigest()[:8]
    for text in ("resnet50", str(copy)):
        with pytest.raises(errors.UserError, match=f"its sha256 begins with {digits}, not 11ad3fa6") as raised:
            pretrained.path(text)
        assert "\n" not in str(raised.value)
    # A table in which that is what is published.
    published = known._replace(file=f"resnet50-{digits}.pth")
    monkeypatch.setitem(pretrained.CHECKPOINTS, "resnet50", published)
    moved = copy.rename(tmp_path / published.file)
    assert pretrained.path("resnet50") == moved


def test_the_table_has_the_files_and_the_cuts_of_torchvision():
    models = pytest.importorskip("torchvision.models", reason="torchvision is not installed")
    for name, known in pretrained.CHECKPOINTS.items():
        if known.sha256:
            theirs = models.get_model_weights(name).DEFAULT
            cut = theirs.transforms()
            assert theirs.url == f"{known.repository}/{known.file}"
            assert known.megabytes == pytest.approx(4e-6 * theirs.meta["num_params"], abs=1.1)
            assert [known.images.size] == cut.crop_size
            assert round(known.images.size / known.images.crop_fraction) == cut.resize_size[0]
            assert known.images.filter == cut.interpolation.value


def test_the_hub_is_asked_for_the_file_and_its_failures_are_one_line(tmp_path, monkeypatch, caplog):
    huggingface_hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    monkeypatch.setenv(pretrained.FOLDER, str(tmp_path / "none"))
    asked = []

    def download(repository, file):
        asked.append((repository, file))
        return str(tmp_path / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert pretrained.path("vit_base_patch32_clip_quickgelu_224.openai") == tmp_path / "model.safetensors"
    assert asked == [("timm/vit_base_patch32_clip_224.openai", "model.safetensors")]

    def fail(repository, file):
        logging.getLogger("huggingface_hub.utils").warning("Retrying in 1s")
        raise OSError("no route")

    class Lazy:
        @property
        def hf_hub_download(self):
            logging.getLogger("huggingface_hub").setLevel(logging.WARNING)  # as the import of its module does
            return fail

    monkeypatch.setitem(sys.modules, "huggingface_hub", Lazy())
    says = rf"could not be fetched \(OSError\): put model.safetensors of timm/{TINY} .* as .*none/{TINY}.safetensors"
    with caplog.at_level("WARNING"), pytest.raises(errors.UserError, match=says):
        pretrained.path(TINY)
    assert not caplog.records


def test_a_name_sets_encoder_and_images_and_what_is_said_beside_it_goes_first(tmp_path, capsys):
    name = "vit_base_patch32_clip_quickgelu_224.openai"
    config = command_line.load_recipe(f"extract/pretrained:{name}")
    assert (config.encoder.name, config.encoder.patch, config.encoder.variant) == ("vit_base", 32, "clip_quickgelu")
    assert (config.encoder.scaling, config.images.filter, config.images.crop_fraction) == ("clip", "bicubic", 0.9)
    words = [f"--config.data.dir={tmp_path}", f"--out={tmp_path / 'out'}"]
    for argv, says in (
        (["--config=extract/pretrained:resnet50.a1"], "did you mean 'resnet50.a1_in1k'?"),
        (["--config=extract/resnet", "--config.encoder.weights=" + name], f"--config=extract/pretrained:{name}"),
        (["--config=extract/resnet", "--config.encoder.weights=resnet50.a1_in1k"], "no dataset in"),
    ):
        assert __main__.main(["extract", *argv, *words]) == 2
        err = capsys.readouterr().err
        assert says in err
        assert err.count("\n") == 1
    given = {"encoder.weights": "deit_tiny_patch16_224.fb_in1k", "encoder.pool": "mean"}
    config = command_line.recipe("softmax_pixels:shapes,smoke", given)
    assert (config.encoder.name, config.encoder.scaling, config.encoder.pool) == ("vit_tiny", "imagenet", "mean")
    assert config.encoder.weights == given["encoder.weights"]


def test_names_of_the_other_framework_are_brought_to_ours():
    module = encoders.factory("mobilenet_v2")(width_multiplier=0.1)
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), np.zeros((1, 32, 32, 3)), train=False))
    table = weights.names(shapes)
    there = {"conv_stem.weight", "bn1.bias", "conv_head.weight", "bn2.running_var", "blocks.0.0.conv_dw.weight"}
    there |= {"blocks.0.0.bn2.weight", "blocks.5.2.conv_pwl.weight", "blocks.6.0.bn3.bias"}
    expected = {"features.0.0.weight", "features.0.1.bias", "features.18.0.weight", "features.18.1.running_var"}
    expected |= {"features.1.conv.0.0.weight", "features.1.conv.2.weight"}
    expected |= {"features.16.conv.2.weight", "features.17.conv.3.bias"}
    blocks = {f"blocks.{s}.{b}.conv_pwl.weight" for s, n in enumerate((1, 2, 3, 4, 3, 3, 1)) for b in range(n) if s}
    renamed = weights.tensor_names.ours(dict.fromkeys(there | blocks))
    assert expected <= renamed.keys() <= table.keys()
