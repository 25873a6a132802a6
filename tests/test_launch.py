"""The launch scripts print what they would run, and nothing in them is wrong that a checker can see."""

import pathlib
import shutil
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAUNCH = ROOT / "launch"
SCRIPTS = sorted(path.name for path in LAUNCH.iterdir() if path.suffix in (".sh", ".sbatch"))
LINE = ("--config=configs/ale.py:digits", "--workdir=runs/with space")
POD = ("--name=zsl", "--zone=us-east5-b")


def script(name, *arguments, **options):
    return subprocess.run(
        ["bash", str(LAUNCH / name), *arguments], capture_output=True, text=True, timeout=60, **options
    )


@pytest.mark.parametrize("name", SCRIPTS)
def test_shellcheck_finds_nothing(name):
    shellcheck = shutil.which("shellcheck", path=f"{pathlib.Path(sys.executable).parent}:/usr/bin:/usr/local/bin")
    if shellcheck is None:
        pytest.skip("needs shellcheck (the extra dev has it)")
    result = subprocess.run(
        [shellcheck, "-x", "--source-path=SCRIPTDIR", str(LAUNCH / name)], capture_output=True, text=True, cwd=ROOT
    )
    assert result.returncode == 0, result.stdout


DRY = {
    "multiprocess": (
        ("multiprocess.sh", "--dry_run", "--processes=3", "--devices=2", "--", "train", *LINE),
        ["JAX_NUM_PROCESSES=3", "device_count=2", "JAX_PROCESS_ID=2", r"--workdir=runs/with\ space"],
        3,
    ),
    "create": (
        ("tpu_pod.sh", "create", *POD, "--type=v6e-32", "--version=v2", "--spot", "--dry_run"),
        ["gcloud compute tpus tpu-vm create zsl", "--accelerator-type=v6e-32", "--spot"],
        1,
    ),
    "setup": (("tpu_pod.sh", "setup", *POD, "--repository=R", "--dry_run"), ["--worker=all", r"git\ clone"], 3),
    "run": (
        ("tpu_pod.sh", "run", *POD, "--workdir=/mnt/a", "--dry_run", "--", LINE[0]),
        ["--worker=all", "--config.parallel.hosts=all", "--workdir=/mnt/a"],
        1,
    ),
    "logs": (("tpu_pod.sh", "logs", *POD, "--project=P", "--dry_run"), ["--project=P", "zsl_jax.log"], 1),
    "delete": (("tpu_pod.sh", "delete", *POD, "--dry_run"), ["tpu-vm delete zsl"], 1),
    "spot": (
        (
            *("tpu_pod.sh", "spot", *POD, "--type=t", "--version=v", "--repository=R", "--workdir=W", "--dry_run"),
            *("--", LINE[0]),
        ),
        ["create zsl", "--spot", r"test\ -f\ W/record.json", "delete zsl"],
        7,
    ),
    "slurm": (("slurm.sbatch", "--dry_run", *LINE), ["srun", "zsl_jax train", "scontrol requeue"], 2),
    "local": (("local.sh", "--dry_run", *LINE), ["-m zsl_jax train", r"--workdir=runs/with\ space"], 3),
    "test": (("test.sh", "--dry_run"), ["ruff check", r"not\ long", "-m long"], 6),
}


@pytest.mark.parametrize("case", DRY)
def test_a_dry_run_prints_every_command_and_runs_none(case):
    arguments, words, lines = DRY[case]
    # Without a PATH to them, a command that is run after all is an error.
    result = script(*arguments, env={"PATH": "/usr/bin:/bin"})
    assert result.returncode == 0, result.stderr
    assert all(word in result.stdout for word in words), result.stdout
    assert len(result.stdout.splitlines()) == lines


BAD = {
    "no line": (("multiprocess.sh",), "say what to run after --"),
    "unknown option": (("multiprocess.sh", "--prcesses=2", "--", "train"), "unknown option --prcesses=2"),
    "no number": (("multiprocess.sh", "--processes=two", "--", "train"), "--processes=two is not a number"),
    "unknown verb": (("tpu_pod.sh", "creat"), "the verbs are create"),
    "missing zone": (("tpu_pod.sh", "delete", "--name=zsl"), "delete needs --zone"),
    "missing workdir": (("slurm.sbatch", LINE[0]), "needs --workdir"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_one_line(case):
    arguments, words = BAD[case]
    result = script(*arguments)
    assert result.returncode == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["gke_jobset.yaml", "sky.yaml"])
def test_the_descriptions_for_clouds_are_yaml_that_trains(name):
    description = yaml.safe_load((LAUNCH / name).read_text())
    if name == "sky.yaml":
        assert "-m zsl_jax train" in description["run"]
        return
    (job,) = (job["template"]["spec"] for job in description["spec"]["replicatedJobs"])
    assert job["parallelism"] == job["completions"]
    (container,) = job["template"]["spec"]["containers"]
    assert container["args"][0] == "train"
    assert "--config.parallel.hosts=all" in container["args"]
