"""What the README tells a user to type works, and what it points to exists."""

import pathlib
import re
import subprocess
import sys

import pytest
from conftest import as_users

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line.split("  #")[0].strip()
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]


def test_the_two_commands_stand_at_the_top():
    assert COMMANDS[:2] == ["bash launch/local.sh", "bash launch/test.sh"]


@pytest.mark.long
def test_commands_run_one_after_another(tmp_path):
    """All but the one that runs this test; those that train do so for two epochs, on one draw."""
    for command in COMMANDS:
        if command == "bash launch/test.sh":
            continue
        if command == "bash launch/local.sh":
            command += " --workdir=runs/ale"
        if "local.sh" in command or " train " in command:
            command += " --config.train.epochs=2 --config.select.folds=1"
        command = command.replace("runs/", f"{tmp_path}/runs/")
        command = re.sub(r"^zsl-jax ", f"{sys.executable} -m zsl_jax ", command)
        done = subprocess.run(
            command, shell=True, cwd=ROOT, env=as_users(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert (tmp_path / "runs/ale/record.json").exists()
    assert (tmp_path / "runs/ale/story.png").stat().st_size > 10_000


def test_python_examples_run():
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(compile(block, "README.md", "exec"), {})


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")), ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.long
def test_every_part_that_the_reference_shows_loads_on_first_use():
    pages = (ROOT / "docs" / "api").glob("*.md")
    program = "import zsl_jax\n" + "\n".join(f"zsl_jax.{page.stem}" for page in pages)
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_package_imports_little_and_touches_no_device():
    program = (
        "import sys, zsl_jax; assert 'jax' not in sys.modules\n"
        "from zsl_jax import losses, metrics, similarity\n"
        "import jax; assert not jax._src.xla_bridge.backends_are_initialized()\n"
        "assert not {'tensorflow', 'orbax', 'flax', 'scipy.optimize', 'matplotlib', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
