"""The hub's files, ready to copy: they can be read, and what keeps learners apart holds in them."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from traitlets.config.loader import PyFileConfigLoader

from helpers.core import capacity

ROOT = Path(__file__).resolve().parent.parent
FILES = ROOT / ".ci" / "hub"
UNITS = {"M": 2**20, "G": 2**30}


@pytest.fixture
def config(monkeypatch, tmp_path):
    """What JupyterHub reads, on a machine that has the folder of downloads."""
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    return PyFileConfigLoader("jupyterhub_config.py", path=str(FILES)).load_config()


@pytest.fixture
def values():
    return yaml.safe_load((FILES / "values.yaml").read_text(encoding="utf-8"))


def bytes_of(text):
    return float(text[:-1]) * UNITS[text[-1]]


def test_one_machine_listens_to_itself_alone(config):
    hub = config.JupyterHub
    for url in (hub.bind_url, hub.hub_bind_url, config.ConfigurableHTTPProxy.api_url):
        assert url.startswith("http://127.0.0.1:")
    assert "ip" not in hub and "hub_ip" not in hub


def test_one_machine_admits_its_own_accounts_and_no_others(config):
    assert config.JupyterHub.authenticator_class == "pam"
    assert config.PAMAuthenticator.allowed_groups == {"learners"}
    assert "allow_all" not in config.Authenticator and "allow_all" not in config.PAMAuthenticator
    assert config.JupyterHub.cookie_secret_file.startswith("/var/lib/jupyterhub/")


def test_one_machine_keeps_learners_apart_and_each_within_limits(config, tmp_path):
    system = config.SystemdSpawner
    assert config.JupyterHub.spawner_class == "systemd"
    assert system.disable_user_sudo and system.isolate_tmp and system.isolate_devices
    assert system.readonly_paths == [str(ROOT), f"-{tmp_path}"]
    extra = system.unit_extra_properties
    assert extra["MemoryLow"] == config.Spawner.mem_guarantee
    assert extra["OOMPolicy"] == "continue" and extra["UMask"] == "0077"
    assert extra["MemorySwapMax"] == "0"
    assert config.Spawner.environment["COURSE_CACHE"] == str(tmp_path)
    assert config.JupyterHub.cleanup_servers is False


def test_without_downloads_each_learner_has_a_cache_of_their_own(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "not there"))
    config = PyFileConfigLoader("jupyterhub_config.py", path=str(FILES)).load_config()
    assert "COURSE_CACHE" not in config.Spawner.environment


def test_limits_are_what_was_measured(config, values):
    learner = capacity.LEARNER_GB * 1e9
    cluster = values["singleuser"]
    for guarantee, limit in (
        (config.Spawner.mem_guarantee, config.Spawner.mem_limit),
        (cluster["memory"]["guarantee"], cluster["memory"]["limit"]),
    ):
        assert learner <= bytes_of(guarantee) <= 1.2 * learner
        assert learner + capacity.SHARED_GB * 1e9 < bytes_of(limit)
    assert config.Spawner.cpu_limit == cluster["cpu"]["limit"] == 2


def test_the_culler_may_end_servers_and_nothing_more(config, values):
    (role,) = config.JupyterHub.load_roles
    assert role["scopes"] == [
        "list:users", "read:users:activity", "read:servers", "delete:servers",
    ]  # fmt: skip
    (service,) = config.JupyterHub.services
    assert role["services"] == [service["name"]]
    assert "--timeout=3600" in service["command"] and values["cull"]["timeout"] == 3600


def test_the_cluster_has_tls_and_keeps_learners_from_each_other_and_the_cloud(values):
    assert values["proxy"]["https"]["enabled"] and values["proxy"]["https"]["hosts"]
    learner = values["singleuser"]
    assert learner["networkPolicy"]["enabled"] and learner["cloudMetadata"]["blockWithIptables"]
    assert learner["allowPrivilegeEscalation"] is False
    assert all(one["readOnly"] for one in learner["storage"]["extraVolumeMounts"])
    assert learner["storage"]["extraVolumes"][0]["persistentVolumeClaim"]["readOnly"]
    assert learner["image"]["tag"] not in ("", "latest")
    assert values["hub"]["config"]["Authenticator"]["allow_all"] is False
    assert values["hub"]["config"]["JupyterHub"]["authenticator_class"] == "null"


def test_one_kernel_a_learner_on_both(config, values):
    (word,) = config.Spawner.args
    path = Path(word.removeprefix("--config="))
    server = PyFileConfigLoader(path.name, path=str(path.parent)).load_config()
    manager = server.ServerApp.kernel_manager_class
    assert manager.__name__ == "OneKernel" and server.MappingKernelManager.cull_idle_timeout > 0
    place = values["singleuser"]["extraFiles"]["one-kernel"]["mountPath"]
    assert Path(place).name == path.name


def test_what_must_be_changed_is_marked():
    for name in ("jupyterhub_config.py", "values.yaml", "jupyterhub.service"):
        assert "CHANGE" in (FILES / name).read_text(encoding="utf-8")
    text = (FILES / "values.yaml").read_text(encoding="utf-8")
    for line in text.splitlines():
        assert "example.org" not in line or "CHANGE" in line, line


def test_the_service_starts_the_files_where_they_lie():
    text = (FILES / "jupyterhub.service").read_text(encoding="utf-8")
    (start,) = re.findall(r"^ExecStart=(.*)", text, re.MULTILINE)
    config = shlex.split(start)[-1].removeprefix("--config=/opt/what-a-cnn-sees/")
    assert (ROOT / config).samefile(FILES / "jupyterhub_config.py")


def test_the_hub_s_pins_are_exact_and_repeat_none_of_the_others():
    lines = (ROOT / ".ci" / "hub.txt").read_text(encoding="utf-8").splitlines()
    others = (ROOT / ".ci" / "pins.txt").read_text(encoding="utf-8").splitlines()
    names = {Requirement(line).name.lower() for line in others if line and line[0] != "#"}
    for line in lines:
        if not line.startswith("#"):
            pin = Requirement(line)
            (exact,) = pin.specifier
            assert exact.operator == "==" and pin.name.lower() not in names, line
    wanted = json.loads((FILES / "package.json").read_text())["dependencies"]
    locked = json.loads((FILES / "package-lock.json").read_text())["packages"]
    for name, version in wanted.items():
        assert locked[f"node_modules/{name}"]["version"] == version
    assert all(one.get("integrity") for name, one in locked.items() if name)
    assert not any("resolved" in one for one in locked.values())
