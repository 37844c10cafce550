"""Re-enactments of the FSHNet paper: its opponents, protocol, tables and figures."""
