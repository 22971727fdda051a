"""What operations share: resampling, geometry, colour and alpha on Pillow images."""
