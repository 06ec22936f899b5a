"""A learner's own server on a hub: one kernel at a time, idle ones end, nothing calls home."""

import asyncio

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.web import HTTPError

c = get_config()  # noqa: F821

FULL = (
    "One kernel at a time: its memory is what a learner has here. Shut down the one that runs "
    "(on the left: Running Terminals and Kernels), then start this one again"
)


class OneKernel(AsyncMappingKernelManager):
    """Starts a kernel only where none runs, and says what to do otherwise."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._one = asyncio.Lock()

    async def start_kernel(self, *, kernel_id=None, path=None, **kwargs):
        """Start a kernel, or refuse with a sentence for the learner; arguments as before."""
        async with self._one:
            if len(self) and kernel_id not in self:
                raise HTTPError(409, FULL, reason="One kernel at a time")
            return await super().start_kernel(kernel_id=kernel_id, path=path, **kwargs)


c.ServerApp.kernel_manager_class = OneKernel
c.MappingKernelManager.cull_idle_timeout = 1800
c.MappingKernelManager.cull_interval = 120
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.extension_manager = "readonly"
