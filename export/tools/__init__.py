"""What writes the device pages: test vectors, tables of operators."""

from zoo.quiet import quiet_when_imported

quiet_when_imported()  # these are commands
