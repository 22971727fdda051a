"""imgsvc: a self-hosted image-processing service with durable, killable, timed jobs."""

__version__ = "0.1.0"
