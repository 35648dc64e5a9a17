"""The platforms where records live: one file a system behind the port, over one shared wire layer."""
