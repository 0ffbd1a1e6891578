"""The plugin module as Heat's loader meets it."""
import os
import subprocess
import sys

import howdah_heat
from heat.common import plugin_loader

TYPE = "VirtualElephant::VMware::BDE"


def test_heats_loader_finds_the_type():
    package = plugin_loader.create_subpackage([howdah_heat.plugin_dir()], "heat.engine", "howdah_test")
    mapping = {}
    for module in plugin_loader.load_modules(package):
        mapping.update(module.resource_mapping())
    assert list(mapping) == [TYPE]


def test_the_directory_is_printed():
    out = subprocess.run([sys.executable, "-m", "howdah_heat"], stdout=subprocess.PIPE, check=True,
                         universal_newlines=True, cwd=os.path.dirname(os.path.dirname(howdah_heat.__file__)))  # fmt: skip
    assert out.stdout.strip() == howdah_heat.plugin_dir()


def test_a_broken_installation_costs_one_type_and_a_log_line():
    """Everything of ours that can fail to import is made to: Heat must still start."""
    code = (
        "import sys; sys.modules['howdah_heat.resource'] = None\n"
        "import runpy; m = runpy.run_path(%r)\n"
        "print(m['resource_mapping']())" % os.path.join(howdah_heat.plugin_dir(), "bde.py")
    )
    run = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True,
                         universal_newlines=True, cwd=os.path.dirname(os.path.dirname(howdah_heat.__file__)))  # fmt: skip
    assert run.stdout.strip() == "{}"
    assert "could not be loaded and is not offered" in run.stderr
