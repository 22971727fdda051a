"""`python -m imgsvc`."""

from imgsvc.cli import main

main()
