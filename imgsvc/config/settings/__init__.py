"""Every setting of the service, with its default and the reason for it: one file is one group of them."""

from __future__ import annotations

from imgsvc.config.settings.data import Data
from imgsvc.config.settings.delivery import Delivery
from imgsvc.config.settings.door import Door
from imgsvc.config.settings.group import PREFIX, Group
from imgsvc.config.settings.images import Images
from imgsvc.config.settings.watching import Watching
from imgsvc.config.settings.work import Work

__all__ = ["GROUPS", "PREFIX", "Settings"]


class Settings(Door, Data, Images, Delivery, Work, Watching):
    """Everything that the environment decides; read once, never changed."""


#: The groups in the order in which people should read them.
GROUPS: tuple[type[Group], ...] = (Door, Data, Images, Delivery, Work, Watching)
