"""From what normal looks like to SLOs: the command llmslo-rulegen."""
